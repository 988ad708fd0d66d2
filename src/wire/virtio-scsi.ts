/** virtio-scsi (VIRTIO 1.2 clause 5.6): what lies in the buffers of its queues, and the features that concern it. Little-endian. */

/** Queues 0 and 1; all others are for commands. */
export const queue = { control: 0, event: 1, firstRequest: 2 } as const;

/** Feature bits: of virtio-scsi (5.6.3), of rings (6), of vhost-user. */
export const feature = {
  hotplug: 1n << 1n,
  change: 1n << 2n,
  indirectDescriptors: 1n << 28n,
  eventIndex: 1n << 29n,
  protocolFeatures: 1n << 30n,
  version1: 1n << 32n,
} as const;

/** A command (5.6.6.1): LUN, identifier, task attribute, priority, CRN, and a CDB of 32 bytes. Then its data-out. */
export const commandBytes = 51;
export const command = { lun: 0, id: 8, attribute: 16, cdb: 19 } as const;

/** Its response: length of sense, residual, status qualifier, status, response, and 96 bytes of sense. Then its data-in. */
export const responseBytes = 108;
const senseBytesMax = 96;
const response = { senseLength: 0, residual: 4, status: 10, code: 11, sense: 12 } as const;

/** 5.6.6.1, 5.6.6.2 */
export const responses = {
  ok: 0,
  overrun: 1,
  aborted: 2,
  badTarget: 3,
  reset: 4,
  failure: 9,
  functionSucceeded: 10,
  functionRejected: 11,
  incorrectLun: 12,
} as const;

/** Writes a response, but for what is 0 already. @param into `responseBytes` of zeros */
export function putResponse(
  into: Uint8Array,
  code: number,
  status: number,
  residual: number,
  sense: Uint8Array | undefined,
): void {
  into[response.residual] = residual;
  into[response.residual + 1] = residual >>> 8;
  into[response.residual + 2] = residual >>> 16;
  into[response.residual + 3] = residual >>> 24;
  into[response.status] = status;
  into[response.code] = code;
  if (!sense) return;
  const length = Math.min(sense.length, senseBytesMax);
  into[response.senseLength] = length;
  into.set(length === sense.length ? sense : sense.subarray(0, length), response.sense);
}

/** Control requests (5.6.6.2) begin with their type; task management then has a subtype, a LUN and the identifier of a task. */
export const controlType = { taskManagement: 0, asyncNotificationQuery: 1, asyncNotificationSubscribe: 2 } as const;
export const taskManagementBytes = 24;
export const taskManagement = { subtype: 4, lun: 8, id: 16 } as const;
export const functions = {
  abortTask: 0,
  abortTaskSet: 1,
  clearAca: 2,
  clearTaskSet: 3,
  nexusReset: 4,
  logicalUnitReset: 5,
  queryTask: 6,
  queryTaskSet: 7,
} as const;
/** Type, LUN, and the events that are asked for; the answer has those that will come, and a response. */
export const notificationBytes = 16;
export const notificationAnswerBytes = 5;

/** An event (5.6.6.3): what, the LUN, why. */
export const eventBytes = 16;
export const events = { none: 0, transportReset: 1, parameterChange: 3, missed: 0x80000000 } as const;
/** Why a transport reset: what happened to the LUN. */
export const transportReset = { rescan: 1, removed: 2 } as const;

/** @param lun the eight bytes of the LUN as the device addresses it */
export function writeEvent(what: number, lun: Uint8Array, reason: number): Uint8Array {
  const bytes = Buffer.alloc(eventBytes);
  bytes.writeUInt32LE(what >>> 0, 0);
  bytes.set(lun, 4);
  bytes.writeUInt32LE(reason, 12);
  return bytes;
}

/** 5.6.6.1: the eight bytes of a LUN are 1, the target, and a single-level LUN of two bytes. */
const addressed = 1;
/** The well-known logical unit REPORT LUNS, whatever the target. */
const wellKnown = [0xc1, 1] as const;
const flatLunBit = 0x40;

/** What an address of eight bytes names. */
export interface UnitAddress {
  /** -1: none that could be. */
  readonly target: number;
  readonly lun: number;
}

const nowhere: UnitAddress = { target: -1, lun: -1 };

/** The address that stands at `at`. */
export function readAddress(bytes: Uint8Array, at: number): UnitAddress {
  const high = bytes[at + 2]!;
  if (bytes[at] === wellKnown[0] && bytes[at + 1] === wellKnown[1]) return { target: 0, lun: -1 };
  if (bytes[at] !== addressed || high >= 2 * flatLunBit) return nowhere;
  return { target: bytes[at + 1]!, lun: ((high & (flatLunBit - 1)) << 8) | bytes[at + 3]! };
}

/** Of an event: the LUN in the form in which REPORT LUNS has it, since Linux compares the two bytes as they are. */
export function writeAddress(target: number, lun: number): Uint8Array {
  return Uint8Array.of(addressed, target, lun > 0xff ? flatLunBit | (lun >> 8) : 0, lun & 0xff, 0, 0, 0, 0);
}
