/**
 * Reads and writes that do not wait, on a part of a file: pread(2) and pwrite(2). Node's own calls cost twice as much besides the
 * kernel's part, which is a noticeable part of a command.
 */

import { readSync, writeSync } from 'node:fs';
import { foreignCall } from './ffi.ts';

/** The calls by the names whose offsets have 64 bits on every architecture; where the C library has only the others, Node's calls are used. */
const pread = foreignCall('pread64', 'int64', ['int', 'void *', 'size_t', 'int64']);
const pwrite = foreignCall('pwrite64', 'int64', ['int', 'void *', 'size_t', 'int64']);

/** Fills all of `into`. False for an error, too: an asynchronous call that follows says which. */
export function readWhole(fd: number, into: Uint8Array, position: number): boolean {
  const call = pread();
  if (call) return call.now(fd, into, into.length, position) === into.length;
  try {
    return readSync(fd, into, 0, into.length, position) === into.length;
  } catch {
    return false;
  }
}

/** Writes all of `from`. False for an error, too, and when a part was written. */
export function writeWhole(fd: number, from: Uint8Array, position: number): boolean {
  const call = pwrite();
  if (call) return call.now(fd, from, from.length, position) === from.length;
  try {
    return writeSync(fd, from, 0, from.length, position) === from.length;
  } catch {
    return false;
  }
}
