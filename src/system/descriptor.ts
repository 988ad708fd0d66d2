/** File descriptors of this process, which all its threads share. */

import { fstatSync, readdirSync, type Stats } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { systemErrorCode } from '../errors.ts';
import { foreignCall } from './ffi.ts';
import { systemError } from './system-error.ts';

/** The command of fcntl(2) for the lowest number that is free, closed in programs that are started. */
const F_DUPFD_CLOEXEC = 1030;

const close = foreignCall('close', 'int', ['int']);
// Variadic arguments are passed as all others, on x86-64 and on arm64.
const fcntl = foreignCall('fcntl', 'int', ['int', 'int', 'int']);

/** The descriptor under a socket. Node keeps it to itself; -1 where it has none. */
export function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null };
  return handle?.fd ?? -1;
}

/** Whether this process has a file open, whatever the file's name is by now. True where that cannot be told. */
export function isOpenHere({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): boolean {
  let descriptors: string[];
  try {
    descriptors = readdirSync('/proc/self/fd');
  } catch {
    return true;
  }
  return descriptors.some((fd) => {
    try {
      const found = fstatSync(Number(fd));
      return found.ino === ino && found.dev === dev;
    } catch {
      // The descriptor was closed meanwhile.
      return false;
    }
  });
}

/** Whether a socket can go to another thread here. */
export const canDuplicate = (): boolean => fcntl() !== undefined;

/**
 * A path by which an open file can be opened again: the file itself, even when its own path has come to mean another one; its own path
 * where there is no /proc.
 */
export const fileOf = (fd: number, path: string): string =>
  process.platform === 'linux' ? `/proc/self/fd/${fd}` : path;

/** Closes `copy` if it is still the connection that `fd` is: another owner may have closed it, and the number may mean something else now. */
export function closeCopy(copy: number, fd: number): void {
  try {
    // closeSync would make Node warn, in a worker, of a descriptor that it has not opened.
    if (fstatSync(copy).ino === fstatSync(fd).ino) new Socket({ fd: copy }).destroy();
  } catch (error) {
    if (systemErrorCode(error) !== 'EBADF') throw error;
  }
}

/** Closes a descriptor that a foreign call has opened: Node warns of descriptors that it has not opened itself. */
export function closeForeign(fd: number): void {
  close()?.now(fd);
}

/** A second descriptor of the same open file, of its own life. @throws a system error */
export function duplicateDescriptor(fd: number): number {
  const copy = fcntl()?.now(fd, F_DUPFD_CLOEXEC, 0) ?? -constants.errno.ENOSYS;
  if (copy < 0) throw systemError(-copy, 'fcntl');
  return copy;
}
