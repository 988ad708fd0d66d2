/**
 * Segments of EXTENDED COPY: each says which bytes of a logical unit are to be written to another, or to another place of
 * the same (SPC-4 6.4.6). What kinds there are is a table; how bytes are copied is the same for all.
 */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { systemErrorCode } from '../errors.ts';
import { systemError } from '../system/system-error.ts';
import {
  bit,
  decode,
  type Field,
  type Fields,
  type Layout,
  record,
  u8,
  u16,
  u32,
  u64,
  type Values,
} from '../wire/layout.ts';
import { isAbortedAt } from './aborted-writes.ts';
import { inaccessible } from './alua.ts';
import { owesFlush, readBytes, writeBytes } from './block-access.ts';
import { turnOf } from './limits.ts';
import type { StorageObject } from './logical-unit.ts';
import { good } from './parameter-data.ts';
import { isWriteProtected, notReady } from './readiness.ts';
import { conflicts, reservations } from './reservation-conflict.ts';
import { CheckCondition, invalidParameter, sense } from './sense.ts';
import { type Completion, status, type Task } from './task.ts';

/** Bytes that a segment may have (MAXIMUM SEGMENT LENGTH). */
export const segmentBytesMax = 256 * 1024 * 1024;
/** DATA SEGMENT GRANULARITY, a power of two: a segment may have any number of bytes. */
export const segmentGranularity = 0;
/** Bytes that one step reads and writes: a multiple of every block size. */
const pieceBytesMax = 1024 * 1024;

/** A logical unit that the list names: where the nexus reaches it, and what it was when the list was read. */
export interface CopyEnd {
  readonly lun: number;
  readonly storageObject: StorageObject;
}

/** Where a segment begins at one of its ends: CSCD DESCRIPTOR ID, block, and byte in that. */
interface CopyPoint {
  readonly end: number;
  readonly lba: number;
  readonly offset: number;
}

/** A segment descriptor, as all kinds of it come to the same. */
export interface Segment {
  /** The byte in the parameter list at which the segment begins. */
  readonly at: number;
  readonly source: CopyPoint;
  readonly destination: CopyPoint;
  /** Bytes to write, once the block sizes of both ends are known. */
  readonly bytes: (source: StorageObject, destination: StorageObject) => number;
  /** Whether the segment is copied in whole blocks: a remainder has no place without CAT and PAD (SPC-4 5.16.7.2). */
  readonly inBlocks: boolean;
}

interface Kind {
  /** DESCRIPTOR TYPE CODE. */
  readonly code: number;
  /** The length of the whole descriptor. */
  readonly length: number;
  decode(descriptor: Buffer): Omit<Segment, 'at'>;
}

/** The beginning of every descriptor. DESCRIPTOR LENGTH counts the bytes behind it. */
const header = { code: u8(0), length: u16(2) };
const lengthCountsFrom = 4;

const ends = { source: u16(4), destination: u16(6), sourceLba: u64(12), destinationLba: u64(20) };
const wholeBlocks = record(28, { ...header, ...ends, countsDestination: bit(1, 0x02), blocks: u16(10) });
const withOffsets = record(32, {
  ...header,
  ...ends,
  bytes: u32(8),
  sourceOffset: u16(28),
  destinationOffset: u16(30),
});

const kind = <F extends Fields>(
  code: number,
  layout: Layout<F>,
  segment: (descriptor: Values<F>) => Omit<Segment, 'at'>,
): Kind => ({ code, length: layout.length, decode: (descriptor) => segment(decode(layout, descriptor)) });

const kinds: readonly Kind[] = [
  // Block device to block device (SPC-4 6.4.6.4).
  kind(0x02, wholeBlocks, ({ source, destination, sourceLba, destinationLba, blocks, countsDestination }) => ({
    source: { end: source, lba: sourceLba, offset: 0 },
    destination: { end: destination, lba: destinationLba, offset: 0 },
    bytes: (from, to) => blocks * (countsDestination ? to : from).blockSize,
    inBlocks: true,
  })),
  // Block device with offset to block device with offset (SPC-4 6.4.6.12).
  kind(0x0a, withOffsets, (told) => ({
    source: { end: told.source, lba: told.sourceLba, offset: told.sourceOffset },
    destination: { end: told.destination, lba: told.destinationLba, offset: told.destinationOffset },
    bytes: () => told.bytes,
    inBlocks: false,
  })),
];

