/** Reads and writes that do not wait: whether the page cache holds the data, and whether the kernel is about to make writers wait. */

import { fstatSync, readFileSync, statfsSync } from 'node:fs';
import { addressOf, foreignCall } from './ffi.ts';

const RWF_NOWAIT = 8;
const EAGAIN = -11;
/** The f_type, in statfs(2), of file systems that are memory: tmpfs, ramfs. */
const memoryFileSystems: readonly number[] = [0x01021994, 0x858458f6];

const preadv2 = foreignCall('preadv2', 'int64', ['int', 'void *', 'int', 'int64', 'int']);
/** A struct iovec: base, length. One is enough, as the call does not outlive its turn. */
const iovec = new BigUint64Array(2);

/**
 * Whether the open file lies in memory, so that reading and writing it never waits for a device. A device's node lies in a
 * file system in memory, too (devtmpfs), and what is behind it does not.
 */
export function isInMemory(fd: number): boolean {
  if (process.platform !== 'linux') return false;
  return fstatSync(fd).isFile() && memoryFileSystems.includes(statfsSync(`/proc/self/fd/${fd}`).type);
}

/** Whether `readCached` can be used on this file, by the answer of the kernel and the file system (preadv2(2), RWF_NOWAIT). */
export function canReadCached(fd: number): boolean {
  const count = nowait(fd, new Uint8Array(1), 0);
  return count !== undefined && (count >= 0 || count === EAGAIN);
}

/** Fills `into` when the page cache holds all of it and returns true; otherwise the contents of `into` mean nothing. */
export function readCached(fd: number, into: Uint8Array, position: number): boolean {
  return nowait(fd, into, position) === into.length;
}

function nowait(fd: number, into: Uint8Array, position: number): number | undefined {
  const call = preadv2();
  if (!call) return undefined;
  iovec[0] = addressOf(into);
  iovec[1] = BigInt(into.length);
  return call.now(fd, iovec, 1, position, RWF_NOWAIT);
}

/** The number of cachestat(2), Linux 6.5, on every architecture. */
const SYS_cachestat = 451;
/** The bytes of a page on x86-64, and on most others. Where pages are larger, nothing seems to be cached. */
const pageBytes = 4096;
const syscall = foreignCall('syscall', 'int64', ['int64', 'int', 'void *', 'void *', 'int']);
/** The layouts of struct cachestat_range (offset, length) and struct cachestat (pages in the cache, and four more counts). */
const cacheRange = new BigUint64Array(2);
const cacheCounts = new BigUint64Array(5);

/** Whether the page cache holds all of a range, without reading it. False also where the kernel does not say. */
export function isCached(fd: number, position: number, length: number): boolean {
  const call = syscall();
  if (!call) return false;
  cacheRange[0] = BigInt(position);
  cacheRange[1] = BigInt(length);
  if (call.now(SYS_cachestat, fd, cacheRange, cacheCounts, 0) !== 0) return false;
  const pages = Math.ceil((position + length) / pageBytes) - Math.floor(position / pageBytes);
  return Number(cacheCounts[0]) === pages;
}

/**
 * Whether the machine holds so many unwritten pages that the kernel is about to make writers wait
 * (balance_dirty_pages lets them run freely up to half-way between the background and the hard threshold).
 */
export function writersAreNearThrottling(): boolean {
  const vmstat = readFileSync('/proc/vmstat', 'latin1');
  const pages = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(vmstat)?.[1] ?? Number.NaN);
  return pages('nr_dirty') + pages('nr_writeback') > pages('nr_dirty_background_threshold');
}
