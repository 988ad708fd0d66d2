/**
 * Decides whether a call that may block is worth trying on the event loop. A slow call makes the following ones wait elsewhere for a
 * while, and the while doubles for as long as they stay slow.
 *
 * So a loop that serves many volumes keeps one cold or throttled file from making the others wait, where the kernel offers no way to ask
 * first: it has none for buffered writes.
 */

/** The time that any call may take … */
const quickMs = 0.1;
/** … and the bytes that gain a call more time: 1 GB/s is still the page cache. */
const bytesPerMs = 1_000_000;
/** Judges calls by the time that they took. */
export class Pace {
  readonly #restMin: number;
  readonly #restMax: number;
  /** The number of calls that are still to wait elsewhere. */
  #rest = 0;
  #nextRest: number;

  /** @param restMin the number of calls that wait elsewhere after a first slow one @param restMax the number after many */
  constructor(restMin: number, restMax: number) {
    this.#restMin = restMin;
    this.#restMax = restMax;
    this.#nextRest = restMin;
  }

  /** Whether the next call may run on the event loop; asked once for each call. */
  mayTry(): boolean {
    if (this.#rest === 0) return true;
    this.#rest -= 1;
    return false;
  }

  /** Takes the time of a call on the event loop, and the bytes that it moved. */
  took(milliseconds: number, bytes: number): void {
    if (milliseconds <= quickMs + bytes / bytesPerMs) this.quick();
    else this.slow();
  }

  quick(): void {
    this.#nextRest = Math.max(this.#restMin, this.#nextRest / 2);
  }

  /** Makes the next calls wait elsewhere. */
  slow(): void {
    this.#rest = this.#nextRest;
    this.#nextRest = Math.min(this.#restMax, this.#nextRest * 2);
  }
}
