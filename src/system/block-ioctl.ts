/** Discarding and zeroing on a block device (linux/fs.h; the numbers are the same on x86-64 and arm64). */

import { foreignCall } from './ffi.ts';

const BLKDISCARD = 0x1277;
const BLKZEROOUT = 0x127f;

const ioctl = foreignCall('ioctl', 'int', ['int', 'ulong', 'void *']);

/** Whether these calls can be made here. */
export const canControlBlockDevices = (): boolean => ioctl() !== undefined;

/** Gives a range back; the device decides what reads give afterwards. Whole logical blocks. @throws ENOTSUP, EINVAL … */
export const discardBlocks = (fd: number, position: number, length: number): Promise<void> =>
  onRange(fd, BLKDISCARD, position, length);

/** Zeros a range and keeps its space, by the device's own means when it has any. Whole logical blocks. */
export const zeroBlocks = (fd: number, position: number, length: number): Promise<void> =>
  onRange(fd, BLKZEROOUT, position, length);

async function onRange(fd: number, request: number, position: number, length: number): Promise<void> {
  const range = BigUint64Array.of(BigInt(position), BigInt(length));
  await ioctl()?.later(fd, request, range);
}
