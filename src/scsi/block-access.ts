/** Reading, writing, verifying and flushing blocks: what the commands of sbc.ts do to a volume. */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { systemError } from '../system/system-error.ts';
import { withData } from './data-out.ts';
import type { StorageObject } from './logical-unit.ts';
import { good } from './parameter-data.ts';
import { rangeLocks } from './range-locks.ts';
import { CheckCondition, sense } from './sense.ts';
import { countRead, countWrite } from './statistics.ts';
import { type Completion, status, type Task } from './task.ts';
import { taskSet } from './task-set.ts';

/** Bytes that VERIFY reads at a time. */
const verifyBytesMax = 1024 * 1024;

/** The open volume. @throws CheckCondition when it went away since the command was admitted */
export function mediumOf(lu: StorageObject): Volume {
  if (!lu.volume) throw new CheckCondition(sense.mediumNotPresent);
  return lu.volume;
}

/** LBA OUT OF RANGE with the first address of a range behind the medium (SBC-3 4.18), where sense data has room for it. */
export function lbaOutOfRange(lu: StorageObject, lba: number): CheckCondition {
  const first = Math.max(lba, lu.blocks);
  return new CheckCondition(sense.lbaOutOfRange, Number.isSafeInteger(first) ? { information: first } : {});
}

/** The data of a range; the transport reads it. A range that an atomic write holds is waited for. */
export function readBlocks(
  lu: StorageObject,
  lba: number,
  blocks: number,
  task: Task,
): Completion | Promise<Completion> {
  if (blocks === 0) return good;
  countRead(lu, blocks);
  const { blockSize } = lu;
  const position = lba * blockSize;
  const length = blocks * blockSize;
  const extent = { volume: mediumOf(lu), position, length };
  const completion: Completion = { status: status.good, dataIn: extent };
  if (!rangeLocks.of(lu).free(position, position + length, false))
    return rangeLocks.of(lu).during(position, position + length, false, async () => {
      task.extent = extent;
      return completion;
    });
  task.extent = extent;
  return completion;
}

/** Holds a range for one writer alone. What transports are still reading of it comes first: nobody sees a part of the write. */
function alone<T>(lu: StorageObject, from: number, to: number, task: Task, work: () => Promise<T>): Promise<T> {
  const isRead = ({ extent }: Task) => extent && extent.position < to && from < extent.position + extent.length;
  return rangeLocks.of(lu).during(from, to, true, async () => {
    // Data that was read in the same turn of the event loop may have to be sent yet (`Volume.lend`).
    await null;
    while (!task.aborted && !task.terminated && Array.from(taskSet.of(lu)).some(isRead)) await taskSet.of(lu).changed();
    return work();
  });
}

/** A range of blocks that is written, and whether it has to be on the medium at the end. */
interface Write {
  readonly lba: number;
  readonly blocks: number;
  readonly fua: boolean;
}

/** Writes the data that comes. FUA holds for each piece of it. */
export function writeBlocks(lu: StorageObject, cdb: Write, task: Task): Completion | Promise<Completion> {
  if (cdb.blocks === 0) return good;
  countWrite(lu, cdb.blocks);
  const durable = isDurable(lu, cdb.fua);
  const start = cdb.lba * lu.blockSize;
  return withData(lu, task, (data, offset) => writePiece(lu, start + offset, data, durable, !task.tried));
}

function writePiece(
  lu: StorageObject,
  position: number,
  data: Uint8Array,
  durable: boolean,
  atOnce = true,
): Completion | Promise<Completion> {
  const volume = mediumOf(lu);
  const end = position + data.length;
  if (atOnce && rangeLocks.of(lu).free(position, end, false) && volume.writeNow?.(data, position, durable)) return good;
  return rangeLocks.of(lu).during(position, end, false, async () => {
    await volume.write(data, position, durable);
    return good;
  });
}

/** FUA asks for the medium, or there is no write cache to leave it in. */
export const isDurable = (lu: StorageObject, fua: boolean): boolean =>
  fua || lu.attributes.values.emulate_write_cache === 0;

/**
 * Whether what a command wrote has to be on stable storage, and is not. Asked when it has run: the cache may have been
 * switched off meanwhile.
 */
