/** Buffers for data-out that are used again: fresh memory costs more than the copy into it. */

import { leaveToCollector } from '../system/collector.ts';
import { pooledBytesMax } from './limits.ts';

/** Smaller ones are not worth keeping, larger ones too rare. */
const smallest = 4096;
const largest = 1024 * 1024;

/** Free buffers by size class: powers of two from `smallest`. */
const free: Uint8Array[][] = [];
let freeBytes = 0;

const classOf = (bytes: number): number => 32 - Math.clz32((bytes - 1) >>> 12);

/** At least `bytes` bytes, with whatever was in them. */
export function borrowBuffer(bytes: number): Uint8Array {
  if (bytes < smallest || bytes > largest) return Buffer.allocUnsafeSlow(bytes);
  const size = classOf(bytes);
  const buffer = free[size]?.pop();
  if (!buffer) return Buffer.allocUnsafeSlow(smallest << size);
  freeBytes -= buffer.length;
  return buffer;
}

/** Takes back what `borrowBuffer` gave, once nobody reads or writes it any more. */
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

/** Lets go of what `borrowBuffer` gave while somebody may still read or write it: it is never lent again. */
export function abandonBuffer(buffer: Uint8Array): void {
  leaveToCollector(buffer.length);
}
