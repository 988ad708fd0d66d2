/** Requests of tgtd's management socket, given to the process without a socket. */

import { endianness } from 'node:os';
import type { LogRecord } from '../../src/log.ts';
import type { Host } from '../../src/root/host.ts';
import type { Desk } from '../../src/tgt/change.ts';
import { defaultPortals } from '../../src/tgt/portal-requests.ts';
import { deviceTypes, type Mode, modes, operations, type RequestOperation } from '../../src/tgt/protocol.ts';
import { answerTo } from '../../src/tgt/requests.ts';
import { TargetNumbers } from '../../src/tgt/view.ts';

export interface RequestWords {
  readonly tid?: number;
  readonly lun?: number;
  readonly sid?: number;
  readonly lld?: string;
  readonly type?: string;
  readonly outgoing?: boolean;
  readonly force?: boolean;
  readonly text?: string;
}

/** A request as tgtadm writes it. */
export function requestBytesOf(mode: Mode, op: RequestOperation, words: RequestWords = {}): Buffer {
  const text = Buffer.from(words.text === undefined ? '' : `${words.text}\0`);
  const header = Buffer.alloc(120);
  const view = new DataView(header.buffer, header.byteOffset);
  const little = endianness() === 'LE';
  const u32 = (at: number, value: number) => view.setUint32(at, value, little);
  u32(0, modes.indexOf(mode));
  u32(4, operations.indexOf(op));
  header.write(words.lld ?? 'iscsi', 8);
  u32(72, header.length + text.length);
  view.setInt32(76, words.tid ?? -1, little);
  view.setBigUint64(80, BigInt(words.sid ?? 0), little);
  view.setBigUint64(88, words.lun === undefined ? 0xffff_ffff_ffff_ffffn : BigInt(words.lun), little);
  u32(104, Number(Object.keys(deviceTypes).find((type) => deviceTypes[Number(type)] === (words.type ?? 'disk'))));
  u32(108, words.outgoing ? 1 : 0);
  u32(116, words.force ? 1 : 0);
  return Buffer.concat([header, text]);
}

export class TgtClient {
  readonly desk: Desk;
  readonly logged: LogRecord[] = [];
  stopped = false;

  constructor(host: Host) {
    this.desk = {
      host,
      numbers: new TargetNumbers(),
      portals: [...defaultPortals],
      system: { online: true, debug: false },
      stop: () => {
        this.stopped = true;
      },
    };
  }

  /** @returns the error number, or what tgtadm would print */
  async ask(mode: Mode, op: RequestOperation, words: RequestWords = {}): Promise<number | string> {
    const answer = await answerTo(this.desk, requestBytesOf(mode, op, words), (record) => this.logged.push(record));
    const [err, length] =
      endianness() === 'LE'
        ? [answer.readUInt32LE(0), answer.readUInt32LE(4)]
        : [answer.readUInt32BE(0), answer.readUInt32BE(4)];
    if (length !== answer.length) throw new Error(`the answer says ${length} bytes and has ${answer.length}`);
    return err || answer.toString('utf8', 8, Math.max(8, answer.length - 1));
  }
}
