/** A vhost-user front-end and the driver behind it: memory of its own that it shares, real rings, real eventfds, no guest. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { closeForeign, descriptorOf, duplicateDescriptor } from '../../src/system/descriptor.ts';
import { DescriptorSocket } from '../../src/system/descriptor-socket.ts';
import { createShared, mapShared, type SharedMemory } from '../../src/system/shared-memory.ts';
import { DriverRing, guestAddress, type Piece, ringBytes } from './vhost-driver-ring.ts';

/** Where the front-end has the memory, by its own addresses. */
export const userAddress = 0x7f00_0000_0000;
const memoryBytes = 16 * 1024 * 1024;

/** Feature bits. */
export const F = {
  hotplug: 1n << 1n,
  change: 1n << 2n,
  indirect: 1n << 28n,
  eventIndex: 1n << 29n,
  protocol: 1n << 30n,
  version1: 1n << 32n,
};
export const usualFeatures = F.version1 | F.protocol | F.hotplug | F.change | F.indirect;

export interface CommandAnswer {
  readonly response: number;
  readonly status: number;
  readonly residual: number;
  /** `5/24/00` */
  readonly sense: string;
  readonly data: Buffer;
}

const u64 = (...values: (bigint | number)[]): Buffer => {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * i);
  return bytes;
};
const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);

export class TestFrontEnd {
  readonly #socket: DescriptorSocket;
  #endWait!: () => void;
  #come = Buffer.alloc(0);
  #fds: number[] = [];
  #wake: () => void = () => {};
  hasEnded = false;
  #isClosed = false;
  #isOff = false;
  readonly memoryFd: number;
  readonly shared: SharedMemory;
  readonly memory: Buffer;
  readonly rings: DriverRing[];
  features = 0n;
  #nextBuffer: number;
  #lastId = 0n;
  /** Descriptors that came with replies. */
  readonly #given: number[] = [];

  private constructor(
    fd: number,
    kept: { memoryFd: number; rings: DriverRing[]; shared: SharedMemory } | undefined,
    sizes: readonly number[],
  ) {
    this.#socket = new DescriptorSocket(fd);
    this.memoryFd = kept?.memoryFd ?? createShared('guest', memoryBytes);
    this.shared = kept?.shared ?? mapShared(this.memoryFd, memoryBytes);
    this.memory = Buffer.from(this.shared.bytes);
    this.rings = kept?.rings ?? sizes.map((size, number) => new DriverRing(this.memory, number, size));
    this.#nextBuffer = sizes.length * ringBytes;
    this.#wait();
  }

  /** @param before one whose back-end has gone: memory and rings stay as they are */
  static async connect(
    path: string,
    sizes: readonly number[] = [16, 16, 64],
    before?: TestFrontEnd,
  ): Promise<TestFrontEnd> {
    const socket = connect(path);
    await once(socket, 'connect');
    socket.pause();
    const fd = duplicateDescriptor(descriptorOf(socket));
    socket.destroy();
    return new TestFrontEnd(fd, before, sizes);
  }

