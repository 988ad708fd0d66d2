/**
 * Whether a call that may block is worth trying on the event loop. A slow one sends the following ones to the thread
 * pool for a while, and the while doubles for as long as they stay slow.
 *
 * This is how a loop that serves many volumes keeps one cold or throttled file from making the others wait, where the
 * kernel offers no way to ask first: it has none for buffered writes.
 */

/** A call may take this long … */
const quickMs = 0.1;
/** … and longer in proportion to what it moves: 1 GB/s is still the page cache. */
const bytesPerMs = 1_000_000;
/** Calls that a slow one sends to the thread pool: this many at first, and at most. */
const restMin = 8;
const restMax = 1024;

export class Pace {
  /** Calls that are still to go to the thread pool. */
  #rest = 0;
  #nextRest = restMin;

  /** Asked once for each call: true when it may run on the event loop. */
  mayTry(): boolean {
    if (this.#rest === 0) return true;
    this.#rest -= 1;
    return false;
  }

  /** What became of a call that ran on the event loop. */
  took(milliseconds: number, bytes: number): void {
    if (milliseconds <= quickMs + bytes / bytesPerMs) this.#nextRest = Math.max(restMin, this.#nextRest / 2);
    else this.rest();
  }

  /** Send the next calls to the thread pool, whatever they took so far. */
  rest(): void {
    this.#rest = this.#nextRest;
    this.#nextRest = Math.min(restMax, this.#nextRest * 2);
  }
}
