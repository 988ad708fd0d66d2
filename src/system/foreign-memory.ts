/**
 * Memory outside of V8's heap, which the kernel or a library reads and writes while JavaScript goes on: no garbage collector moves or
 * frees it, even when its user, or the thread, is gone. It takes pages as they are touched.
 */

import { foreignCall, viewOf } from './ffi.ts';
import { systemError } from './system-error.ts';

/** mmap(2), madvise(2) */
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
const MADV_DONTFORK = 10;

const mmap = foreignCall('mmap64', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64']);
const munmap = foreignCall('munmap', 'int', ['int64', 'size_t']);
const madvise = foreignCall('madvise', 'int', ['int64', 'size_t', 'int']);

export interface ForeignMemory {
  readonly address: number;
  readonly bytes: ArrayBuffer;
  /** Frees the memory, which nobody reads or writes any more. */
  release(): void;
}

/** Maps memory of zeros. @throws a system error: ENOSYS where there are no foreign calls */
export function foreignMemory(length: number): ForeignMemory {
  const [map, unmap] = [mmap(), munmap()];
  if (!map || !unmap) throw systemError('ENOSYS', 'mmap');
  const address = map.now(0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
  if (address < 0) throw systemError(-address, 'mmap');
  // A fork of this process, on its way to another program, would otherwise copy pages that the kernel is writing to.
  madvise()?.now(address, length, MADV_DONTFORK);
  return { address, bytes: viewOf(address, length), release: () => void unmap.now(address, length) };
}
