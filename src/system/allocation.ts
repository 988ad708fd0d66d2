/** The space of a file: taking it, giving it back, zeroing it, and asking for its extents and for free space. */

import { fstat, fstatSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemErrorCode } from '../errors.ts';
import { fileOf } from './descriptor.ts';
import { foreignCall } from './ffi.ts';
import { fallocate, waitingIo } from './waiting-io.ts';

/** fallocate(2) */
const mode = { allocate: 0, keepSize: 0x01, punchHole: 0x02, zeroRange: 0x10 } as const;
/** lseek(2) */
const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** The unit of st_blocks in stat(2), whatever the file system's blocks are. */
export const statBlockBytes = 512;

const fstatLater = promisify(fstat);

const lseek = foreignCall('lseek', 'int64', ['int', 'int64', 'int']);

/** Whether space can be taken without writing zeros. */
export const canAllocate = (): boolean => fallocate() !== undefined;

/** Takes space up to `length` bytes, which read as zeros; the file grows to it. @throws ENOSPC, ENOTSUP … */
export async function allocateSpace(fd: number, position: number, length: number): Promise<void> {
  await waitingIo().allocate(fd, mode.allocate, position, length);
}

/** Whether holes can be punched into this file: tried behind its end, where there is nothing to lose. */
export function canPunchHoles(fd: number): boolean {
  return fallocate()?.now(fd, mode.punchHole | mode.keepSize, fstatSync(fd).size, 1) === 0;
}

/** Gives the range's space back; it reads as zeros, also its edges that fill no whole block. */
export async function punchHole(fd: number, position: number, length: number): Promise<void> {
  await waitingIo().allocate(fd, mode.punchHole | mode.keepSize, position, length);
}

/** Zeros the range and keeps its space. @returns false when the file system cannot (tmpfs), and nothing happened */
export async function zeroRange(fd: number, position: number, length: number): Promise<boolean> {
  if (!canAllocate()) return false;
  try {
    await waitingIo().allocate(fd, mode.zeroRange | mode.keepSize, position, length);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOTSUP') return false;
    throw error;
  }
}

/** The end of the file: nobody reads from its offset. Negative where that cannot be asked. */
export const endOf = (fd: number): number => lseek()?.now(fd, 0, SEEK_END) ?? -1;

/** Whether `extentAt` tells data from holes here; file systems that do not know holes call all of it data. */
export const canSeekExtents = (): boolean => lseek() !== undefined;

/** Whether the file holds data at `position`, and the end of that extent (`limit` at most). */
export async function extentAt(
  fd: number,
  position: number,
  limit: number,
): Promise<{ allocated: boolean; end: number }> {
  const seek = async (whence: number) => {
    try {
      return (await lseek()?.later(fd, position, whence)) ?? limit;
    } catch (error) {
      if (systemErrorCode(error) === 'ENXIO') return limit;
      throw error;
    }
  };
  const data = await seek(SEEK_DATA);
  if (data > position) return { allocated: false, end: Math.min(data, limit) };
  return { allocated: true, end: Math.min(await seek(SEEK_HOLE), limit) };
}

/** The bytes that the file takes of its file system, and the bytes left there for users other than root, as df(1) says. */
export async function spaceOf(fd: number, path: string): Promise<{ allocated: number; available: number }> {
  const [{ blocks }, { bavail, bsize }] = await Promise.all([fstatLater(fd), statfs(fileOf(fd, path))]);
  return { allocated: blocks * statBlockBytes, available: bavail * bsize };
}
