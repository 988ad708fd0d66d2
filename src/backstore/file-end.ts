/**
 * Watches whether the file behind a volume is still whole. Another process may cut the file short while it is served, and then the next
 * write behind the cut would make it longer again, with zeros where data were: the data behind a cut is lost for as long as the volume is
 * open, whatever length the file has later.
 */

import { fstat, fstatSync } from 'node:fs';
import { promisify } from 'node:util';
import { endOf } from '../system/allocation.ts';

const fstatLater = promisify(fstat);

/** Watches the end of an open file. */
export class FileEnd {
  readonly #fd: number;
  /** Whether asking never waits because the file is not on the other side of a network. */
  readonly #isNear: boolean;
  /** The position of the first byte that is lost. */
  #cutAt = Number.POSITIVE_INFINITY;
  #isKnown = false;
  /** Whether something was written since the file was found whole: after a cut, a write may have made it longer again. */
  #wrote = false;
  #writing = 0;
  readonly #forget = () => {
    this.#isKnown = false;
  };

  constructor(fd: number, isNear: boolean) {
    this.#fd = fd;
    this.#isNear = isNear;
  }

  /** The position up to which the file is unharmed, of `size` bytes; a file that is near is asked once in a turn of the event loop. */
  whole(size: number): number {
    if (!this.#isKnown && this.#isNear) {
      this.#found(this.#end(), size);
      this.#isKnown = true;
      queueMicrotask(this.#forget);
    }
    return Math.min(this.#cutAt, size);
  }

  /** Notes that something is about to be written, within this turn of the event loop. */
  wrote(): void {
    this.#wrote = true;
  }

  /** Does work that may make the file longer, up to `end`. @returns the position up to which the file is then unharmed */
  async writing(size: number, end: number, work: () => Promise<void>): Promise<number> {
    if (!this.#isNear) this.#found((await fstatLater(this.#fd)).size, size);
    if (this.#cutAt < end) return this.#cutAt;
    this.#writing += 1;
    try {
      await work();
      this.#found(this.#isNear ? this.#end() : (await fstatLater(this.#fd)).size, size);
    } catch (error) {
      this.#wrote = true;
      throw error;
    } finally {
      this.#writing -= 1;
    }
    return Math.min(this.#cutAt, size);
  }

  /** Takes the file for whole again, because an operator has opened it anew. */
  mended(): void {
    this.#cutAt = Number.POSITIVE_INFINITY;
    this.#isKnown = false;
  }

  #end(): number {
    const end = endOf(this.#fd);
    return end < 0 ? fstatSync(this.#fd).size : end;
  }

  #found(end: number, size: number): void {
    if (end < size && end < this.#cutAt) this.#cutAt = this.#wrote || this.#writing > 0 ? 0 : end;
    this.#wrote = false;
  }
}
