/**
 * The locks by which programs of QEMU tell one another how they use an image: open file description locks (fcntl(2)) on single bytes,
 * which last as long as a process has the description open. Byte 100 + n says that the holder does what n stands for, byte 200 + n that
 * nobody else may (QEMU block/file-posix.c, "Locking").
 */

import { foreignCall } from './ffi.ts';

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** The permissions that serving an image needs: it is read, written and made larger; nobody else may do the two latter. */
const permissions = { read: 0, write: 1, resize: 3 } as const;
const used = 100;
const unshared = 200;
const bytes = {
  ours: [permissions.read, permissions.write, permissions.resize].map((one) => used + one),
  refused: [permissions.write, permissions.resize].map((one) => unshared + one),
};

const fcntl = foreignCall('fcntl', 'int', ['int', 'int', 'void *']);

/** A struct flock of 64-bit Linux: l_type, l_whence (SEEK_SET), l_start, l_len, l_pid. */
function flockOf(type: number, at: number): Buffer {
  const lock = Buffer.alloc(32);
  lock.writeInt16LE(type, 0);
  lock.writeBigInt64LE(BigInt(at), 8);
  lock.writeBigInt64LE(1n, 16);
  return lock;
}

/**
 * Locks an open image as QEMU does that writes to it, until every copy of its description is closed.
 * @returns false when somebody else uses the image in a way that cannot go along with that; undefined where such locks cannot be had
 */
export function lockImage(fd: number): boolean | undefined {
  const call = fcntl();
  if (!call) return undefined;
  for (const at of [...bytes.ours, ...bytes.refused])
    if (call.now(fd, F_OFD_SETLK, flockOf(F_RDLCK, at)) < 0) return undefined;
  // A program that forbids our use, or uses the image in a way that we forbid, has the byte that stands across from ours.
  const across = [...bytes.ours.map((at) => at + unshared - used), ...bytes.refused.map((at) => at + used - unshared)];
  return across.every((at) => {
    const found = flockOf(F_WRLCK, at);
    return call.now(fd, F_OFD_GETLK, found) < 0 || found.readInt16LE(0) === F_UNLCK;
  });
}
