/**
 * Every PDU of RFC 7143 11, each one declaration: opcode, sender and the fields of its basic header segment.
 *
 *   byte 0   . I opcode    4  TotalAHSLength      16  InitiatorTaskTag
 *        1   F …           5  DataSegmentLength   20  opcode-specific
 *        2   …             8  LUN or opcode-specific       to 47
 */

import {
  bit,
  bits,
  counting,
  decode,
  encodeInto,
  type Fields,
  type Layout,
  little32,
  octets,
  record,
  u8,
  u16,
  u24,
  u32,
  type Values,
} from '../wire/layout.ts';

export const headerBytes = 48;
export const digestBytes = 4;
/** RFC 7143 13.1: a digest stands least byte first. */
export const digest = little32(0);
/** The task tag that means "no task" (RFC 7143 11.2.1.8). */
export const noTag = 0xffffffff;

/** The fields of every header (RFC 7143 11.2.1). */
const common = {
  immediate: bit(0, 0x40),
  opcode: bits(0, 0x3f),
  totalAhsLength: u8(4),
  dataSegmentLength: u24(5),
  initiatorTaskTag: u32(16),
};

const lun = { lun: octets(8, 8) };
const final = { final: bit(1, 0x80) };
const more = { final: bit(1, 0x80), continue: bit(1, 0x40) };
const isid = { isid: octets(8, 6), tsih: u16(14) };
const stages = { transit: bit(1, 0x80), continue: bit(1, 0x40), currentStage: bits(1, 0x0c), nextStage: bits(1, 0x03) };
const transferTag = { targetTransferTag: u32(20) };
const fromInitiator = { cmdSn: u32(24), expStatSn: u32(28) };
const fromTarget = { statSn: u32(24), expCmdSn: u32(28), maxCmdSn: u32(32) };
const residuals = { overflow: bit(1, 0x04), underflow: bit(1, 0x02), residualCount: u32(44) };

/** The declaration of one PDU. */
export interface Pdu<F extends Fields> extends Layout<F & typeof common> {
  readonly opcode: number;
  readonly name: string;
  /** A header of zeros but for the opcode. */
  readonly blank: Uint8Array;
}

const pdu = <F extends Fields>(opcode: number, name: string, fields: F): Pdu<F> => ({
  opcode,
  name,
  ...record(headerBytes, { ...common, ...fields }),
  blank: Uint8Array.from({ length: headerBytes }, (_, at) => (at === 0 ? opcode : 0)),
});

// The requests of an initiator, in the order of their opcodes.
/** RFC 7143 11.18. */
export const nopOut = pdu(0x00, 'NOP-Out', { ...final, ...lun, ...transferTag, ...fromInitiator });
/** RFC 7143 11.3. */
export const scsiCommand = pdu(0x01, 'SCSI Command', {
  ...final,
  read: bit(1, 0x40),
  write: bit(1, 0x20),
  attribute: bits(1, 0x07),
  ...lun,
  expectedDataTransferLength: u32(20),
  ...fromInitiator,
  cdb: octets(32, 16),
});
/** RFC 7143 11.5. */
export const taskManagementRequest = pdu(0x02, 'Task Management Function Request', {
  ...final,
  function: bits(1, 0x7f),
  ...lun,
  referencedTaskTag: u32(20),
  ...fromInitiator,
  refCmdSn: u32(32),
  expDataSn: u32(36),
});
/** RFC 7143 11.12. */
export const loginRequest = pdu(0x03, 'Login Request', {
  ...stages,
  versionMax: u8(2),
  versionMin: u8(3),
  ...isid,
  cid: u16(20),
  ...fromInitiator,
});
/** RFC 7143 11.10. */
export const textRequest = pdu(0x04, 'Text Request', { ...more, ...lun, ...transferTag, ...fromInitiator });
/** RFC 7143 11.7. */
export const dataOut = pdu(0x05, 'SCSI Data-Out', {
  ...final,
  ...lun,
  ...transferTag,
  expStatSn: u32(28),
  dataSn: u32(36),
  bufferOffset: u32(40),
});
/** RFC 7143 11.14. */
export const logoutRequest = pdu(0x06, 'Logout Request', {
  ...final,
  reason: bits(1, 0x7f),
  cid: u16(20),
  ...fromInitiator,
});
/** RFC 7143 11.16. */
export const snackRequest = pdu(0x10, 'SNACK Request', {
  ...final,
  type: bits(1, 0x0f),
  ...lun,
  ...transferTag,
  expStatSn: u32(28),
  begRun: u32(40),
  runLength: u32(44),
});

