/**
 * EXTENDED COPY(LID1) and what RECEIVE COPY RESULTS tells of it (SPC-4 6.5, 6.22, 6.25): the parameter list, and results by
 * list identifier. Only logical units that the initiator reaches itself can be named. The limits are LIO's.
 */

import { bit, bits, counting, decode, encode, octets, record, u8, u16, u32, type Values } from '../wire/layout.ts';
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
import { type OpcodeRow, opcode } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { unitState } from './unit-state.ts';

/** The limits of the copy manager, as initiators are told them. */
export const copyLimits = {
  targets: 2,
  segments: 1,
  descriptorListBytes: 1024,
  segmentBytes: segmentBytesMax,
  granularity: segmentGranularity,
} as const;

/** SPC-4 6.4.3.1: CSCD descriptors follow, then segment descriptors, then inline data. */
const header = record(16, {
  listIdentifier: u8(0),
  listIdUsage: bits(1, 0x18),
  targetsLength: u16(2),
  segmentsLength: u32(8),
  inlineLength: u32(12),
});

/** Identification descriptor CSCD descriptor (SPC-4 6.4.5.6): a designation descriptor without the fields of a protocol. */
const target = record(32, {
  code: u8(0),
  nul: bit(1, 0x20),
  deviceType: bits(1, 0x1f),
  codeSet: bits(4, 0x0f),
  association: bits(5, 0x30),
  designatorType: bits(5, 0x0f),
  designatorLength: u8(7),
  designator: octets(8, 20),
});
const identification = 0xe4;
/** PERIPHERAL DEVICE TYPE. */
const directAccess = 0x00;
/** The descriptor type codes that a list may have, ascending (SPC-4 6.22). */
export const copyDescriptors: readonly number[] = [...segmentCodes, identification];

/** Whether a logical unit manages copies, and takes part in them. */
export const offersCopy = (lu: StorageObject): boolean => lu.attributes.values.emulate_3pc === 1;

const resultsCdb = { listIdentifier: u8(2), allocation: u32(10) };

/** The commands of copies. */
export const extendedCopyOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x83,
    serviceAction: 0x00,
    name: 'EXTENDED COPY(LID1)',
    spec: 'SPC-4 6.5',
    cdb: { length: u32(10) },
    // The medium here is that of the copy manager: each logical unit of the list is looked at by itself.
    medium: 'none',
    whenReserved: 'conflicts',
    offered: offersCopy,
    check: (_lu, cdb) => {
      if (cdb.length > header.length + copyLimits.descriptorListBytes)
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
    cdb: resultsCdb,
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
    cdb: resultsCdb,
    medium: 'none',
    whenReserved: 'allowed',
    offered: offersCopy,
    execute: (lu, cdb) => allocated(operatingParameters(lu), cdb.allocation),
  }),
];

function operatingParameters(lu: StorageObject): Uint8Array {
  const granularity = Math.log2(lu.blockSize);
  return encode(
    parameters,
    {
      noListIdentifier: true,
      targets: copyLimits.targets,
      segments: copyLimits.segments,
      descriptorListBytes: copyLimits.descriptorListBytes,
      segmentBytes: copyLimits.segmentBytes,
      totalCopies: 1,
      concurrentCopies: 1,
      segmentGranularity: copyLimits.granularity,
      inlineGranularity: granularity,
      heldGranularity: granularity,
    },
    Uint8Array.from(copyDescriptors),
  );
}

/** SPC-4 6.22. The descriptor type codes follow. */
const parameters = record(44, {
  length: counting(u32(0)),
  noListIdentifier: bit(4, 0x01),
  targets: u16(8),
  segments: u16(10),
  descriptorListBytes: u32(12),
  segmentBytes: u32(16),
  totalCopies: u16(34),
  concurrentCopies: u8(36),
  segmentGranularity: u8(37),
  inlineGranularity: u8(38),
  heldGranularity: u8(39),
  descriptorsLength: counting(u8(43)),
});

/** LIST ID USAGE (SPC-4 6.4.3.2): what becomes of the list identifier and of the result. */
const listIdUsage = { held: 0, reserved: 1, notHeld: 2, none: 3 } as const;
/** COPY MANAGER STATUS (SPC-4 6.25). */
const copyStatus = { inProgress: 0x00, completed: 0x01, completedWithErrors: 0x02 } as const;
/** Results held for one nexus; the oldest goes first. */
const resultsMax = 16;

/** The facts about a copy that RECEIVE COPY RESULTS tells, while the copy goes on and after. */
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
  const list = parameterList(task.dataOut, header.length);
  const {
    listIdentifier: identifier,
    listIdUsage: usage,
    targetsLength,
    segmentsLength,
    inlineLength,
  } = decode(header, list);
  if (usage === listIdUsage.reserved) throw invalidParameter(header.fields.listIdUsage);
  if (usage === listIdUsage.none && identifier !== 0) throw invalidParameter(header.fields.listIdentifier);
  const targetsEnd = header.length + targetsLength;
  const segmentsEnd = targetsEnd + segmentsLength;
  if (inlineLength !== 0) throw invalidParameter(header.fields.inlineLength);
  if (segmentsEnd - header.length > copyLimits.descriptorListBytes)
    throw new CheckCondition(sense.parameterListLengthError);
  if (list.length < segmentsEnd) throw new CheckCondition(sense.parameterListLengthError);
  const targets = decodeTargets(task, list.subarray(header.length, targetsEnd));
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
  if (!result) throw invalidCdb(resultsCdb.listIdentifier);
  if (result.status !== copyStatus.inProgress) held?.delete(identifier);
  return encode(copyStatusData, { status: result.status, segments: result.segments, transferCount: result.bytes });
}

const copyStatusData = record(12, {
  length: counting(u32(0)),
  status: bits(4, 0x7f),
  segments: u16(5),
  transferCount: u32(8),
});

/** Undefined where the nexus reaches no such logical unit: an error only when a segment names it. */
function decodeTargets(task: Task, list: Buffer): (CopyEnd | undefined)[] {
  const targets: (CopyEnd | undefined)[] = [];
  for (let at = 0; at < list.length; at += target.length) {
    if (target.fields.code.get(list, at) !== identification)
      throw new CheckCondition(sense.unsupportedTargetDescriptor);
    if (list.length < at + target.length) throw new CheckCondition(sense.parameterListLengthError);
    if (targets.length === copyLimits.targets) throw new CheckCondition(sense.tooManyTargetDescriptors);
    targets.push(findUnit(task, decode(target, list, at)));
  }
  return targets;
}

/** By the NAA designator of VPD page 83h: no other that it has is short enough, but those that all units share. */
function findUnit(task: Task, told: Values<typeof target.fields>): CopyEnd | undefined {
  if (told.nul || told.deviceType !== directAccess) return undefined;
  if (told.codeSet !== codeSet.binary || told.association !== association.unit) return undefined;
  if (told.designatorType !== designatorType.naa) return undefined;
  const designator = Buffer.from(told.designator.subarray(0, told.designatorLength));
  for (const lun of task.nexus.luns()) {
    const storageObject = task.nexus.view(lun)?.storageObject;
    if (storageObject && offersCopy(storageObject) && designator.equals(naaOf(storageObject)))
      return { lun, storageObject };
  }
  return undefined;
}
