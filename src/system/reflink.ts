/**
 * Files that share blocks: one gets the contents of another at once, and each goes its own way when it is written to (FICLONE,
 * ioctl_ficlonerange(2)).
 */

import { foreignCall } from './ffi.ts';

const FICLONE = 0x40049409;
const FICLONERANGE = 0x4020940d;
const EINVAL = -22;

const clone = foreignCall('ioctl', 'int', ['int', 'ulong', 'long']);
const cloneRange = foreignCall('ioctl', 'int', ['int', 'ulong', 'void *']);

/**
 * Whether the file system of an open file can share its blocks. It is asked to put the first bytes of the file in their own place: a file
 * system that can share refuses that as an overlap, and nothing changes either way.
 */
export function canShareBlocks(fd: number): boolean {
  const overlap = BigInt64Array.of(BigInt(fd), 0n, 4096n, 0n);
  const answer = cloneRange()?.now(fd, FICLONERANGE, overlap);
  return answer === 0 || answer === EINVAL;
}

/** Gives the file behind `to` the contents of the file behind `from`. Bytes behind their end stay. @throws ENOTSUP, EXDEV, ENOSPC … */
export async function shareBlocks(from: number, to: number): Promise<void> {
  await clone()?.later(to, FICLONE, from);
}
