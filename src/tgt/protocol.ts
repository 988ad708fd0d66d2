/**
 * The words of tgtd's management socket, in this machine's byte order. A request is a header of 120 bytes and a text, its
 * answer a header of 8 bytes and a text that ends with a NUL:
 *
 *     request   mode op  lld…  len tid sid lun cid host device_type ac_dir pack force
 *     at        0    4   8     72  76  80  88  96  100  104         108    112  116
 *     answer    err len
 */

import { endianness } from 'node:os';

/** The socket of tgtd N: `TGT_IPC_SOCKET` stands for all before the number. */
export const tgtSocketOf = (number: number, environment: NodeJS.ProcessEnv): string =>
  `${environment['TGT_IPC_SOCKET'] || '/var/run/tgtd/socket'}.${number}`;

/** The release of tgt whose protocol this is. */
export const tgtVersion = '1.0.85';

/** The length of a header. */
export const requestHeaderBytes = 120;
const requestTextBytesMax = 8192;
const answerHeaderBytes = 8;
const lldBytes = 64;

/** The subjects of requests, by number. */
export const modes = ['system', 'target', 'unit', 'portal', 'lld', 'session', 'connection', 'account'] as const;
export type Mode = (typeof modes)[number];

/** The operations on them, by number. */
export const operations = ['new', 'delete', 'show', 'bind', 'unbind', 'update', 'stat', 'start', 'stop'] as const;
export type RequestOperation = (typeof operations)[number];

/** Types of device, by the number that SPC-4 gives them; `pt` is tgt's own. */
export const deviceTypes: Readonly<Record<number, string>> = {
  0: 'disk',
  1: 'tape',
  5: 'cd',
  8: 'changer',
  17: 'osd',
  255: 'pt',
};

/** A request as its header and text have it. */
export interface Request {
  /** The mode; undefined: a number that has no meaning. */
  readonly mode: Mode | undefined;
  readonly op: RequestOperation | undefined;
  /** The driver; '' is the first one. */
  readonly lld: string;
  /** The number of the target; below 0: none. */
  readonly tid: number;
  readonly sid: number;
  /** The LUN; undefined: none. */
  readonly lun: number | undefined;
  readonly cid: number;
  readonly deviceType: number;
  readonly outgoing: boolean;
  readonly force: boolean;
  readonly text: string;
}

const little = endianness() === 'LE';

/** The bytes of the whole request; undefined for a length that no request has. */
export function requestBytes(header: Buffer): number | undefined {
  const length = u32(header, 72);
  return length >= requestHeaderBytes && length <= requestHeaderBytes + requestTextBytesMax ? length : undefined;
}

/** The request that bytes hold. */
export function readRequest(bytes: Buffer): Request {
  const lun = u64(bytes, 88);
  return {
    mode: modes[u32(bytes, 0)],
    op: operations[u32(bytes, 4)],
    lld: untilNul(bytes.subarray(8, 8 + lldBytes)),
    tid: u32(bytes, 76) | 0,
    sid: Number(u64(bytes, 80)),
    lun: lun === noLun ? undefined : Number(lun),
    cid: u32(bytes, 96),
    deviceType: u32(bytes, 104),
    outgoing: u32(bytes, 108) === 1,
    force: u32(bytes, 116) !== 0,
    text: untilNul(bytes.subarray(requestHeaderBytes)),
  };
}

/** Writes an answer. @param text undefined: there is none, not even an empty one */
export function writeAnswer(err: number, text: string | undefined): Buffer {
  const body = text === undefined ? Buffer.alloc(0) : Buffer.from(`${text}\0`);
  const header = Buffer.alloc(answerHeaderBytes);
  setU32(header, 0, err);
  setU32(header, 4, answerHeaderBytes + body.length);
  return Buffer.concat([header, body]);
}

/** The words of a request; those that are left out have tgtadm's values. */
export interface RequestWords extends Partial<Omit<Request, 'mode' | 'op'>> {
  readonly mode: Mode;
  readonly op: RequestOperation;
  readonly hostNumber?: number;
}

/** The bytes of a request. */
export function writeRequest({ mode, op, ...words }: RequestWords): Buffer {
  const text = Buffer.from(words.text ? `${words.text}\0` : '');
  const header = Buffer.alloc(requestHeaderBytes);
  setU32(header, 0, modes.indexOf(mode));
  setU32(header, 4, operations.indexOf(op));
  header.write((words.lld ?? '').slice(0, lldBytes), 8);
  setU32(header, 72, header.length + text.length);
  setU32(header, 76, (words.tid ?? -1) >>> 0);
  setU64(header, 80, BigInt(words.sid ?? 0));
  setU64(header, 88, words.lun === undefined ? noLun : BigInt(words.lun));
  setU32(header, 96, words.cid ?? 0);
  setU32(header, 100, words.hostNumber ?? 0);
  setU32(header, 104, words.deviceType ?? 0);
  setU32(header, 108, words.outgoing ? 1 : 0);
  setU32(header, 116, words.force ? 1 : 0);
  return Buffer.concat([header, text]);
}

/** A whole answer, or undefined while more is to come. */
export function readAnswer(bytes: Buffer): { readonly err: number; readonly text: string } | undefined {
  if (bytes.length < answerHeaderBytes || bytes.length < u32(bytes, 4)) return undefined;
  return { err: u32(bytes, 0), text: untilNul(bytes.subarray(answerHeaderBytes, u32(bytes, 4))) };
}

const noLun = 0xffff_ffff_ffff_ffffn;

const u32 = (bytes: Buffer, at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
const u64 = (bytes: Buffer, at: number): bigint => (little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
const setU64 = (bytes: Buffer, at: number, value: bigint) =>
  little ? bytes.writeBigUInt64LE(value, at) : bytes.writeBigUInt64BE(value, at);
const setU32 = (bytes: Buffer, at: number, value: number) =>
  little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at);

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** The refusals by the number in their answer; tgtadm prints these words. */
export const refusals = {
  unknown: [1, 'unknown error'],
  noMemory: [2, 'out of memory'],
  noDriver: [3, "can't find the driver"],
  noTarget: [4, "can't find the target"],
  noUnit: [5, "can't find the logical unit"],
  noSession: [6, "can't find the session"],
  noConnection: [7, "can't find the connection"],
  noBinding: [8, "can't find the binding"],
  targetExists: [9, 'this target already exists'],
  unitExists: [10, 'this logical unit number already exists'],
  bindingExists: [11, 'this binding already exists'],
  ruleExists: [12, 'this access control rule already exists'],
  noRule: [13, 'this access control rule does not exist'],
  accountExists: [14, 'this account already exists'],
  noAccount: [15, "can't find the account"],
  tooManyAccounts: [16, 'too many accounts'],
  invalid: [17, 'invalid request'],
  outgoingExists: [18, 'this target already has an outgoing account'],
  targetActive: [19, 'this target is still active'],
  unitActive: [20, 'this logical unit is still active'],
  driverActive: [21, 'this driver is busy'],
  unsupported: [22, "this operation isn't supported"],
  unknownParameter: [23, 'unknown parameter'],
  removalPrevented: [24, 'this device has Prevent Removal set'],
} as const satisfies Record<string, readonly [number, string]>;

/** Ends a request that is refused. */
export class Refusal extends Error {
  readonly number: number;

  /** @param reason for the log, besides the refusal */
  constructor(why: keyof typeof refusals, reason?: string) {
    const [number, message] = refusals[why];
    super(reason ?? message);
    this.number = number;
  }
}
