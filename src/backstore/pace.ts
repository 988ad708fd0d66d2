/**
 * Whether a call that may block is worth trying on the event loop. A slow one makes the following ones wait
 * elsewhere for a while, and the while doubles for as long as they stay slow.
 *
 * This is how a loop that serves many volumes keeps one cold or throttled file from making the others wait, where the
 * kernel offers no way to ask first: it has none for buffered writes.
 */

/** A call may take this long … */
const quickMs = 0.1;
/** … and longer in proportion to what it moves: 1 GB/s is still the page cache. */
const bytesPerMs = 1_000_000;
/** Judges calls by how long they took. */
export class Pace {
  readonly #restMin: number;
  readonly #restMax: number;
  /** Calls that are still to wait elsewhere. */
  #rest = 0;
  #nextRest: number;

  /** Calls that wait elsewhere after a slow one: so many at first, and at most. */
  constructor(restMin: number, restMax: number) {
    this.#restMin = restMin;
    this.#restMax = restMax;
    this.#nextRest = restMin;
  }

  /** Asked once for each call: true when it may run on the event loop. */
  mayTry(): boolean {
    if (this.#rest === 0) return true;
    this.#rest -= 1;
    return false;
  }

  /** How long a call on the event loop took, and how much it moved. */
  took(milliseconds: number, bytes: number): void {
    if (milliseconds <= quickMs + bytes / bytesPerMs) this.quick();
    else this.slow();
  }

  quick(): void {
    this.#nextRest = Math.max(this.#restMin, this.#nextRest / 2);
  }

  /** The next calls wait elsewhere. */
  slow(): void {
    this.#rest = this.#nextRest;
    this.#nextRest = Math.min(this.#restMax, this.#nextRest * 2);
  }
}
