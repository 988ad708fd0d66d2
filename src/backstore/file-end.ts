/**
 * Whether the file behind a volume is still whole. Another process may cut it short while it is served, and then the next
 * write behind the cut would make it longer again, with zeros where data were: what is behind a cut is lost for as long as
 * the volume is open, whatever length the file has later.
 */

import { fstat, fstatSync } from 'node:fs';
import { promisify } from 'node:util';
import { endOf } from '../system/allocation.ts';

const fstatLater = promisify(fstat);

/** Watches the end of an open file. */
export class FileEnd {
  readonly #fd: number;
  /** Asking never waits: the file is not on the other side of a network. */
  readonly #isNear: boolean;
  /** The first byte that is lost. */
  #cutAt = Number.POSITIVE_INFINITY;
  #isKnown = false;
  /** Since the file was whole: after a cut, one of them may have made it longer again. */
  #wrote = false;
  #writing = 0;
  readonly #forget = () => {
    this.#isKnown = false;
  };

  constructor(fd: number, isNear: boolean) {
    this.#fd = fd;
    this.#isNear = isNear;
  }

  /** Up to where the file is what it was, of `size` bytes; a file that is near is asked once in a turn of the event loop. */
  whole(size: number): number {
    if (!this.#isKnown && this.#isNear) {
      this.#found(this.#end(), size);
      this.#isKnown = true;
      queueMicrotask(this.#forget);
    }
    return Math.min(this.#cutAt, size);
  }

  /** Something is about to be written, within this turn of the event loop. */
  wrote(): void {
    this.#wrote = true;
  }

  /** Does what may make the file longer, up to `end`. @returns up to where it is whole then */
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

  /** The operator says that it has been looked after. */
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
