// Real sockets: slabs that are written, held while the socket is behind, and used again; data that goes past them, in
// and out. It does not test PDUs: numbered blocks and messages stand for them.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import type { Volume } from '../../src/backstore/backstore.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { ramdisk } from '../../src/backstore/ramdisk.ts';
import { flushBytesMax } from '../../src/iscsi/limits.ts';
import type { Output } from '../../src/iscsi/output.ts';
import { type Protocol, SocketTransport } from '../../src/iscsi/socket-transport.ts';
import type { IoVector } from '../../src/system/io-vector.ts';
import { lengthBytes } from '../support/echo-client.ts';
import { makeFile, makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

const blockBytes = 8192;

/** Writes numbered blocks for as long as the output takes them; `held` says how many different slabs that took. */
class Numbers implements Protocol {
  readonly wanted = undefined;
  readonly settled = true;
  readonly headerBytes = 0;
  readonly slabs = new Set<Uint8Array>();
  blockedOnce = false;
  readonly #output: Output;
  #count: number;
  #next = 0;

  constructor(output: Output, count: number) {
    this.#output = output;
    this.#count = count;
  }

  feed(_bytes: Uint8Array, _start: number, end: number): number {
    this.#write();
    return end;
  }

  filled(): void {}

  readonly left = 0;

  lend(): undefined {}

  took(): void {}

  drained(): void {
    this.#write();
  }

  async close(): Promise<void> {
    this.#count = 0;
  }

  #write(): void {
    const output = this.#output;
    while (this.#next < this.#count && !output.blocked) {
      const at = output.room(blockBytes);
      this.slabs.add(output.bytes);
      output.bytes.fill(this.#next, at, at + blockBytes);
      output.commit(blockBytes);
      this.#next += 1;
    }
    this.blockedOnce ||= output.blocked;
  }
}

/** Connected pairs: what the transport drives, and the client at the other end, which does not read yet. */
async function pairs(connections: number, blocks: number): Promise<{ numbers: Numbers; client: Socket }[]> {
  const opened: Numbers[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    new SocketTransport(socket, (output) => {
      const numbers = new Numbers(output, blocks);
      opened.push(numbers);
      return numbers;
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const clients: Socket[] = [];
  onTestFinished(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
  for (let count = 1; count <= connections; count += 1) {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    clients.push(client);
    await once(client, 'connect');
    client.write('go');
    while (opened.length < count || !opened[count - 1]!.blockedOnce) await new Promise(setImmediate);
  }
  return opened.map((numbers, at) => ({ numbers, client: clients[at]! }));
}

/** The number of each block as it came. */
async function blocksFrom(client: Socket, count: number): Promise<number[]> {
  const parts: Buffer[] = [];
  let length = 0;
  client.on('data', (data: Buffer) => {
    parts.push(data);
    length += data.length;
  });
  client.resume();
  while (length < count * blockBytes) await once(client, 'data');
  const all = Buffer.concat(parts);
  return Array.from({ length: count }, (_, at) => {
    const block = all.subarray(at * blockBytes, (at + 1) * blockBytes);
    return block.every((byte) => byte === block[0]) ? block[0]! : -1;
  });
}

it('more output than the sockets take arrives once and in order, on connections that share the slabs', async () => {
  // 16 MiB each: more than a socket's buffers at both ends.
  const count = (16 << 20) / blockBytes;
  const expected = Array.from({ length: count }, (_, at) => at % 256);
  const open = await pairs(3, count);
  // No two connections have the same slab while they are behind.
  const held = open.map(({ numbers }) => [...numbers.slabs].at(-1));
  expect(new Set(held).size).toBe(open.length);
  const received = await Promise.all(open.map(({ client }) => blocksFrom(client, count)));
  for (const blocks of received) expect(blocks).toEqual(expected);
});

it('a client that never reads costs the socket and one batch, and no slab behind them', async () => {
  const [behind] = await pairs(1, Number.POSITIVE_INFINITY);
  const { numbers } = behind!;
  const before = numbers.slabs.size;
  numbers.drained();
  expect(numbers.slabs.size).toBe(before);
  expect([...numbers.slabs].every((slab) => slab.length <= 2 * flushBytesMax + blockBytes)).toBe(true);
});

/**
 * Answers each message, a length and as many bytes, with itself: by way of a slab, and longer ones out of a volume. Every
 * other one is gathered before it is written to the volume.
 */
class Echo implements Protocol {
  readonly settled = true;
  readonly headerBytes = lengthBytes;
  readonly #output: Output;
  readonly #volume: Volume;
  #length = 0;
  #lengthLeft = lengthBytes;
  #data = new Uint8Array();
  #dataLeft = 0;
  #count = 0;

  constructor(output: Output, volume: Volume) {
    this.#output = output;
    this.#volume = volume;
  }

  get #position(): number {
    return (this.#count * 2 ** 19) % this.#volume.size;
  }

  get #lands(): boolean {
    return this.#output.lands === true && this.#count % 2 === 0;
  }

  get wanted(): Uint8Array | undefined {
    return this.#dataLeft > 0 && !this.#lands ? this.#data.subarray(-this.#dataLeft) : undefined;
  }

  get left(): number {
    return this.#dataLeft;
  }

  lend(available: number, to: IoVector): number | undefined {
    const at = this.#position + this.#data.length - this.#dataLeft;
    const count = Math.min(available, this.#dataLeft);
    return this.#lands && count > 0 && this.#volume.lend?.(at, count, to, true) ? count : undefined;
  }

  took(count: number): void {
    this.filled(count);
  }

  feed(bytes: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; ) {
      if (this.#dataLeft > 0) {
        const piece = bytes.subarray(at, Math.min(end, at + this.#dataLeft));
        const done = this.#data.length - this.#dataLeft;
        if (this.#lands) this.#volume.writeNow!(piece, this.#position + done, false);
        else this.#data.set(piece, done);
        at += piece.length;
        this.filled(piece.length);
        continue;
      }
      this.#length = this.#length * 256 + bytes[at]!;
      at += 1;
      this.#lengthLeft -= 1;
      if (this.#lengthLeft > 0) continue;
      this.#data = new Uint8Array(this.#length);
      this.#dataLeft = this.#length;
      [this.#length, this.#lengthLeft] = [0, lengthBytes];
    }
    return end;
  }

  filled(count: number): void {
    this.#dataLeft -= count;
    if (this.#dataLeft > 0) return;
    const [data, position] = [this.#data, this.#position];
    if (this.#lands) this.#volume.readNow!(data, position);
    else expect(this.#volume.writeNow!(data, position, false)).toBe(true);
    this.#count += 1;
    this.#answer(data, position);
  }

  #answer(data: Uint8Array, position: number): void {
    const output = this.#output;
    const volume = this.#volume;
    const straight = output.passes ? volume.straight?.(position, data.length) : undefined;
    const at = output.room(lengthBytes);
    const lent = !straight && output.lend?.(volume, position, data.length, lengthBytes) === true;
    new DataView(output.bytes.buffer, output.bytes.byteOffset).setUint32(at, data.length);
    output.commit(lengthBytes);
    if (straight) expect(output.pass!(straight, data.length)).toBe(true);
    if (straight || lent) return;
    output.bytes.set(data, output.room(data.length));
    output.commit(data.length);
  }

  drained(): void {}

  async close(): Promise<void> {}
}

const volumes = {
  async file(folder: string) {
    const size = 64 << 20;
    return fileio.open({ dev: makeFile(join(folder, 'disk'), size), size });
  },
  ramdisk: async () => ramdisk.open({ size: 64 << 20 }),
};

it.each(['file', 'ramdisk'] as const)(
  '%s: messages of all lengths, one at a time and many at once, come back as they were',
  async (kind) => {
    const folder = makeFolder(memoryFolder);
    const volume = await volumes[kind](folder);
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      new SocketTransport(socket, (output) => new Echo(output, volume));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(async () => {
      server.close();
      await volume.close();
      removeFolder(folder);
    });
    const client = new Worker(new URL('../support/echo-client.ts', import.meta.url), {
      workerData: (server.address() as AddressInfo).port,
    });
    expect(await once(client, 'message')).toEqual([true]);
  },
);
