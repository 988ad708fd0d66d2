/** Buffers for data-out that are used again: fresh memory costs more than the copy into it. */

import { leaveToCollector } from '../system/collector.ts';
import { pooledBytesMax } from './limits.ts';

/** The smallest and the largest buffer that is kept: smaller ones are not worth it, larger ones too rare. */
const smallest = 4096;
const largest = 1024 * 1024;

/** Free buffers by size class: powers of two from `smallest`. */
const free: Uint8Array[][] = [];
let freeBytes = 0;

const classOf = (bytes: number): number => 32 - Math.clz32((bytes - 1) >>> 12);

/** A buffer of at least `bytes` bytes, with old contents. */
export function borrowBuffer(bytes: number): Uint8Array {
  if (bytes < smallest || bytes > largest) return Buffer.allocUnsafeSlow(bytes);
  const size = classOf(bytes);
  const buffer = free[size]?.pop();
  if (!buffer) return Buffer.allocUnsafeSlow(smallest << size);
  freeBytes -= buffer.length;
  return buffer;
}

/** Takes back a buffer of `borrowBuffer`, once nobody reads or writes it any more. */
export function giveBack(buffer: Uint8Array): void {
  const { length } = buffer;
  const size = classOf(length);
  const isKept = length >= smallest && length <= largest && smallest << size === length;
  if (!isKept || freeBytes + length > pooledBytesMax) {
    leaveToCollector(length);
    return;
  }
  free[size] ??= [];
  free[size].push(buffer);
  freeBytes += length;
}

/** Drops a buffer of `borrowBuffer` that somebody may still read or write: it is never lent again. */
export function abandonBuffer(buffer: Uint8Array): void {
  leaveToCollector(buffer.length);
}