export function owesFlush(lu: StorageObject, fua: boolean, position: number, length: number): boolean {
  const { volume } = lu;
  if (!isDurable(lu, fua) || !volume || volume.passThrough) return false;
  return volume.isFlushed?.(position, length) !== true;
}

/**
 * Reads bytes wherever they begin and end, as whole blocks. A range that an atomic write holds is waited for.
 * @param buffer has room for two blocks more @returns the bytes, in it
 */
export async function readBytes(lu: StorageObject, position: number, length: number, buffer: Buffer): Promise<Buffer> {
  const { from, to } = wholeBlocks(lu, position, length);
  const blocks = buffer.subarray(0, to - from);
  await rangeLocks.of(lu).during(from, to, false, () => mediumOf(lu).read(blocks, from));
  return blocks.subarray(position - from, position - from + length);
}

/** Writes bytes wherever they begin and end: what else is in their blocks stays, and nobody sees a block half written. */
export function writeBytes(
  lu: StorageObject,
  position: number,
  data: Uint8Array,
  task: Task,
): Completion | Promise<Completion> {
  const { from, to } = wholeBlocks(lu, position, data.length);
  if (to - from === data.length) return writePiece(lu, position, data, isDurable(lu, false));
  return readModifyWrite(lu, { lba: from / lu.blockSize, fua: false }, to - from, task, (found) => {
    found.set(data, position - from);
    return found;
  });
}

const wholeBlocks = ({ blockSize }: StorageObject, position: number, length: number) => ({
  from: Math.floor(position / blockSize) * blockSize,
  to: Math.ceil((position + length) / blockSize) * blockSize,
});

/**
 * Reads a range, lets `modify` say what it becomes, and writes that; no other write comes in between.
 * @param modify may throw CheckCondition: then nothing is written
 */
function readModifyWrite(
  lu: StorageObject,
  { lba, fua }: { lba: number; fua: boolean },
  length: number,
  task: Task,
  modify: (found: Buffer) => Uint8Array,
): Completion | Promise<Completion> {
  if (length === 0) return good;
  const volume = mediumOf(lu);
  const position = lba * lu.blockSize;
  const durable = isDurable(lu, fua);
  const found = Buffer.allocUnsafe(length);
  return alone(lu, position, position + length, task, async () => {
    if (task.aborted || task.terminated) return good;
    await volume.read(found, position);
    await volume.write(modify(found), position, durable);
    return good;
  });
}

/** Blocks that one WRITE ATOMIC may have; 0 where the volume promises nothing (SBC-4 4.29). */
export function atomicBlocksMax(lu: StorageObject): number {
  const blocks = Math.floor((lu.volume?.atomicWriteBytesMax ?? 0) / lu.blockSize);
  return Math.min(blocks, lu.attributes.values.hw_max_sectors);
}

/** Writes all of the data or nothing of it, and nobody reads a part (SBC-4 4.29). */
export function writeAtomic(
  lu: StorageObject,
  cdb: { lba: number; fua: boolean },
  task: Task,
): Completion | Promise<Completion> {
  const data = task.dataOut;
  if (data.length === 0) return good;
  const volume = mediumOf(lu);
  const position = cdb.lba * lu.blockSize;
  return alone(lu, position, position + data.length, task, async () => {
    if (task.aborted || task.terminated) return good;
    await volume.write(data, position, isDurable(lu, cdb.fua));
    return good;
  });
}

/** SBC-3 5.2: the first half of the data is compared, the second is written. */
export function compareAndWrite(
  lu: StorageObject,
  cdb: { lba: number; blocks: number; fua: boolean },
  task: Task,
): Completion | Promise<Completion> {
  const length = cdb.blocks * lu.blockSize;
  const position = cdb.lba * lu.blockSize;
  const volume = mediumOf(lu);
  if (volume.canCompareAndWrite?.(position, length))
    return alone(lu, position, position + length, task, async () => {
      if (task.aborted || task.terminated) return good;
      const [expected, data] = [task.dataOut.subarray(0, length), task.dataOut.subarray(length, 2 * length)];
      if (await volume.compareAndWrite!(expected, data, position)) return good;
      const found = Buffer.allocUnsafe(length);
      await volume.read(found, position);
      compare(found, expected, 0);
      throw systemError('EIO', 'compare-and-write');
    });
  return readModifyWrite(lu, cdb, length, task, (found) => {
    compare(found, task.dataOut.subarray(0, length), 0);
    return task.dataOut.subarray(length, 2 * length);
  });
}

