/** UNMAP and WRITE SAME: what takes space away or fills a range from one block (SBC-3 4.7, 5.28, 5.43). */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { bits, counting, decode, decodeAll, encode, type Field, record, u16, u32, u64 } from '../wire/layout.ts';
import { lbaOutOfRange, mediumOf } from './block-access.ts';
import type { StorageObject } from './logical-unit.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { rangeLocks } from './range-locks.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import { countWrite } from './statistics.ts';
import type { Completion, Task } from './task.ts';

/** UNMAP takes space away, which the volume and the operator allow. */
export const offersUnmap = (lu: StorageObject): boolean =>
  lu.attributes.values.emulate_tpu === 1 && lu.volume?.discard !== undefined;
/** WRITE SAME with UNMAP does. */
export const offersWriteSameUnmap = (lu: StorageObject): boolean =>
  lu.attributes.values.emulate_tpws === 1 && lu.volume?.discard !== undefined;

/** Bytes written at a time by WRITE SAME. */
const pieceBytesMax = 1024 * 1024;
/** Blocks discarded or zeroed in one call of the volume: task management gets a word in between. */
const pieceBlocksMax = 0x400000;

/** UNMAP's parameter list (SBC-3 5.28): block descriptors follow the header. */
const unmapHeader = record(8, { length: counting(u16(0)), descriptorsLength: counting(u16(2), 8) });
const unmapDescriptor = record(16, { lba: u64(0), blocks: u32(8) });

/** The parameter list of an UNMAP. */
export const unmapList = (ranges: readonly { readonly lba: number; readonly blocks: number }[]): Buffer =>
  encode(unmapHeader, {}, ...ranges.map((range) => encode(unmapDescriptor, range)));

/** SBC-3 5.28: every descriptor is checked before the first block goes. */
export async function unmapBlocks(lu: StorageObject, task: Task): Promise<Completion> {
  if (task.dataOutLength === 0) return good;
  const list = parameterList(task.dataOut, unmapHeader.length);
  const { descriptorsLength } = decode(unmapHeader, list);
  const end = unmapHeader.length + descriptorsLength;
  if (list.length < end) throw new CheckCondition(sense.parameterListLengthError);
  const ranges = decodeAll(unmapDescriptor, list.subarray(unmapHeader.length, end));
  const { max_unmap_block_desc_count, max_unmap_lba_count } = lu.attributes.values;
  if (ranges.length > max_unmap_block_desc_count) throw invalidParameter(unmapHeader.fields.descriptorsLength);
  const tooMany = (i: number) => {
    return invalidParameter(unmapDescriptor.fields.blocks, unmapHeader.length + i * unmapDescriptor.length);
  };
  for (const [i, { lba, blocks }] of ranges.entries()) {
    if (blocks > max_unmap_lba_count) throw tooMany(i);
    if (lba + blocks > lu.blocks) throw lbaOutOfRange(lu, lba);
  }
  if (ranges.reduce((sum, { blocks }) => sum + blocks, 0) > max_unmap_lba_count) throw tooMany(0);
  // SPC-4 7.3.6 counts it among the write commands.
  countWrite(lu, 0);
  for (const { lba, blocks } of ranges) await held(lu, lba, blocks, () => discard(lu, lba, blocks, task));
  return good;
}

/** How many blocks an UNMAP names, if its list is right. */
export function unmappedBlocks({ dataOut }: Task): number {
  const from = unmapHeader.length;
  const whole = dataOut.length - ((dataOut.length - from) % unmapDescriptor.length);
  if (whole <= from) return 0;
  return decodeAll(unmapDescriptor, Buffer.from(dataOut.subarray(from, whole))).reduce(
    (sum, { blocks }) => sum + blocks,
    0,
  );
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

/** WRITE SAME's rules beyond its usage bits (SBC-3 5.43). @param field where the CDB has the number of blocks */
export function checkWriteSame(lu: StorageObject, blocks: number, field: Field): void {
  const most = lu.attributes.values.max_write_same_len;
  if (most !== 0 && (blocks === 0 || blocks > most)) throw invalidCdb(field);
}

/**
 * Writes one block (`ndob`: of zeros) to each block of a range. With `unmap` a block of zeros becomes unmapped instead,
 * which reads the same.
 */
export async function writeSame(
  lu: StorageObject,
  asked: { lba: number; blocks: number; unmap: boolean; ndob?: boolean },
  task: Task,
): Promise<Completion> {
  const cdb = { ...asked, blocks: asked.blocks || lu.blocks - asked.lba };
  const block = cdb.ndob ? new Uint8Array(lu.blockSize) : task.dataOut;
  const zeros = block.every((byte) => byte === 0);
  const volume = mediumOf(lu);
  return held(lu, cdb.lba, cdb.blocks, async () => {
    if (zeros && cdb.unmap) await discard(lu, cdb.lba, cdb.blocks, task);
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

/** GET LBA STATUS's answer (SBC-3 5.4): descriptors follow the header. */
const lbaStatusHeader = record(8, { dataLength: counting(u32(0)) });
const lbaStatusDescriptor = record(16, { lba: u64(0), blocks: u32(8), status: bits(12, 0x0f) });
/** Descriptors in one answer. */
const lbaStatusCountMax = 256;
/** PROVISIONING STATUS (SBC-3 table 43). */
const provisioningStatus = { mapped: 0, deallocated: 1 } as const;

/** Bytes of an answer with so many descriptors. */
export const lbaStatusBytes = (count: number): number => lbaStatusHeader.length + count * lbaStatusDescriptor.length;

/** The extents of an answer. */
export function decodeLbaStatus(answer: Uint8Array): { lba: number; blocks: number; isMapped: boolean }[] {
  const { dataLength } = lbaStatusHeader.fields;
  const end = dataLength.counts + dataLength.get(answer, 0);
  return decodeAll(lbaStatusDescriptor, answer.subarray(0, end), lbaStatusHeader.length).map(
    ({ lba, blocks, status }) => {
      return { lba, blocks, isMapped: status === provisioningStatus.mapped };
    },
  );
}

/** SBC-3 5.4: extents from an address on; a volume that cannot tell has everything mapped. */
export async function lbaStatus(lu: StorageObject, lba: number, allocation: number): Promise<Completion> {
  const volume = mediumOf(lu);
  const wanted = Math.floor((allocation - lbaStatusHeader.length) / lbaStatusDescriptor.length);
  const count = Math.min(lbaStatusCountMax, Math.max(1, wanted));
  const descriptors: Uint8Array[] = [];
  for (let from = lba; descriptors.length < count && from < lu.blocks; ) {
    const extent = await extentFrom(lu, volume, from);
    const status = extent.allocated ? provisioningStatus.mapped : provisioningStatus.deallocated;
    descriptors.push(encode(lbaStatusDescriptor, { lba: from, blocks: extent.end - from, status }));
    from = extent.end;
  }
  return allocated(encode(lbaStatusHeader, {}, ...descriptors), allocation);
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
