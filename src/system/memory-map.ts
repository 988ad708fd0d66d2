/**
 * Maps a file into memory for the kernel, which reads and writes it by address (mmap(2)). JavaScript never looks into it: a file that
 * shrinks takes pages away.
 */

import { foreignCall } from './ffi.ts';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

const mmap = foreignCall('mmap64', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64']);
const munmap = foreignCall('munmap', 'int', ['int64', 'size_t']);

export interface MemoryMap {
  /** The address of the file's first byte. */
  readonly address: number;
  readonly length: number;
  /** Unmaps the file. No system call may be given the address any more. */
  unmap(): void;
}

/** Maps the first `length` bytes of an open file. Undefined where files cannot be mapped. */
export function mapFile(fd: number, length: number, writable: boolean): MemoryMap | undefined {
  const [map, unmap] = [mmap(), munmap()];
  const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  if (!map || !unmap) return undefined;
  const address = map.now(0, length, protection, MAP_SHARED, fd, 0);
  if (address <= 0) return undefined;
  return { address, length, unmap: () => void unmap.now(address, length) };
}