  #wait(): void {
    this.#endWait = this.#socket.whenReadable(() => this.#receive());
  }

  #receive(): void {
    const buffer = Buffer.alloc(4096);
    const received = this.#socket.receive(buffer);
    if (received === 'end') this.hasEnded = true;
    else this.#wait();
    if (typeof received === 'object') {
      this.#fds.push(...received.descriptors);
      this.#come = Buffer.concat([this.#come, buffer.subarray(0, received.bytes)]);
    }
    this.#wake();
  }

  send(
    request: number,
    payload: Uint8Array = new Uint8Array(0),
    descriptors: readonly number[] = [],
    flags = 1,
  ): boolean {
    return this.#socket.send(Buffer.concat([u32(request, flags, payload.length), payload]), descriptors);
  }

  sendRaw(bytes: Uint8Array, descriptors: readonly number[] = []): boolean {
    return this.#socket.send(bytes, descriptors);
  }

  /** The next message of the back-end. Rejects when it has closed the connection. */
  async reply(): Promise<{ request: number; payload: Buffer; descriptors: number[] }> {
    for (;;) {
      if (this.#come.length >= 12 && this.#come.length >= 12 + this.#come.readUInt32LE(8)) {
        const length = this.#come.readUInt32LE(8);
        const found = {
          request: this.#come.readUInt32LE(0),
          payload: this.#come.subarray(12, 12 + length),
          descriptors: this.#fds,
        };
        this.#come = this.#come.subarray(12 + length);
        this.#fds = [];
        return found;
      }
      if (this.hasEnded) throw new Error('the back-end has closed the connection');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async ask(request: number, payload?: Uint8Array): Promise<Buffer> {
    this.send(request, payload);
    return (await this.reply()).payload;
  }

  /** Sends a request that is acknowledged. */
  async tell(request: number, payload?: Uint8Array, descriptors: readonly number[] = []): Promise<bigint> {
    this.send(request, payload, descriptors, 1 | 8);
    return (await this.reply()).payload.readBigUInt64LE(0);
  }

  /** Resolves when the back-end has closed the connection. */
  async ended(): Promise<void> {
    while (!this.hasEnded)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  regionPayload(offset = 0): Buffer {
    return u64(0, guestAddress, memoryBytes, userAddress, offset);
  }

  /** From features to memory. */
  async negotiate(features = usualFeatures): Promise<void> {
    this.features = features;
    await this.ask(1);
    await this.ask(15);
    this.send(16, u64((1n << 0n) | (1n << 3n) | (1n << 12n) | (1n << 13n) | (1n << 15n)));
    this.send(3);
    this.send(2, u64(features));
    await this.tell(37, this.regionPayload(), [this.memoryFd]);
  }

  /** Describes a ring and starts it. @param base of a ring that ran before */
  async startRing(ring: DriverRing, base = 0): Promise<void> {
    this.send(8, u32(ring.number, ring.size));
    this.send(10, u32(ring.number, base));
    this.send(
      9,
      Buffer.concat([
        u32(ring.number, 0),
        u64(userAddress + ring.descriptors, userAddress + ring.usedRing, userAddress + ring.availableRing, 0),
      ]),
    );
    this.send(13, u64(ring.number), [ring.call]);
    this.send(12, u64(ring.number), [ring.kick]);
    if ((this.features & F.protocol) !== 0n) await this.tell(18, u32(ring.number, 1));
  }

  async start(features = usualFeatures): Promise<this> {
    await this.negotiate(features);
    for (const ring of this.rings) await this.startRing(ring);
    return this;
  }

  /** A place for so many bytes that nobody else has; they come round again when the memory is used up. */
  place(length: number): number {
    const aligned = Math.ceil(length / 64) * 64;
    if (this.#nextBuffer + aligned > memoryBytes) this.#nextBuffer = this.rings.length * ringBytes;
    const at = this.#nextBuffer;
    this.#nextBuffer += aligned;
    return at;
  }

  /** Writes over all that lies outside of the rings. */
  fillBuffers(byte: number): void {
    this.memory.fill(byte, this.rings.length * ringBytes);
  }

  /** Writes a command of 51 bytes. @returns where */
  header(cdb: readonly number[], { lun = 0, target = 1, attribute = 0, id = ++this.#lastId } = {}): number {
    const at = this.place(51);
    this.memory.fill(0, at, at + 51);
    this.memory.set([1, target, 0x40 | (lun >> 8), lun & 0xff], at);
    this.memory.writeBigUInt64LE(BigInt(id), at + 8);
    this.memory[at + 16] = attribute;
    this.memory.set(cdb, at + 19);
    return at;
  }

  /** Sends a command, its data cut into pieces of `piece` bytes. */
  command(
    cdb: readonly number[],
    {
      dataOut = new Uint8Array(0),
      dataIn = 0,
      piece = Number.POSITIVE_INFINITY,
      indirect = false,
      ring = this.rings[2]!,
      kick = true,
      ...address
    }: {
      dataOut?: Uint8Array;
      dataIn?: number;
      piece?: number;
      indirect?: boolean;
      ring?: DriverRing;
      kick?: boolean;
      lun?: number;
      target?: number;
      attribute?: number;
      id?: bigint;
    } = {},
  ): Promise<CommandAnswer> {
    const header = this.header(cdb, address);
    const response = this.place(108);
    this.memory.fill(0xee, response, response + 108);
    const outAt = this.place(dataOut.length);
    this.memory.set(dataOut, outAt);
    const inAt = this.place(dataIn);
    const cut = (at: number, length: number, writes: boolean): Piece[] => {
      const pieces: Piece[] = [];
      for (let done = 0; done < length; done += Math.min(piece, length - done))
        pieces.push({ at: at + done, length: Math.min(piece, length - done), writes });
      return pieces;
    };
    const pieces = [
      { at: header, length: 51 },
      ...cut(outAt, dataOut.length, false),
      { at: response, length: 108, writes: true },
      ...cut(inAt, dataIn, true),
    ];
    const done = ring.add(pieces, indirect ? this.place(16 * pieces.length) : undefined);
    if (kick) ring.kickNow();
    return done.then((written) => {
      const bytes = Buffer.from(this.memory.subarray(response, response + 108));
      const sense = bytes.subarray(12, 12 + bytes.readUInt32LE(0));
      const hex = (value = 0) => value.toString(16).padStart(2, '0');
      return {
        response: bytes[11]!,
        status: bytes[10]!,
        residual: bytes.readUInt32LE(4),
        sense: sense.length > 13 ? `${(sense[2]! & 15).toString(16)}/${hex(sense[12])}/${hex(sense[13])}` : '',
        data: Buffer.from(this.memory.subarray(inAt, inAt + Math.max(0, written - 108))),
      };
    });
  }

  /** Task management. @returns the response */
  async manage(subtype: number, { lun = 0, target = 1, id = 0n } = {}): Promise<number> {
    const at = this.place(24);
    this.memory.fill(0, at, at + 24);
    this.memory.writeUInt32LE(subtype, at + 4);
    this.memory.set([1, target, 0x40 | (lun >> 8), lun & 0xff], at + 8);
    this.memory.writeBigUInt64LE(id, at + 16);
    const answer = this.place(1);
    const [control] = this.rings;
    const done = control!.add([
      { at, length: 24 },
      { at: answer, length: 1, writes: true },
    ]);
    control!.kickNow();
    await done;
    return this.memory[answer]!;
  }

  /** Gives the device room for an event. @returns what resolves with it */
  async event(): Promise<{ what: number; lun: number[]; reason: number }> {
    const at = this.place(16);
    const ring = this.rings[1]!;
    const done = ring.add([{ at, length: 16, writes: true }]);
    ring.kickNow();
    await done;
    return {
      what: this.memory.readUInt32LE(at),
      lun: [...this.memory.subarray(at + 4, at + 8)],
      reason: this.memory.readUInt32LE(at + 12),
    };
  }

  /** Stops a ring. @returns its next available entry */
  async stopRing(ring: DriverRing): Promise<number> {
    return (await this.ask(11, u32(ring.number, 0))).readUInt32LE(4);
  }

  /** The memory for requests in flight, which the back-end makes. It has to be asked for before rings are started. */
  async inflight(queues: number, queueSize: number): Promise<{ description: Buffer; fd: number }> {
    this.send(31, Buffer.concat([u64(0, 0), Buffer.from(Uint16Array.of(queues, queueSize, 0, 0).buffer)]));
    const { payload, descriptors } = await this.reply();
    this.#given.push(...descriptors);
    return { description: payload, fd: descriptors[0]! };
  }

  /** Goes away; memory and rings stay for another. */
  disconnect(): void {
    if (this.#isOff) return;
    this.#isOff = true;
    this.#endWait();
    this.hasEnded = true;
    closeForeign(this.#socket.fd);
  }

  close(): void {
    this.disconnect();
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const ring of this.rings) ring.close();
    for (const fd of [this.memoryFd, ...this.#given]) closeForeign(fd);
    this.shared.unmap();
  }
}
