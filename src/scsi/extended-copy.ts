/**
 * EXTENDED COPY(LID1) and what RECEIVE COPY RESULTS tells of it (SPC-4 6.5, 6.22, 6.25): the parameter list, and results by
 * list identifier. Only logical units that the initiator reaches itself can be named. The limits are LIO's.
 */

import {
  type CopyEnd,
  copySegment,
  decodeSegments,
  segmentBytesMax,
  segmentCodes,
  segmentGranularity,
} from './copy-segment.ts';
import { association, codeSet, designatorType, naaOf } from './designator.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import { type OpcodeRow, opcode, u8, u32 } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { unitState } from './unit-state.ts';

/** What the copy manager takes, as initiators are told it. */
export const copyLimits = {
  targets: 2,
  segments: 1,
  descriptorListBytes: 1024,
  segmentBytes: segmentBytesMax,
  granularity: segmentGranularity,
} as const;

const headerBytes = 16;
const targetBytes = 32;
/** Identification descriptor CSCD descriptor (SPC-4 6.4.5.6). */
const identification = 0xe4;
/** PERIPHERAL DEVICE TYPE. */
const directAccess = 0x00;
/** The descriptor type codes that a list may have, ascending (SPC-4 6.22). */
export const copyDescriptors: readonly number[] = [...segmentCodes, identification];

/** Whether a logical unit manages copies, and takes part in them. */
export const offersCopy = (lu: StorageObject): boolean => lu.attributes.values.emulate_3pc === 1;

export const extendedCopyOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x83,
    serviceAction: 0x00,
    name: 'EXTENDED COPY(LID1)',
    spec: 'SPC-4 6.5',
    cdb: { length: u32(10) },
    // Of the copy manager only: each logical unit of the list is looked at by itself.
    medium: 'none',
    whenReserved: 'conflicts',
    offered: offersCopy,
    check: (_lu, cdb) => {
      if (cdb.length > headerBytes + copyLimits.descriptorListBytes)
        throw new CheckCondition(sense.parameterListLengthError);
    },
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, _cdb, task) => extendedCopy(lu, task),
  }),
  opcode({
    code: 0x84,
    serviceAction: 0x00,
    name: 'RECEIVE COPY RESULTS(LID1) COPY STATUS',
    spec: 'SPC-4 6.25',
    cdb: { listIdentifier: u8(2), allocation: u32(10) },
    medium: 'none',
    whenReserved: 'allowed',
    offered: offersCopy,
    execute: (lu, cdb, task) => allocated(resultOf(lu, task, cdb.listIdentifier), cdb.allocation),
  }),
  opcode({
    code: 0x84,
    serviceAction: 0x03,
    name: 'RECEIVE COPY RESULTS(LID1) OPERATING PARAMETERS',
    spec: 'SPC-4 6.22',
    cdb: { listIdentifier: u8(2), allocation: u32(10) },
    medium: 'none',
    whenReserved: 'allowed',
    offered: offersCopy,
    execute: (lu, cdb) => allocated(operatingParameters(lu), cdb.allocation),
  }),
];

function operatingParameters(lu: StorageObject): Uint8Array {
  const data = Buffer.alloc(44 + copyDescriptors.length);
  const granularity = Math.log2(lu.blockSize);
  data.writeUInt32BE(data.length - 4, 0);
  data[4] = 0x01; // SNLID
  data.writeUInt16BE(copyLimits.targets, 8);
  data.writeUInt16BE(copyLimits.segments, 10);
  data.writeUInt32BE(copyLimits.descriptorListBytes, 12);
  data.writeUInt32BE(copyLimits.segmentBytes, 16);
  data.writeUInt16BE(1, 34); // TOTAL CONCURRENT COPIES
  // MAXIMUM CONCURRENT COPIES, and the granularity of segments, of inline and of held data.
  data.set([1, copyLimits.granularity, granularity, granularity], 36);
  data.set([copyDescriptors.length, ...copyDescriptors], 43);
  return data;
}

/** LIST ID USAGE (SPC-4 6.4.3.2), in its place: what becomes of the list identifier and of the result. */
const listIdUsage = { mask: 0x18, held: 0x00, reserved: 0x08, notHeld: 0x10, none: 0x18 } as const;
/** COPY MANAGER STATUS (SPC-4 6.25). */
const copyStatus = { inProgress: 0x00, completed: 0x01, completedWithErrors: 0x02 } as const;
/** Results held for one nexus; the oldest goes first. */
const resultsMax = 16;

/** What RECEIVE COPY RESULTS tells of a copy, while it goes on and after. */
interface CopyResult {
  status: number;
  segments: number;
  bytes: number;
}

/** Results by nexus and list identifier, until they are fetched. */
const copyResults = unitState({
  name: 'copy results',
  initial: () => ({ of: new WeakMap<Nexus, Map<number, CopyResult>>() }),
});

