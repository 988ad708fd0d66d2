/**
 * Whether an event loop that has nothing to do should look at its sockets once more before it sleeps. Waking a halted
 * core takes longer than most initiators take to send the next command; looking in vain costs what others could use.
 */

/** How long an answer's successor is looked for, in milliseconds. */
const lingerMs = 0.1;
/** Credit for successors that came in time; what a vain look costs of it; its bounds. */
const creditMax = 16;
const vainCost = 4;
const creditMin = -64;

export class Linger {
  #credit = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  /** Requests came. */
  received(now: number): void {
    if (now - this.#answeredAt < lingerMs && this.#credit < creditMax) this.#credit += 1;
  }

  /** What came is answered. @returns whether looking for more is worth it */
  answered(now: number): boolean {
    this.#answeredAt = now;
    return this.#credit > 0;
  }

  /** Whether to look again. */
  goesOn(now: number): boolean {
    if (now - this.#answeredAt < lingerMs) return true;
    this.#credit = Math.max(creditMin, this.#credit - vainCost);
    return false;
  }
}

const loop = new Linger();
let looking = false;

/** What came is answered: the loop looks at its sockets again, if that is worth it. */
export function linger(): void {
  const now = performance.now();
  loop.received(now);
  if (!loop.answered(now) || looking) return;
  looking = true;
  setImmediate(look);
}

/** A pending immediate makes the event loop look without sleeping. */
function look(): void {
  looking = loop.goesOn(performance.now());
  if (looking) setImmediate(look);
}
