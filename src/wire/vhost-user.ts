/**
 * The vhost-user protocol (QEMU, docs/interop/vhost-user.rst): how a virtual machine monitor, the front-end, tells a back-end
 * where a device's queues lie in the guest's memory. Both run on this machine: numbers are little-endian here, as its own are.
 *
 *     front-end                           back-end
 *     request, descriptors ->
 *                                         <- reply, where the request has one or asks for one
 */

import { decode, encode, exactLittle64, little16, little32, little64, record, type Values } from './layout.ts';

/** The header before every payload. */
export const messageHeader = record(12, { request: little32(0), flags: little32(4), payloadBytes: little32(8) });
/** Longest payload of a request here: a table of `regionsMax` regions. */
export const payloadBytesMax = 1024;
/** Regions in one SET_MEM_TABLE, which has room for no more. */
const regionsMax = 8;

/** The flags of a header. */
export const headerFlag = { versionMask: 3, version: 1, reply: 4, needReply: 8 } as const;

/** Requests of the front-end that a back-end for SCSI may get, by number. */
export const requests = {
  getFeatures: 1,
  setFeatures: 2,
  setOwner: 3,
  resetOwner: 4,
  setMemTable: 5,
  setVringNum: 8,
  setVringAddr: 9,
  setVringBase: 10,
  getVringBase: 11,
  setVringKick: 12,
  setVringCall: 13,
  setVringErr: 14,
  getProtocolFeatures: 15,
  setProtocolFeatures: 16,
  getQueueNum: 17,
  setVringEnable: 18,
  getInflightFd: 31,
  setInflightFd: 32,
  resetDevice: 34,
  getMaxMemSlots: 36,
  addMemReg: 37,
  remMemReg: 38,
} as const;

/** Bits of the protocol features. */
export const protocolFeature = {
  mq: 1n << 0n,
  replyAck: 1n << 3n,
  inflightShmfd: 1n << 12n,
  resetDevice: 1n << 13n,
  configureMemSlots: 1n << 15n,
} as const;

/** The value of SET_VRING_KICK, CALL and ERR: the ring in bits 0 to 7, and whether there is no descriptor. */
export const vringDescriptor = { ringMask: 0xffn, none: 1n << 8n } as const;

/** A whole message of the back-end. */
export const replyTo = (request: number, payload: Uint8Array): Buffer =>
  encode(
    messageHeader,
    { request, flags: headerFlag.version | headerFlag.reply, payloadBytes: payload.length },
    payload,
  );

/** The payload of requests that have one number. */
export const numberPayload = record(8, { value: exactLittle64(0) });

/** SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ENABLE, GET_VRING_BASE. */
export const ringState = record(8, { ring: little32(0), value: little32(4) });

/** SET_VRING_ADDR: where the parts of a ring lie, by the front-end's own addresses; behind them, where a log would. */
export const ringAddresses = record(40, {
  ring: little32(0),
  flags: little32(4),
  descriptors: little64(8),
  used: little64(16),
  available: little64(24),
});

/** A piece of the guest's memory: bytes `offset` to `offset + size` of the descriptor that comes with it. */
export interface RegionDescription {
  /** Where the guest has it, and where the front-end. */
  readonly guest: number;
  readonly user: number;
  readonly size: number;
  readonly offset: number;
}

const region = record(32, { guest: little64(0), size: little64(8), user: little64(16), offset: little64(24) });
/** A table begins with the number of its regions, a single region with eight bytes of nothing. */
const tableHeader = record(8, { regions: little32(0) });

/** SET_MEM_TABLE. Undefined when its length does not fit. */
export function readRegions(payload: Buffer): RegionDescription[] | undefined {
  if (payload.length < tableHeader.length) return undefined;
  const { regions: count } = decode(tableHeader, payload);
  if (count > regionsMax || payload.length < tableHeader.length + count * region.length) return undefined;
  return Array.from({ length: count }, (_, i) => decode(region, payload, tableHeader.length + i * region.length));
}

/** ADD_MEM_REG and REM_MEM_REG. */
export const singleRegionBytes = tableHeader.length + region.length;

/** The region that ADD_MEM_REG or REM_MEM_REG names. */
export const readSingleRegion = (payload: Buffer): RegionDescription => decode(region, payload, tableHeader.length);

/** GET_INFLIGHT_FD and SET_INFLIGHT_FD: memory for the requests in flight of so many queues of one size. Four bytes of padding. */
export const inflightDescription = record(24, {
  bytes: little64(0),
  offset: little64(8),
  queues: little16(16),
  queueSize: little16(18),
});

/** The values of an `inflightDescription`. */
export type InflightDescription = Values<(typeof inflightDescription)['fields']>;