async function extendedCopy(lu: StorageObject, task: Task): Promise<Completion> {
  if (task.dataOutLength === 0) return good;
  const list = parameterList(task.dataOut, headerBytes);
  const identifier = list[0]!;
  const usage = list[1]! & listIdUsage.mask;
  if (usage === listIdUsage.reserved) throw invalidParameter(1, 4);
  if (usage === listIdUsage.none && identifier !== 0) throw invalidParameter(0);
  const targetsEnd = headerBytes + list.readUInt16BE(2);
  const segmentsEnd = targetsEnd + list.readUInt32BE(8);
  if (list.readUInt32BE(12) !== 0) throw invalidParameter(12); // inline data
  if (segmentsEnd - headerBytes > copyLimits.descriptorListBytes)
    throw new CheckCondition(sense.parameterListLengthError);
  if (list.length < segmentsEnd) throw new CheckCondition(sense.parameterListLengthError);
  const targets = decodeTargets(task, list.subarray(headerBytes, targetsEnd));
  const segments = decodeSegments(list.subarray(targetsEnd, segmentsEnd), targetsEnd, copyLimits.segments);
  const result: CopyResult = { status: copyStatus.inProgress, segments: 0, bytes: 0 };
  const held = usage === listIdUsage.none ? undefined : hold(lu, task, identifier, result);
  try {
    for (const segment of segments) {
      const answer = await copySegment(task, targets, segment, (bytes) => {
        result.bytes += bytes;
      });
      if (answer !== good) return answer;
      result.segments += 1;
    }
    result.status = copyStatus.completed;
  } finally {
    if (result.status === copyStatus.inProgress) result.status = copyStatus.completedWithErrors;
    if (usage === listIdUsage.notHeld) held?.delete(identifier);
  }
  return good;
}

/** @throws CheckCondition OPERATION IN PROGRESS when the nexus has a copy of this identifier under way */
function hold(lu: StorageObject, { nexus }: Task, identifier: number, result: CopyResult): Map<number, CopyResult> {
  const held = copyResults.of(lu).of.get(nexus) ?? new Map<number, CopyResult>();
  if (held.get(identifier)?.status === copyStatus.inProgress) throw new CheckCondition(sense.operationInProgress);
  copyResults.of(lu).of.set(nexus, held);
  held.delete(identifier);
  held.set(identifier, result);
  const [oldest] = held.keys();
  if (held.size > resultsMax && oldest !== undefined) held.delete(oldest);
  return held;
}

/** SPC-4 6.25: the result of a copy, once; TRANSFER COUNT in bytes. */
function resultOf(lu: StorageObject, { nexus }: Task, identifier: number): Uint8Array {
  const held = copyResults.of(lu).of.get(nexus);
  const result = held?.get(identifier);
  if (!result) throw invalidCdb(2, 7);
  if (result.status !== copyStatus.inProgress) held?.delete(identifier);
  const data = Buffer.from([0, 0, 0, 8, result.status, 0, result.segments, 0, 0, 0, 0, 0]);
  data.writeUInt32BE(result.bytes, 8);
  return data;
}

/** Undefined where the nexus reaches no such logical unit: an error only when a segment names it. */
function decodeTargets(task: Task, list: Buffer): (CopyEnd | undefined)[] {
  const targets: (CopyEnd | undefined)[] = [];
  for (let at = 0; at < list.length; at += targetBytes) {
    if (list[at] !== identification) throw new CheckCondition(sense.unsupportedTargetDescriptor);
    if (list.length < at + targetBytes) throw new CheckCondition(sense.parameterListLengthError);
    if (targets.length === copyLimits.targets) throw new CheckCondition(sense.tooManyTargetDescriptors);
    targets.push(findUnit(task, list.subarray(at, at + targetBytes)));
  }
  return targets;
}

/** By the NAA designator of VPD page 83h: no other that it has is short enough, but those that all units share. */
function findUnit(task: Task, descriptor: Buffer): CopyEnd | undefined {
  const [, flags = 0, , , code = 0, kind = 0, , length = 0] = descriptor;
  const nul = (flags & 0x20) !== 0;
  if (nul || (flags & 0x1f) !== directAccess) return undefined;
  if ((code & 0x0f) !== codeSet.binary || (kind & 0x3f) !== (association.unit | designatorType.naa)) return undefined;
  const designator = descriptor.subarray(8, 8 + Math.min(20, length));
  for (const lun of task.nexus.luns()) {
    const storageObject = task.nexus.view(lun)?.storageObject;
    if (storageObject && offersCopy(storageObject) && designator.equals(naaOf(storageObject)))
      return { lun, storageObject };
  }
  return undefined;
}
