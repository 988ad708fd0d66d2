/**
 * Memory that two processes share by a descriptor, and that JavaScript looks into: a file whose pages cannot be taken away
 * (memfd_create(2), sealed against shrinking), since a look at a page that is gone ends the process.
 */

import { fstatSync } from 'node:fs';
import { closeForeign } from './descriptor.ts';
import { foreignCall, viewOf } from './ffi.ts';
import { systemError } from './system-error.ts';

const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const F_SEAL_SHRINK = 2;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

const memfdCreate = foreignCall('memfd_create', 'int', ['const char *', 'uint']);
const ftruncate = foreignCall('ftruncate64', 'int', ['int', 'int64']);
const fcntl = foreignCall('fcntl', 'int', ['int', 'int', 'int']);
const mmap = foreignCall('mmap64', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64']);
const munmap = foreignCall('munmap', 'int', ['int64', 'size_t']);

export interface SharedMemory {
  readonly address: number;
  readonly bytes: ArrayBuffer;
  /** Unmaps the memory. From then on, nobody looks into `bytes`, and no system call has it. */
  unmap(): void;
}

/** Whether nobody can take pages of it away. */
function isSealed(fd: number): boolean {
  const seals = fcntl()?.now(fd, F_GET_SEALS, 0) ?? -1;
  return seals >= 0 && (seals & F_SEAL_SHRINK) !== 0;
}

/**
 * Maps the first `length` bytes behind a descriptor, which stays open. @throws a system error: EPERM where it is not sealed, ERANGE where
 * it is shorter
 */
export function mapShared(fd: number, length: number): SharedMemory {
  if (!isSealed(fd)) throw systemError('EPERM', 'mmap');
  if (fstatSync(fd).size < length) throw systemError('ERANGE', 'mmap');
  const [map, unmap] = [mmap(), munmap()];
  if (!map || !unmap) throw systemError('ENOSYS', 'mmap');
  const address = map.now(0, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address <= 0) throw systemError(-address, 'mmap');
  return { address, bytes: viewOf(address, length), unmap: () => void unmap.now(address, length) };
}

/** Makes new memory, of zeros, to be shared. @returns its descriptor, which the caller closes @throws a system error */
export function createShared(name: string, length: number): number {
  const [create, truncate, control] = [memfdCreate(), ftruncate(), fcntl()];
  if (!create || !truncate || !control) throw systemError('ENOSYS', 'memfd_create');
  const fd = create.now(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw systemError(-fd, 'memfd_create');
  for (const result of [truncate.now(fd, length), control.now(fd, F_ADD_SEALS, F_SEAL_SHRINK)])
    if (result < 0) {
      closeForeign(fd);
      throw systemError(-result, 'memfd_create');
    }
  return fd;
}
