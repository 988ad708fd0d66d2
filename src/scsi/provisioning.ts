/** UNMAP and WRITE SAME: what takes space away or fills a range from one block (SBC-3 4.7, 5.28, 5.43). */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { lbaOutOfRange, mediumOf } from './block-access.ts';
import type { StorageObject } from './logical-unit.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { rangeLocks } from './range-locks.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import { countWrite } from './statistics.ts';
import type { Completion, Task } from './task.ts';

export const offersUnmap = (lu: StorageObject): boolean =>
  lu.attributes.values.emulate_tpu === 1 && lu.volume?.discard !== undefined;
export const offersWriteSameUnmap = (lu: StorageObject): boolean =>
  lu.attributes.values.emulate_tpws === 1 && lu.volume?.discard !== undefined;

/** Bytes written at a time by WRITE SAME. */
const pieceBytesMax = 1024 * 1024;
/** Blocks discarded or zeroed in one call of the volume: task management gets a word in between. */
const pieceBlocksMax = 0x400000;

const headerBytes = 8;
const descriptorBytes = 16;

/** SBC-3 5.28: every descriptor is checked before the first block goes. */
export async function unmap(lu: StorageObject, task: Task): Promise<Completion> {
  if (task.dataOutLength === 0) return good;
  const list = parameterList(task.dataOut, headerBytes);
  const length = list.readUInt16BE(2);
  if (list.length < headerBytes + length) throw new CheckCondition(sense.parameterListLengthError);
  const count = Math.floor(length / descriptorBytes);
  const { max_unmap_block_desc_count, max_unmap_lba_count } = lu.attributes.values;
  if (count > max_unmap_block_desc_count) throw invalidParameter(2);
  const ranges = Array.from({ length: count }, (_, i) => {
    const at = headerBytes + i * descriptorBytes;
    const lba = Number(list.readBigUInt64BE(at));
    const blocks = list.readUInt32BE(at + 8);
    if (blocks > max_unmap_lba_count) throw invalidParameter(at + 8);
    if (lba + blocks > lu.blocks) throw lbaOutOfRange(lu, lba);
    return { lba, blocks };
  });
  if (ranges.reduce((sum, { blocks }) => sum + blocks, 0) > max_unmap_lba_count)
    throw invalidParameter(headerBytes + 8);
  // SPC-4 7.3.6 counts it among the write commands.
  countWrite(lu, 0);
  for (const { lba, blocks } of ranges) await held(lu, lba, blocks, () => discard(lu, lba, blocks, task));
  return good;
}

/** Keeps atomic writes out of a range while it changes. */
const held = <T>(lu: StorageObject, lba: number, blocks: number, work: () => Promise<T>): Promise<T> =>
  rangeLocks.of(lu).during(lba * lu.blockSize, (lba + blocks) * lu.blockSize, false, work);

async function discard(lu: StorageObject, lba: number, blocks: number, task: Task): Promise<void> {
  const volume = mediumOf(lu);
  const pieces = inPieces(lba, blocks, pieceBlocksMax);
  for (const [from, count] of pieces) {
    if (task.aborted || task.terminated) return;
    await volume.discard!(from * lu.blockSize, count * lu.blockSize);
  }
}

/** WRITE SAME of no blocks goes to the end of the medium (SBC-3 5.43): where its length has no limit. Else WSNZ is 1. */
export const writesSameToEnd = (lu: StorageObject): boolean => lu.attributes.values.max_write_same_len === 0;

/** WRITE SAME's rules beyond its usage bits (SBC-3 5.43). @param byte where the CDB has the number of blocks */
export function checkWriteSame(lu: StorageObject, blocks: number, byte: number): void {
  const most = lu.attributes.values.max_write_same_len;
  if (most !== 0 && (blocks === 0 || blocks > most)) throw invalidCdb(byte, 7);
}

/**
 * Writes one block (`ndob`: of zeros) to each block of a range. With `unmap` a block of zeros becomes unmapped instead,
 * which reads the same.
 */