/** SBC-3 5.5: each bit that is 1 in the data becomes 1. */
export function orWrite(
  lu: StorageObject,
  cdb: { lba: number; fua: boolean },
  task: Task,
): Completion | Promise<Completion> {
  return readModifyWrite(lu, cdb, task.dataOut.length, task, (found) => {
    const { dataOut } = task;
    // An iterator would make an array for each byte.
    for (let i = 0; i < found.length; i += 1) found[i] = found[i]! | (dataOut[i] ?? 0);
    return found;
  });
}

/** Bytes of data-out that a verification takes: BYTCHK 0 reads the medium, 1 compares all of it, 3 each block with one. */
export function verifyLength(lu: StorageObject, bytchk: number, blocks: number): number {
  if (bytchk === 1) return blocks * lu.blockSize;
  return bytchk === 3 && blocks > 0 ? lu.blockSize : 0;
}

/** @throws CheckCondition MISCOMPARE DURING VERIFY OPERATION with the offset of the first byte that differs */
export function verifyBlocks(
  lu: StorageObject,
  { lba, blocks, bytchk }: { lba: number; blocks: number; bytchk: number },
  task: Task,
): Completion | Promise<Completion> {
  const { blockSize } = lu;
  const start = lba * blockSize;
  if (bytchk === 1) return withData(lu, task, (data, offset) => comparePiece(lu, start, offset, data, task));
  return readBack(lu, start, 0, blocks * blockSize, task, (found, offset) => {
    if (bytchk !== 3) return;
    for (let at = 0; at < found.length; at += blockSize)
      compare(found.subarray(at, at + blockSize), task.dataOut, offset + at);
  });
}

/** Compares a piece of the data, which begins at its byte `offset`, with the blocks from `start` on. */
const comparePiece = (
  lu: StorageObject,
  start: number,
  offset: number,
  data: Uint8Array,
  task: Task,
): Promise<Completion> =>
  readBack(lu, start, offset, offset + data.length, task, (found, at) =>
    compare(found, data.subarray(at - offset, at - offset + found.length), at),
  );

/** Reads the bytes `from` to `to` behind `start` again, some at a time. */
async function readBack(
  lu: StorageObject,
  start: number,
  from: number,
  to: number,
  task: Task,
  check: (found: Buffer, offset: number) => void,
): Promise<Completion> {
  const volume = mediumOf(lu);
  const buffer = Buffer.allocUnsafe(Math.min(to - from, verifyBytesMax));
  for (let at = from; at < to; ) {
    if (task.aborted || task.terminated) return good;
    if (at > from) await breathe();
    const found = buffer.subarray(0, Math.min(buffer.length, to - at));
    await volume.read(found, start + at);
    check(found, at);
    at += found.length;
  }
  return good;
}

/** Writes each piece to the medium and reads it again, with BYTCHK 1 to compare it. */
export function writeAndVerify(
  lu: StorageObject,
  cdb: { lba: number; blocks: number; bytchk: number },
  task: Task,
): Completion | Promise<Completion> {
  if (cdb.blocks === 0) return good;
  countWrite(lu, cdb.blocks);
  const start = cdb.lba * lu.blockSize;
  return withData(lu, task, async (data, offset) => {
    await writePiece(lu, start + offset, data, true);
    if (cdb.bytchk === 1) return comparePiece(lu, start, offset, data, task);
    return readBack(lu, start, offset, offset + data.length, task, () => {});
  });
}

/** @throws CheckCondition */
function compare(found: Buffer, wanted: Uint8Array, offset: number): void {
  if (found.equals(wanted)) return;
  const at = found.findIndex((byte, i) => byte !== wanted[i]);
  throw new CheckCondition(sense.miscompareDuringVerify, { information: offset + at });
}

/** SYNCHRONIZE CACHE (SBC-3 5.26): the whole volume, whatever the range. */
export function synchronizeCache(lu: StorageObject, immediate: boolean): Completion | Promise<Completion> {
  const flushed = mediumOf(lu).flush();
  if (!immediate) return flushed.then(() => good);
  // GOOD goes out first. What fails then is in the unit's record, and every nexus hears of it.
  flushed.catch(() => {});
  return good;
}
