/**
 * A file in memory, whose pages can be lent (`Volume.lend`). A hole cannot be lent: to send it from its place, the kernel would fill it
 * with memory. So the parts of the file that are data from end to end are remembered.
 */

import { availableParallelism, freemem } from 'node:os';
import { hasVectors, type IoVector } from '../system/io-vector.ts';
import { type MemoryMap, mapFile } from '../system/memory-map.ts';
import { isCached } from '../system/page-cache.ts';

/** The size of a part: asking the kernel about one costs half a microsecond. */
const partBytes = 64 * 1024;
/** The bytes that this event loop has mapped. */
let mappedBytes = 0;

/**
 * The bytes that this event loop may map besides. Mapped memory seems to be the process's own, and the largest process is the first to go
 * when the machine runs out of memory: so mappings take a part of free memory only.
 */
const roomNow = (): number => freemem() / 2 / availableParallelism() - mappedBytes;

const state = { unknown: 0, data: 1, holes: 2 } as const;

/** The pages of a file, to be lent. */
export class LendableFile {
  readonly #fd: number;
  readonly #map: MemoryMap;
  /** The state of each part, by position / partBytes. */
  readonly #parts: Uint8Array;

  private constructor(fd: number, map: MemoryMap) {
    this.#fd = fd;
    this.#map = map;
    this.#parts = new Uint8Array(Math.ceil(map.length / partBytes));
  }

  /**
   * Maps a file; of a file that is larger than `room`, its first part. Undefined where files cannot be mapped, or there is no room.
   * @param before the mapping that will be closed once this one is there
   */
  static of(
    fd: number,
    size: number,
    writable: boolean,
    before?: LendableFile,
    room = roomNow(),
  ): LendableFile | undefined {
    const has = room + (before ? before.#map.length : 0);
    const length = size <= has ? size : Math.floor(has / partBytes) * partBytes;
    const map = hasVectors && length > 0 ? mapFile(fd, length, writable) : undefined;
    if (!map) return undefined;
    mappedBytes += length;
    return new LendableFile(fd, map);
  }

  /** Lends a range of a file that is as long as it was. @returns false when a part of the range may be a hole, or is not mapped */
  lend(position: number, length: number, to: IoVector): boolean {
    if (position + length > this.#map.length) return false;
    const last = Math.floor((position + length - 1) / partBytes);
    for (let part = Math.floor(position / partBytes); part <= last; part += 1)
      if (this.#parts[part] !== state.data && !this.#look(part)) return false;
    to.add(this.#map.address + position, length);
    return true;
  }

  /** Looks at a part. @returns whether it is data from end to end */
  #look(part: number): boolean {
    if (this.#parts[part] === state.holes) return false;
    const start = part * partBytes;
    const whole = isCached(this.#fd, start, Math.min(partBytes, this.#map.length - start));
    this.#parts[part] = whole ? state.data : state.holes;
    return whole;
  }

  /** Notes a write: holes may be gone. */
  written(position: number, length: number): void {
    const last = Math.floor((position + length - 1) / partBytes);
    for (let part = Math.floor(position / partBytes); part <= last; part += 1)
      if (this.#parts[part] === state.holes) this.#parts[part] = state.unknown;
  }

  /** Notes that holes are about to come. */
  emptying(position: number, length: number): void {
    this.#mark(state.holes, position, length);
  }

  /** Notes that holes may have come. */
  emptied(position: number, length: number): void {
    this.#mark(state.unknown, position, length);
  }

  #mark(as: number, position: number, length: number): void {
    this.#parts.fill(as, Math.floor(position / partBytes), Math.ceil((position + length) / partBytes));
  }

  /** Unmaps the file. Every lent byte has to be sent before. */
  close(): void {
    mappedBytes -= this.#map.length;
    this.#map.unmap();
  }
}