/** DESCRIPTOR TYPE CODES of the segments there are, ascending. */
export const segmentCodes: readonly number[] = kinds.map(({ code }) => code);

/** @param list the segment descriptors @param at their first byte in the parameter list @throws CheckCondition */
export function decodeSegments(list: Buffer, at: number, segmentsMax: number): Segment[] {
  const segments: Segment[] = [];
  for (let from = 0; from < list.length; ) {
    const code = header.code.get(list, from);
    const found = kinds.find((one) => one.code === code);
    if (!found) throw new CheckCondition(sense.unsupportedSegmentDescriptor);
    const descriptor = list.subarray(from, from + found.length);
    if (descriptor.length < found.length) throw new CheckCondition(sense.parameterListLengthError);
    if (header.length.get(descriptor, 0) !== found.length - lengthCountsFrom)
      throw invalidParameter(header.length, at + from);
    if (segments.length === segmentsMax) throw new CheckCondition(sense.tooManySegmentDescriptors);
    segments.push({ at: at + from, ...found.decode(descriptor) });
    from += found.length;
  }
  return segments;
}

/** A range of bytes at one end of a segment, and what may stand in the way there. */
class SegmentEnd {
  readonly lu: StorageObject;
  readonly from: number;
  readonly to: number;
  readonly #task: Task;
  readonly #lun: number;
  readonly #writes: boolean;
  readonly #volume: Volume | undefined;

  constructor(task: Task, end: CopyEnd, writes: boolean, from: number, bytes: number) {
    this.lu = end.storageObject;
    this.from = from;
    this.to = from + bytes;
    this.#task = task;
    this.#lun = end.lun;
    this.#writes = writes;
    this.#volume = end.storageObject.volume;
  }