export async function writeSame(
  lu: StorageObject,
  asked: { lba: number; blocks: number; unmap: number; ndob?: number },
  task: Task,
): Promise<Completion> {
  const cdb = { ...asked, blocks: asked.blocks || lu.blocks - asked.lba };
  const block = cdb.ndob === 1 ? new Uint8Array(lu.blockSize) : task.dataOut;
  const zeros = block.every((byte) => byte === 0);
  const volume = mediumOf(lu);
  return held(lu, cdb.lba, cdb.blocks, async () => {
    if (zeros && cdb.unmap === 1) await discard(lu, cdb.lba, cdb.blocks, task);
    else if (zeros && volume.writeZeroes) await zero(lu, volume, cdb, task);
    else await fill(lu, volume, cdb, block, task);
    return good;
  });
}

async function zero(
  lu: StorageObject,
  volume: Volume,
  cdb: { lba: number; blocks: number },
  task: Task,
): Promise<void> {
  for (const [from, count] of inPieces(cdb.lba, cdb.blocks, pieceBlocksMax)) {
    if (task.aborted || task.terminated) return;
    await volume.writeZeroes!(from * lu.blockSize, count * lu.blockSize, false);
  }
}

async function fill(
  lu: StorageObject,
  volume: Volume,
  cdb: { lba: number; blocks: number },
  block: Uint8Array,
  task: Task,
): Promise<void> {
  const most = Math.floor(pieceBytesMax / lu.blockSize);
  const piece = Buffer.alloc(Math.min(cdb.blocks, most) * lu.blockSize, block);
  for (const [from, count] of inPieces(cdb.lba, cdb.blocks, most)) {
    if (task.aborted || task.terminated) return;
    // A volume in memory is done at once: others shall have their turn.
    await breathe();
    await volume.write(piece.subarray(0, count * lu.blockSize), from * lu.blockSize, false);
  }
}

/** Cuts a range into [first block, blocks] of at most `most` blocks. */
function* inPieces(lba: number, blocks: number, most: number): Generator<readonly [number, number]> {
  for (let done = 0; done < blocks; done += most) yield [lba + done, Math.min(most, blocks - done)];
}

const lbaStatusHeaderBytes = 8;
const lbaStatusBytes = 16;
/** Descriptors in one answer. */
const lbaStatusCountMax = 256;
const deallocated = 1;

/** SBC-3 5.4: extents from an address on; a volume that cannot tell has everything mapped. */
export async function lbaStatus(lu: StorageObject, lba: number, allocation: number): Promise<Completion> {
  const volume = mediumOf(lu);
  const wanted = Math.floor((allocation - lbaStatusHeaderBytes) / lbaStatusBytes);
  const count = Math.min(lbaStatusCountMax, Math.max(1, wanted));
  const data = Buffer.alloc(lbaStatusHeaderBytes + count * lbaStatusBytes);
  let at = lbaStatusHeaderBytes;
  let from = lba;
  while (at < data.length && from < lu.blocks) {
    const extent = await extentFrom(lu, volume, from);
    data.writeBigUInt64BE(BigInt(from), at);
    data.writeUInt32BE(extent.end - from, at + 8);
    data[at + 12] = extent.allocated ? 0 : deallocated;
    from = extent.end;
    at += lbaStatusBytes;
  }
  data.writeUInt32BE(at - 4, 0);
  return allocated(data.subarray(0, at), allocation);
}

/** In blocks: a block that is a hole only in part is mapped. */
async function extentFrom(
  lu: StorageObject,
  volume: Volume,
  from: number,
): Promise<{ allocated: boolean; end: number }> {
  const limit = Math.min(lu.blocks, from + 0xffffffff);
  if (!volume.extentAt) return { allocated: true, end: limit };
  const extent = await volume.extentAt(from * lu.blockSize, limit * lu.blockSize);
  const blocks = extent.end / lu.blockSize;
  if (extent.allocated) return { allocated: true, end: Math.ceil(blocks) };
  return Math.floor(blocks) > from ? { allocated: false, end: Math.floor(blocks) } : { allocated: true, end: from + 1 };
}
