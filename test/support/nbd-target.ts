/** A local target in this process, and clients that speak raw NBD to it over a pair of streams. */

import { duplexPair } from 'node:stream';
import { LogicalUnitExport } from '../../src/nbd/logical-unit.ts';
import { NbdServer } from '../../src/nbd/server.ts';
import type { StorageObject } from '../../src/scsi/logical-unit.ts';
import { noTraffic } from '../../src/target/traffic.ts';
import { ByteChannel } from '../../src/wire/byte-channel.ts';
import { logicalUnit, ScsiInitiator } from './logical-unit.ts';
import type { MemoryVolume } from './memory-volume.ts';

/** The server's first words: NBDMAGIC, IHAVEOPT, fixed newstyle and no zeroes. */
export const hello = '4e42444d41474943' + '49484156454f5054' + '0003';

export const u16 = (value: number): Buffer => Buffer.from([value >> 8, value]);
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
export const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
/** A string behind its length. */
export const counted = (text: string): Buffer => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]);

export interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

/** The answer to a request: an error number, or data. `chunks` are the types of structured replies. */
export interface Reply {
  readonly error: number;
  readonly data: Buffer;
  readonly chunks: readonly number[];
}

/** A client that knows the numbers and nothing else. */
export class RawClient {
  readonly channel: ByteChannel;
  #cookie = 0;

  constructor(channel: ByteChannel) {
    this.channel = channel;
  }

  async greet(flags = 3): Promise<string> {
    const greeting = await this.channel.exactly(18);
    await this.channel.send(u32(flags));
    return greeting.toString('hex');
  }

  sendOption(code: number, data: Uint8Array = Buffer.alloc(0)): Promise<void> {
    return this.channel.send(Buffer.from('IHAVEOPT'), u32(code), u32(data.length), data);
  }

  async optionReply(): Promise<OptionReply> {
    const header = await this.channel.exactly(20);
    return { type: header.readUInt32BE(12), data: await this.channel.exactly(header.readUInt32BE(16)) };
  }

  /** Sends an option. @returns its replies up to the acknowledgement or refusal, which is the last */
  async option(code: number, data?: Uint8Array): Promise<OptionReply[]> {
    await this.sendOption(code, data);
    const all: OptionReply[] = [];
    for (;;) {
      const reply = await this.optionReply();
      all.push(reply);
      if (reply.type === 1 || reply.type >= 2 ** 31) return all;
    }
  }

  /** Into the transmission phase, with structured replies and base:allocation. */
  async enter(name = 'lun0'): Promise<this> {
    await this.greet();
    await this.option(8);
    await this.option(10, Buffer.concat([counted(name), u32(1), counted('base:allocation')]));
    await this.option(7, Buffer.concat([counted(name), u16(0)]));
    return this;
  }

  async sendRequest(type: number, offset: number, length: number, data?: Uint8Array, flags = 0): Promise<number> {
    this.#cookie += 1;
    const parts = [u32(0x25609513), u16(flags), u16(type), u64(this.#cookie), u64(offset), u32(length)];
    await this.channel.send(Buffer.concat(parts), data ?? Buffer.alloc(0));
    return this.#cookie;
  }

  /** Sends a request and takes the structured replies to it. */
  async request(type: number, offset: number, length: number, data?: Uint8Array, flags?: number): Promise<Reply> {
    const cookie = await this.sendRequest(type, offset, length, data, flags);
    const chunks: number[] = [];
    let answer: Buffer = Buffer.alloc(0);
    let error = 0;
    for (;;) {
      const header = await this.channel.exactly(20);
      if (header.readUInt32BE(0) !== 0x668e33ef || header.readBigUInt64BE(8) !== BigInt(cookie))
        throw new Error(`not a reply to ${cookie}: ${header.toString('hex')}`);
      const kind = header.readUInt16BE(6);
      const payload = await this.channel.exactly(header.readUInt32BE(16));
      chunks.push(kind);
      if (kind >= 2 ** 15) error = payload.readUInt32BE(0);
      else if (kind === 1) answer = Buffer.concat([answer, payload.subarray(8)]);
      else if (kind === 5) answer = payload.subarray(4);
      if (header.readUInt16BE(4) & 1) return { error, data: answer, chunks };
    }
  }
}

/** Serves logical units as lun0, lun1 … of one nexus. @param path of the socket, once the server is open */
export function nbdTarget(units: { lu: StorageObject; volume: MemoryVolume }[] = [logicalUnit()], path = '/nowhere') {
  const initiator = new ScsiInitiator(new Map(units.map(({ lu }, i) => [i, lu])), 'local').login();
  const exports = units.map((_, i) => new LogicalUnitExport(initiator.nexus, i, noTraffic()));
  const server = new NbdServer(
    path,
    () => exports,
    (record) => logged.push(record.event),
  );
  const logged: string[] = [];
  return {
    ...units[0]!,
    initiator,
    server,
    logged,
    connect(): RawClient {
      const [ours, theirs] = duplexPair();
      void server.serve(new ByteChannel(theirs));
      return new RawClient(new ByteChannel(ours));
    },
  };
}