// The PDUs of a target, in the order of their opcodes.
/** RFC 7143 11.19. */
export const nopIn = pdu(0x20, 'NOP-In', { ...final, ...lun, ...transferTag, ...fromTarget });
/** RFC 7143 11.4. */
export const scsiResponse = pdu(0x21, 'SCSI Response', {
  ...final,
  ...residuals,
  response: u8(2),
  status: u8(3),
  ...fromTarget,
  expDataSn: u32(36),
});
/** RFC 7143 11.6. */
export const taskManagementResponse = pdu(0x22, 'Task Management Function Response', {
  ...final,
  response: u8(2),
  ...fromTarget,
});
/** RFC 7143 11.13. */
export const loginResponse = pdu(0x23, 'Login Response', {
  ...stages,
  versionMax: u8(2),
  versionActive: u8(3),
  ...isid,
  ...fromTarget,
  statusClass: u8(36),
  statusDetail: u8(37),
});
/** RFC 7143 11.11. */
export const textResponse = pdu(0x24, 'Text Response', { ...more, ...lun, ...transferTag, ...fromTarget });
/** RFC 7143 11.7. */
export const dataIn = pdu(0x25, 'SCSI Data-In', {
  ...final,
  acknowledge: bit(1, 0x40),
  ...residuals,
  hasStatus: bit(1, 0x01),
  status: u8(3),
  ...lun,
  ...transferTag,
  ...fromTarget,
  dataSn: u32(36),
  bufferOffset: u32(40),
});
/** RFC 7143 11.15. */
export const logoutResponse = pdu(0x26, 'Logout Response', {
  ...final,
  response: u8(2),
  ...fromTarget,
  time2Wait: u16(40),
  time2Retain: u16(42),
});
/** RFC 7143 11.8. */
export const readyToTransfer = pdu(0x31, 'Ready To Transfer', {
  ...final,
  ...lun,
  ...transferTag,
  ...fromTarget,
  r2tSn: u32(36),
  bufferOffset: u32(40),
  desiredDataTransferLength: u32(44),
});
/** RFC 7143 11.9. */
export const asyncMessage = pdu(0x32, 'Asynchronous Message', {
  ...final,
  ...lun,
  ...fromTarget,
  asyncEvent: u8(36),
  asyncVCode: u8(37),
  parameter1: u16(38),
  parameter2: u16(40),
  parameter3: u16(42),
});
/** RFC 7143 11.17. */
export const reject = pdu(0x3f, 'Reject', { ...final, reason: u8(2), ...fromTarget, dataSn: u32(36) });

/** An additional header segment (RFC 7143 11.2.2): its length counts the bytes behind the type. */
export const additionalHeader = record(3, { length: counting(u16(0), 3), type: u8(2) });

/** The data of a SCSI Response and of a SCSI event: SenseLength, then the sense data (RFC 7143 11.4.7, 11.9.4). */
export const senseSegment = record(2, { length: counting(u16(0)) });

/** The fields that all PDUs share, for reading a header whose opcode is not known yet. */
export const header = common;
/** The LUN field in two numbers: a copy costs less than eight bytes. */
export const lunHalves = { high: u32(8), low: u32(12) };
/** The numbers that every answer carries (RFC 7143 4.2.2). */
export const numbers = fromTarget;
/** The fields that all numbered requests share (RFC 7143 4.2.2.1). */
export const numbered = { ...common, ...fromInitiator };

/** Bytes of padding after `length` bytes: segments end on 4 bytes (RFC 7143 11.1). */
export const padding = (length: number): number => -length & 3;

/** All PDUs by opcode. */
export const pdus: ReadonlyMap<number, Pdu<Fields>> = new Map(
  [
    nopOut,
    scsiCommand,
    taskManagementRequest,
    loginRequest,
    textRequest,
    dataOut,
    logoutRequest,
    snackRequest,
    nopIn,
    scsiResponse,
    taskManagementResponse,
    loginResponse,
    textResponse,
    dataIn,
    logoutResponse,
    readyToTransfer,
    asyncMessage,
    reject,
  ].map((one) => [one.opcode, one as Pdu<Fields>]),
);

/** A header made of `values`; all other bits are 0. */
export function encodePdu<F extends Fields>(one: Pdu<F>, values: Partial<Values<F & typeof common>>): Uint8Array {
  const bytes = one.blank.slice();
  encodeInto(one, bytes, 0, values);
  return bytes;
}

/** The values of a header that stands at `start`. */
export const decodePdu = <F extends Fields>(one: Pdu<F>, bytes: Uint8Array, start = 0): Values<F & typeof common> =>
  decode(one, bytes, start);
