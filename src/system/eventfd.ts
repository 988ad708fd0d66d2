/** eventfd(2): a count in the kernel that one process raises and another waits for. */

import { readlinkSync } from 'node:fs';
import { foreignCall } from './ffi.ts';

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;
/** A count is eight bytes. */
const countBytes = 8;

const eventfdCall = foreignCall('eventfd', 'int', ['uint', 'int']);
const fcntl = foreignCall('fcntl', 'int', ['int', 'int', 'int']);
const read = foreignCall('read', 'int64', ['int', 'void *', 'size_t']);
const write = foreignCall('write', 'int64', ['int', 'void *', 'size_t']);

const one = new BigUint64Array([1n]);
const count = new BigUint64Array(1);

/** A new one. Undefined where it cannot be had. */
export function openEvent(): number | undefined {
  const fd = eventfdCall()?.now(0, EFD_CLOEXEC | O_NONBLOCK) ?? -1;
  return fd < 0 ? undefined : fd;
}

/** Whether a descriptor that came from elsewhere is one; from then on no call on it waits, whoever opened it. */
export function takeEvent(fd: number): boolean {
  let name: string;
  try {
    name = readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return false;
  }
  if (name !== 'anon_inode:[eventfd]') return false;
  const flags = fcntl()?.now(fd, F_GETFL, 0) ?? -1;
  return flags >= 0 && fcntl()!.now(fd, F_SETFL, flags | O_NONBLOCK) === 0;
}

/** Takes the count back to 0. */
export function clearEvent(fd: number): void {
  read()?.now(fd, count, countBytes);
}

/** Raises the count by 1. One that is as high as can be is noticed all the same. */
export function raiseEvent(fd: number): void {
  write()?.now(fd, one, countBytes);
}
