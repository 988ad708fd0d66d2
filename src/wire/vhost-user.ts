/**
 * The vhost-user protocol (QEMU, docs/interop/vhost-user.rst): how a virtual machine monitor, the front-end, tells a back-end
 * where a device's queues lie in the guest's memory. Both run on this machine: numbers are little-endian here, as its own are.
 *
 *     front-end                           back-end
 *     request, descriptors ->
 *                                         <- reply, where the request has one or asks for one
 */

/** Request, flags, bytes of payload: four bytes each. */
export const headerBytes = 12;
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

/** Of SET_VRING_KICK, CALL and ERR: the ring in bits 0 to 7, and whether there is no descriptor. */
export const vringDescriptor = { ringMask: 0xffn, none: 1n << 8n } as const;

/** What stands before every payload. */
export interface Header {
  readonly request: number;
  readonly flags: number;
  readonly payloadBytes: number;
}

/** The header of a message. */
export const readHeader = (bytes: Buffer): Header => ({
  request: bytes.readUInt32LE(0),
  flags: bytes.readUInt32LE(4),
  payloadBytes: bytes.readUInt32LE(8),
});

/** A whole message of the back-end. */
export function replyTo(request: number, payload: Uint8Array): Buffer {
  const message = Buffer.alloc(headerBytes + payload.length);
  message.writeUInt32LE(request, 0);
  message.writeUInt32LE(headerFlag.version | headerFlag.reply, 4);
  message.writeUInt32LE(payload.length, 8);
  message.set(payload, headerBytes);
  return message;
}

/** The requests whose payload is one number. */
export const numberBytes = 8;
export const readNumber = (payload: Buffer): bigint => payload.readBigUInt64LE(0);
export function writeNumber(value: bigint): Buffer {
  const payload = Buffer.alloc(numberBytes);
  payload.writeBigUInt64LE(value, 0);
  return payload;
}

/** SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ENABLE, GET_VRING_BASE. */
export const ringStateBytes = 8;
export const readRingState = (payload: Buffer) => ({ ring: payload.readUInt32LE(0), value: payload.readUInt32LE(4) });
export function writeRingState(ring: number, value: number): Buffer {
  const payload = Buffer.alloc(ringStateBytes);
  payload.writeUInt32LE(ring, 0);
  payload.writeUInt32LE(value, 4);
  return payload;
}

/** SET_VRING_ADDR: where the parts of a ring lie, by the front-end's own addresses. */
export const ringAddressBytes = 40;
export const readRingAddresses = (payload: Buffer) => ({
  ring: payload.readUInt32LE(0),
  flags: payload.readUInt32LE(4),
  descriptors: numberAt(payload, 8),
  used: numberAt(payload, 16),
  available: numberAt(payload, 24),
});

/** A piece of the guest's memory: bytes `offset` to `offset + size` of the descriptor that comes with it. */
export interface RegionDescription {
  /** Where the guest has it, and where the front-end. */
  readonly guest: number;
  readonly user: number;
  readonly size: number;
  readonly offset: number;
}

const regionBytes = 32;
/** A table begins with the number of its regions, a single region with eight bytes of nothing. */
const regionsStart = 8;

const readRegion = (payload: Buffer, at: number): RegionDescription => ({
  guest: numberAt(payload, at),
  size: numberAt(payload, at + 8),
  user: numberAt(payload, at + 16),
  offset: numberAt(payload, at + 24),
});

/** SET_MEM_TABLE. Undefined when its length does not fit. */
export function readRegions(payload: Buffer): RegionDescription[] | undefined {
  const count = payload.length < regionsStart ? regionsMax + 1 : payload.readUInt32LE(0);
  if (count > regionsMax || payload.length < regionsStart + count * regionBytes) return undefined;
  return Array.from({ length: count }, (_, i) => readRegion(payload, regionsStart + i * regionBytes));
}

/** ADD_MEM_REG and REM_MEM_REG. */
export const singleRegionBytes = regionsStart + regionBytes;
export const readSingleRegion = (payload: Buffer): RegionDescription => readRegion(payload, regionsStart);

/** GET_INFLIGHT_FD and SET_INFLIGHT_FD: memory for the requests in flight of so many queues of one size. */
export interface InflightDescription {
  readonly bytes: number;
  readonly offset: number;
  readonly queues: number;
  readonly queueSize: number;
}

/** Four bytes at the end are padding. */
export const inflightBytes = 24;
export const readInflight = (payload: Buffer): InflightDescription => ({
  bytes: numberAt(payload, 0),
  offset: numberAt(payload, 8),
  queues: payload.readUInt16LE(16),
  queueSize: payload.readUInt16LE(18),
});
export function writeInflight({ bytes, offset, queues, queueSize }: InflightDescription): Buffer {
  const payload = Buffer.alloc(inflightBytes);
  payload.writeBigUInt64LE(BigInt(bytes), 0);
  payload.writeBigUInt64LE(BigInt(offset), 8);
  payload.writeUInt16LE(queues, 16);
  payload.writeUInt16LE(queueSize, 18);
  return payload;
}

/** An address or a length. Above 2^53 it is rounded: nobody has memory there. */
const numberAt = (payload: Buffer, at: number): number => Number(payload.readBigUInt64LE(at));
