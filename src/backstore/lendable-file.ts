/**
 * A file in memory, whose pages can be lent (`Volume.lend`). Of a hole nothing is: to send it from its place, the kernel
 * would fill it with memory. So it is remembered which parts of the file are data from end to end.
 */

import { availableParallelism, totalmem } from 'node:os';
import { hasVectors, type IoVector } from '../system/io-vector.ts';
import { type MemoryMap, mapFile } from '../system/memory-map.ts';
import { isCached } from '../system/page-cache.ts';

/** Parts are told apart in this size: asking the kernel about one costs half a microsecond. */
const partBytes = 64 * 1024;
/**
 * Bytes that an event loop may have mapped. What is mapped seems to be the process's own: it is the first to go when the
 * machine runs out of memory.
 */
const mappedBytesMax = totalmem() / 8 / availableParallelism();
let mappedBytes = 0;

const state = { unknown: 0, data: 1, holes: 2 } as const;

export class LendableFile {
  readonly #fd: number;
  readonly #map: MemoryMap;
  /** By position / partBytes. */
  readonly #parts: Uint8Array;

  private constructor(fd: number, map: MemoryMap) {
    this.#fd = fd;
    this.#map = map;
    this.#parts = new Uint8Array(Math.ceil(map.length / partBytes));
  }

  /** Undefined where files cannot be mapped, and when too many are. @param before what will be closed when this is there */
  static of(fd: number, size: number, writable: boolean, before?: LendableFile): LendableFile | undefined {
    const others = mappedBytes - (before ? before.#map.length : 0);
    const map = hasVectors && others + size <= mappedBytesMax ? mapFile(fd, size, writable) : undefined;
    if (!map) return undefined;
    mappedBytes += size;
    return new LendableFile(fd, map);
  }

  /** Of a file that is as long as it was. @returns false when a part of it may be a hole */
  lend(position: number, length: number, to: IoVector): boolean {
    const last = Math.floor((position + length - 1) / partBytes);
    for (let part = Math.floor(position / partBytes); part <= last; part += 1)
      if (this.#parts[part] !== state.data && !this.#look(part)) return false;
    to.add(this.#map.address + position, length);
    return true;
  }

  /** @returns whether the part is data from end to end */
  #look(part: number): boolean {
    if (this.#parts[part] === state.holes) return false;
    const start = part * partBytes;
    const whole = isCached(this.#fd, start, Math.min(partBytes, this.#map.length - start));
    this.#parts[part] = whole ? state.data : state.holes;
    return whole;
  }

  /** Something was written: holes may be gone. */
  written(position: number, length: number): void {
    const last = Math.floor((position + length - 1) / partBytes);
    for (let part = Math.floor(position / partBytes); part <= last; part += 1)
      if (this.#parts[part] === state.holes) this.#parts[part] = state.unknown;
  }

  /** Holes are about to come. */
  emptying(position: number, length: number): void {
    this.#mark(state.holes, position, length);
  }

  /** Holes may have come. */
  emptied(position: number, length: number): void {
    this.#mark(state.unknown, position, length);
  }

  #mark(as: number, position: number, length: number): void {
    this.#parts.fill(as, Math.floor(position / partBytes), Math.ceil((position + length) / partBytes));
  }

  /** Nothing that was lent may be unsent. */
  close(): void {
    mappedBytes -= this.#map.length;
    this.#map.unmap();
  }
}
