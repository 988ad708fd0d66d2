/** Discarding and zeroing on a block device (linux/fs.h), and the file of a loop device (linux/loop.h); the numbers are the same on x86-64 and arm64. */

import { foreignCall } from './ffi.ts';

const BLKDISCARD = 0x1277;
const BLKZEROOUT = 0x127f;
const LOOP_GET_STATUS64 = 0x4c05;
/** The words of struct loop_info64, which begins with the device and the inode of the file. */
const loopInfoWords = 29;

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

/** The file that a loop device is over, as stat(2) gives it. @throws a system error */
export async function fileOfLoopDevice(fd: number): Promise<{ dev: bigint; ino: bigint }> {
  const info = new BigUint64Array(loopInfoWords);
  await ioctl()?.later(fd, LOOP_GET_STATUS64, info);
  const [dev = 0n, ino = 0n] = info;
  return { dev, ino };
}
