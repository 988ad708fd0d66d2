/** Direct I/O (open(2), O_DIRECT): reads and writes past the page cache, of whole blocks, from memory that begins at a block's boundary. */

import { readSync } from 'node:fs';
import { addressOf, foreignCall } from './ffi.ts';

/** statx(2) */
const AT_EMPTY_PATH = 0x1000;
const STATX_DIOALIGN = 0x2000;
const structBytes = 256;
/** The offsets of stx_dio_mem_align and stx_dio_offset_align. */
const memoryAlignAt = 152;
const offsetAlignAt = 156;

/**
 * The bytes of a page. Every device and file system takes memory that begins at a page, and blocks as long, unless it says that it takes
 * shorter ones.
 */
const pageBytes = 4096;

const statx = foreignCall('statx', 'int', ['int', 'str', 'int', 'uint', 'void *']);

/**
 * The bytes of a block that can be read and written by itself.
 * @param fd opened with O_DIRECT
 * @returns undefined where direct I/O cannot be had
 */
export function directBlockBytes(fd: number): number | undefined {
  const call = statx();
  if (!call) return undefined;
  const answer = Buffer.alloc(structBytes);
  const isKnown = call.now(fd, '', AT_EMPTY_PATH, STATX_DIOALIGN, answer) === 0;
  if (!isKnown || (answer.readUInt32LE(0) & STATX_DIOALIGN) === 0) return canReadPage(fd) ? pageBytes : undefined;
  const [memory, offset] = [answer.readUInt32LE(memoryAlignAt), answer.readUInt32LE(offsetAlignAt)];
  return offset > 0 && memory <= pageBytes ? offset : undefined;
}

/** Tries a file system that does not say its alignment (Linux before 6.1, FUSE). */
function canReadPage(fd: number): boolean {
  try {
    readSync(fd, alignedMemory(pageBytes), 0, pageBytes, 0);
    return true;
  } catch {
    return false;
  }
}

/** Memory that begins at a page. It needs foreign calls. */
export function alignedMemory(bytes: number): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(bytes + pageBytes);
  const before = Number(addressOf(buffer) % BigInt(pageBytes));
  const from = before === 0 ? 0 : pageBytes - before;
  return buffer.subarray(from, from + bytes);
}
