/** Reading, writing, verifying and flushing blocks: what the commands of sbc.ts do to a volume. */

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

/** The data of a range; the transport reads it. */
export function read(lu: StorageObject, lba: number, blocks: number): Completion {
  if (blocks === 0) return good;
  const { blockSize } = lu;
  return {
    status: status.good,
    dataIn: { volume: mediumOf(lu), position: lba * blockSize, length: blocks * blockSize },
  };
}

/**
 * Writes the whole blocks that came: an initiator may announce less than the CDB asks for, and the rest of the range
 * then stays as it is (RFC 7143 11.4.5.1).
 */
export function write(lu: StorageObject, lba: number, data: Uint8Array, fua: number): Completion | Promise<Completion> {
  const { blockSize } = lu;
  const partial = data.length % blockSize;
  const blocks = partial === 0 ? data : data.subarray(0, data.length - partial);
  if (blocks.length === 0) return good;
  const volume = mediumOf(lu);
  const position = lba * blockSize;
  const durable = fua === 1 || lu.attributes.values.emulate_write_cache === 0;
  if (!durable && volume.writeNow?.(blocks, position)) return good;
  return volume.write(blocks, position, durable).then(toGood);
}

const toGood = (): Completion => good;

/** Puts what was written with `durable` false on stable storage, when FUA or the lack of a write cache asks for it. */
export async function flushFor(lu: StorageObject, volume: Volume, fua: boolean): Promise<void> {
  if (fua || lu.attributes.values.emulate_write_cache === 0) await volume.flush();
}

/** BYTCHK (SBC-3 5.33): 0 reads the medium, 1 compares all of it, 3 compares each block with one. */
export type ByteCheck = 0 | 1 | 3;

/** Bytes of data-out that a verification takes. */
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
  const end = bytchk === 1 ? wholeBlocks(task.dataOut.length, blockSize) : cdb.blocks * blockSize;
  if (bytchk === 3 && task.dataOut.length < blockSize) return good;
  const buffer = Buffer.allocUnsafe(Math.min(end, verifyBytesMax));
  for (let done = 0; done < end; ) {
    if (task.aborted || task.terminated) return good;
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

const wholeBlocks = (bytes: number, blockSize: number): number => bytes - (bytes % blockSize);

/** @throws CheckCondition */
export function compare(found: Buffer, wanted: Uint8Array, offset: number): void {
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
