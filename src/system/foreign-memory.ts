/**
 * Memory outside of V8's heap, for what others read and write while JavaScript goes on: no garbage collector moves or frees
 * it, whatever becomes of who asked, or of the thread. It takes pages as they are touched.
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
  /** Nobody reads or writes it any more. */
  release(): void;
}

/** Memory of zeros. @throws a system error: ENOSYS where there are no foreign calls */
export function foreignMemory(length: number): ForeignMemory {
  const map = mmap();
  if (!map) throw systemError('ENOSYS', 'mmap');
  const address = map.now(0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
  if (address < 0) throw systemError(-address, 'mmap');
  // A copy of this process, on its way to another program, would take pages that somebody is writing to.
  madvise()?.now(address, length, MADV_DONTFORK);
  return { address, bytes: viewOf(address, length), release: () => void munmap()!.now(address, length) };
}
