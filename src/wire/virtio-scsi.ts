/** virtio-scsi (VIRTIO 1.2 clause 5.6): what lies in the buffers of its queues, and the features that concern it. Little-endian. */

import { bit, encode, exactLittle64, little16, little32, lower, octets, record, u8, u16 } from './layout.ts';

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

/** A command (5.6.6.1). Then its data-out. */
export const command = record(51, {
  address: octets(0, 8),
  id: exactLittle64(8),
  attribute: u8(16),
  priority: u8(17),
  crn: u8(18),
  cdb: octets(19, 32),
});

/** The response of a command. Then its data-in. */
export const response = record(108, {
  senseLength: little32(0),
  residual: little32(4),
  statusQualifier: little16(8),
  status: u8(10),
  code: u8(11),
  sense: octets(12, 96),
});

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

/** Writes a response, but for what is 0 already. @param into as many zeros as a response has bytes */
export function putResponse(
  into: Uint8Array,
  code: number,
  status: number,
  residual: number,
  sense: Uint8Array | undefined,
): void {
  const { fields } = response;
  fields.residual.set(into, 0, residual);
  fields.status.set(into, 0, status);
  fields.code.set(into, 0, code);
  if (!sense) return;
  const { at, length: most } = fields.sense;
  const length = Math.min(sense.length, most);
  fields.senseLength.set(into, 0, length);
  into.set(length === sense.length ? sense : sense.subarray(0, length), at);
}

/** Control requests (5.6.6.2) begin with their type. */
export const controlType = { taskManagement: 0, asyncNotificationQuery: 1, asyncNotificationSubscribe: 2 } as const;
/** Task management: a function, a logical unit, and the identifier of a task. */
export const taskManagement = record(24, {
  type: little32(0),
  subtype: little32(4),
  address: octets(8, 8),
  id: exactLittle64(16),
});

/** The functions of task management. */
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

/** The events that are asked for. */
export const notification = record(16, { type: little32(0), address: octets(4, 8), events: little32(12) });
/** The events that will come, and a response. */
export const notificationAnswer = record(5, { events: little32(0), code: u8(4) });

/** An event (5.6.6.3): what happened, to which logical unit, and why. */
export const eventRecord = record(16, { what: little32(0), address: octets(4, 8), reason: little32(12) });
export const events = { none: 0, transportReset: 1, parameterChange: 3, missed: 0x80000000 } as const;
/** Why a transport reset: what happened to the LUN. */
export const transportReset = { rescan: 1, removed: 2 } as const;

/** 5.6.6.1: the eight bytes of a LUN are 1, the target, and a single-level LUN of two bytes, peripheral or flat. */
const unitAddress = record(8, {
  kind: u8(0),
  target: u8(1),
  isOther: bit(2, 0x80),
  isFlat: bit(2, 0x40),
  lun: lower(14, u16(2)),
});
const addressed = 1;
/** The well-known logical unit REPORT LUNS, whatever the target. */
const wellKnown = { kind: 0xc1, target: 1 } as const;
/** Numbers that the peripheral form holds. */
const peripheralMax = 0xff;

/** An address of eight bytes. */
export interface UnitAddress {
  /** -1: none that could be. */
  readonly target: number;
  readonly lun: number;
}

const nowhere: UnitAddress = { target: -1, lun: -1 };

/** The address that stands at `at`. */
export function readAddress(bytes: Uint8Array, at: number): UnitAddress {
  const { kind, target, isOther, lun } = unitAddress.fields;
  const [first, second] = [kind.get(bytes, at), target.get(bytes, at)];
  if (first === wellKnown.kind && second === wellKnown.target) return { target: 0, lun: -1 };
  if (first !== addressed || isOther.get(bytes, at)) return nowhere;
  return { target: second, lun: lun.get(bytes, at) };
}

/** The address of an event: the LUN in the form in which REPORT LUNS has it, since Linux compares the two bytes as they are. */
export const writeAddress = (target: number, lun: number): Uint8Array =>
  encode(unitAddress, { kind: addressed, target, isFlat: lun > peripheralMax, lun });
