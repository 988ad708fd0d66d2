/** Reading, writing, verifying and flushing blocks: what the commands of sbc.ts do to a volume. */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { good } from './parameter-data.ts';
import { CheckCondition, invalidCdb, sense } from './sense.ts';
import type { StorageObject } from './storage-object.ts';
import { type Completion, status, type Task } from './task.ts';

/** Bytes that VERIFY reads at a time. */
const verifyBytesMax = 1024 * 1024;

/** The open volume. @throws CheckCondition when it went away since the command was admitted */
export function mediumOf(lu: StorageObject): Volume {
  if (!lu.volume) throw new CheckCondition(sense.mediumNotPresent);
  return lu.volume;
}

/** MAXIMUM TRANSFER LENGTH of VPD page B0h. @param byte where the CDB has the number of blocks */
export function checkTransferLength(lu: StorageObject, blocks: number, byte: number): void {
  if (blocks > lu.attributes.values.hw_max_sectors) throw invalidCdb(byte, 7);
}

/** The data of a range; the transport reads it. A range that an atomic write holds is waited for. */
export function read(lu: StorageObject, lba: number, blocks: number, task: Task): Completion | Promise<Completion> {
  if (blocks === 0) return good;
  lu.statistics.readCommands += 1;
  lu.statistics.blocksRead += blocks;
  const position = lba * lu.blockSize;
  const length = blocks * lu.blockSize;
  const extent = { volume: mediumOf(lu), position, length };
  const completion: Completion = { status: status.good, dataIn: extent };
  if (!lu.ranges.free(position, position + length, false))
    return lu.ranges.during(position, position + length, false, async () => {
      task.extent = extent;
      return completion;
    });
  task.extent = extent;
  return completion;
}

/** Holds a range for one writer alone. What transports are still reading of it comes first: nobody sees a part of the write. */
function alone<T>(lu: StorageObject, from: number, to: number, task: Task, work: () => Promise<T>): Promise<T> {
  const isRead = ({ extent }: Task) => extent && extent.position < to && from < extent.position + extent.length;
  return lu.ranges.during(from, to, true, async () => {
    // What was read in the same turn of the event loop may have to be sent yet (`Volume.lend`).
    await null;
    while (!task.aborted && !task.terminated && Array.from(lu.tasks).some(isRead)) await lu.tasks.changed();
    return work();
  });
}

/** Writes blocks; `data` is all of them. */
export function write(lu: StorageObject, lba: number, data: Uint8Array, fua: number): Completion | Promise<Completion> {
  if (data.length === 0) return good;
  lu.statistics.writeCommands += 1;
  lu.statistics.blocksWritten += data.length / lu.blockSize;
  const volume = mediumOf(lu);
  const position = lba * lu.blockSize;
  const end = position + data.length;
  const durable = isDurable(lu, fua);
  if (lu.ranges.free(position, end, false) && volume.writeNow?.(data, position, durable)) return good;
  return lu.ranges.during(position, end, false, async () => {
    await volume.write(data, position, durable);
    return good;
  });
}

/** FUA asks for the medium, or there is no write cache to leave it in. */
export const isDurable = (lu: StorageObject, fua: number): boolean =>
  fua === 1 || lu.attributes.values.emulate_write_cache === 0;

/**
 * Reads a range, lets `modify` say what it becomes, and writes that; no other write comes in between.
 * @param modify may throw CheckCondition: then nothing is written
 */
function readModifyWrite(
  lu: StorageObject,
  { lba, fua }: { lba: number; fua: number },
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
  cdb: { lba: number; fua: number },
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
  cdb: { lba: number; blocks: number; fua: number },
  task: Task,
): Completion | Promise<Completion> {
  const length = cdb.blocks * lu.blockSize;
  return readModifyWrite(lu, cdb, length, task, (found) => {
    compare(found, task.dataOut.subarray(0, length), 0);
    return task.dataOut.subarray(length, 2 * length);
  });
}

/** SBC-3 5.5: each bit that is 1 in the data becomes 1. */
export function orWrite(
  lu: StorageObject,
  cdb: { lba: number; fua: number },
  task: Task,
): Completion | Promise<Completion> {
  return readModifyWrite(lu, cdb, task.dataOut.length, task, (found) => {
    for (let i = 0; i < found.length; i++) found[i] = found[i]! | task.dataOut[i]!;
    return found;
  });
}

/** Puts what was written with `durable` false on stable storage, when there is no write cache to leave it in. */
export async function flushFor(lu: StorageObject, volume: Volume): Promise<void> {
  if (isDurable(lu, 0)) await volume.flush();
}

/** Bytes of data-out that a verification takes: BYTCHK 0 reads the medium, 1 compares all of it, 3 each block with one. */
export function verifyLength(lu: StorageObject, bytchk: number, blocks: number): number {
  if (bytchk === 1) return blocks * lu.blockSize;
  return bytchk === 3 && blocks > 0 ? lu.blockSize : 0;
}

/** @throws CheckCondition MISCOMPARE DURING VERIFY OPERATION with the offset of the first byte that differs */
export async function verify(
  lu: StorageObject,
  cdb: { lba: number; blocks: number; bytchk: number },
  task: Task,
): Promise<Completion> {
  const { blockSize } = lu;
  const volume = mediumOf(lu);
  const { bytchk } = cdb;
  const end = cdb.blocks * blockSize;
  const buffer = Buffer.allocUnsafe(Math.min(end, verifyBytesMax));
  for (let done = 0; done < end; ) {
    if (task.aborted || task.terminated) return good;
    if (done > 0) await breathe();
    const piece = buffer.subarray(0, Math.min(buffer.length, end - done));
    await volume.read(piece, cdb.lba * blockSize + done);
    if (bytchk === 1) compare(piece, task.dataOut.subarray(done, done + piece.length), done);
    if (bytchk === 3)
      for (let at = 0; at < piece.length; at += blockSize)
        compare(piece.subarray(at, at + blockSize), task.dataOut, done + at);
    done += piece.length;
  }
  return good;
}

/** @throws CheckCondition */
function compare(found: Buffer, wanted: Uint8Array, offset: number): void {
  if (found.equals(wanted)) return;
  const at = found.findIndex((byte, i) => byte !== wanted[i]);
  throw new CheckCondition(sense.miscompareDuringVerify, { information: offset + at });
}

/** SYNCHRONIZE CACHE (SBC-3 5.26): the whole volume, whatever the range. */
export function synchronize(lu: StorageObject, immediate: number): Completion | Promise<Completion> {
  const flushed = mediumOf(lu).flush();
  if (immediate === 0) return flushed.then(() => reportEarlierFailure(lu));
  // GOOD goes out first. A failure is kept for the next flush that is waited for: it must not be lost.
  flushed.catch((error: unknown) => {
    lu.flushFailure ??= { error };
  });
  return good;
}

function reportEarlierFailure(lu: StorageObject): Completion {
  const failure = lu.flushFailure;
  lu.flushFailure = undefined;
  if (failure) throw failure.error;
  return good;
}