  /** Asked before each piece: between two of them anything may have happened. @throws CheckCondition, or a system error */
  refusal(): Completion | undefined {
    const { lu } = this;
    const { nexus } = this.#task;
    const view = nexus.view(this.#lun);
    if (view?.storageObject !== lu || notReady(lu) || inaccessible(lu, view.port.portGroup, 'active'))
      throw new CheckCondition(sense.copyTargetUnreachable);
    if (lu.volume !== this.#volume) throw systemError('EBADF', this.#writes ? 'write' : 'read');
    const command = this.#writes ? 'conflicts' : 'reads';
    if (conflicts(reservations.of(lu), nexus, view.port.relativePortId, command))
      return { status: status.reservationConflict };
    if (this.#writes && (view.writeProtected || isWriteProtected(lu))) throw new CheckCondition(sense.writeProtected);
    if (this.to > lu.blocks * lu.blockSize) throw new CheckCondition(sense.copyTargetUnreachable);
    return this.#writes && isAbortedAt(this) ? { status: status.busy } : undefined;
  }

  /** When the next piece may be read or written, by the limits of the LUN; undefined: now. */
  turn(bytes: number): Promise<void> | undefined {
    const limits = this.#task.nexus.view(this.#lun)?.limits;
    return limits && turnOf(this.#task, limits, { kind: this.#writes ? 'write' : 'read', bytes });
  }

  get blocks(): number {
    return this.blocksFrom(this.from);
  }

  /** Blocks from that of a byte to the last. */
  blocksFrom(byte: number): number {
    return Math.ceil(this.to / this.lu.blockSize) - Math.floor(byte / this.lu.blockSize);
  }
}

/**
 * Copies one segment, in pieces. What is in the way of the first byte is answered as by a READ or WRITE, what comes later is
 * COPY ABORTED with the destination's blocks that are left (SPC-4 5.16.7.4).
 * @param ends by CSCD DESCRIPTOR ID; undefined: the nexus reaches no such unit
 * @param copied is told of each piece, in bytes
 */
export async function copySegment(
  task: Task,
  ends: readonly (CopyEnd | undefined)[],
  segment: Segment,
  copied: (bytes: number) => void,
): Promise<Completion> {
  const [source, destination] = reaches(task, ends, segment);
  const refusal = source.refusal() ?? destination.refusal();
  if (refusal) return refusal;
  if (source.from === source.to) return good;
  // The source is read before the destination is written (SPC-4 5.16.7.2), also where they overlap.
  const backwards = source.lu === destination.lu && source.from < destination.from && destination.from < source.to;
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytesMax, source.to - source.from) + 2 * source.lu.blockSize);
  let at = source.lu;
  let written = destination.from;
  let hasWritten = false;
  const isOver = () => task.aborted || task.terminated;
  try {
    for (const [from, to] of pieces(destination, backwards)) {
      if (hasWritten) await breathe();
      let waited = hasWritten;
      for (const end of [source, destination]) {
        const turn = end.turn(to - from);
        if (!turn) continue;
        await turn;
        waited = true;
      }
      const late = waited && !isOver() ? (source.refusal() ?? destination.refusal()) : undefined;
      if (late && !hasWritten) return late;
      if (late) throw aborted(destination.blocksFrom(written));
      if (isOver()) return good;
      at = source.lu;
      const data = await readBytes(source.lu, source.from + from - destination.from, to - from, buffer);
      if (isOver()) return good;
      at = destination.lu;
      task.copying = { lu: destination.lu, from, to };
      await writeBytes(destination.lu, from, data, task);
      task.copying = undefined;
      hasWritten = true;
      if (from === written) written = to;
      copied(to - from);
    }
    if (owesFlush(destination.lu, false, destination.from, destination.to - destination.from)) {
      written = destination.from;
      await destination.lu.volume?.flush();
    }
    return good;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code) tell(task, at, code);
    if (!code && !(hasWritten && error instanceof CheckCondition)) throw error;
    throw aborted(hasWritten ? destination.blocksFrom(written) : undefined);
  }
}

/** The two ends of a segment. @throws CheckCondition for a fault of the list */
function reaches(
  task: Task,
  ends: readonly (CopyEnd | undefined)[],
  segment: Segment,
): [source: SegmentEnd, to: SegmentEnd] {
  const [from, to] = [segment.source, segment.destination].map(({ end }) => ends[end]);
  if (!from || !to) throw new CheckCondition(sense.copyTargetUnreachable);
  const bytes = segment.bytes(from.storageObject, to.storageObject);
  if (bytes > segmentBytesMax) throw invalidParameter(withOffsets.fields.bytes, segment.at);
  if (segment.inBlocks && [from, to].some(({ storageObject }) => bytes % storageObject.blockSize !== 0))
    throw new CheckCondition(sense.unexpectedInexactSegment);
  const first = ({ lba, offset }: CopyPoint, { storageObject: { blockSize } }: CopyEnd, field: Field) => {
    if (offset >= blockSize) throw invalidParameter(field, segment.at);
    return lba * blockSize + offset;
  };
  return [
    new SegmentEnd(task, from, false, first(segment.source, from, withOffsets.fields.sourceOffset), bytes),
    new SegmentEnd(task, to, true, first(segment.destination, to, withOffsets.fields.destinationOffset), bytes),
  ];
}

/** A range in pieces that begin and end at blocks, but for the first and last. */
function* pieces({ from, to }: SegmentEnd, backwards: boolean): Generator<readonly [from: number, to: number]> {
  const first = Math.floor(from / pieceBytesMax);
  const count = Math.ceil(to / pieceBytesMax) - first;
  for (let i = 0; i < count; i++) {
    const piece = (first + (backwards ? count - 1 - i : i)) * pieceBytesMax;
    yield [Math.max(from, piece), Math.min(to, piece + pieceBytesMax)];
  }
}

const aborted = (information?: number): CheckCondition =>
  new CheckCondition(sense.thirdPartyDeviceFailure, information === undefined ? {} : { information });

function tell({ nexus, command }: Task, { log, path }: StorageObject, code: string): void {
  const { session, initiatorName: initiator } = nexus;
  const detail = { path, command: command?.row.name ?? '', code, initiator };
  log?.({ level: 'error', event: 'medium error', detail: { ...(session !== undefined && { session }), ...detail } });
}
