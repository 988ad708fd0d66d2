/**
 * Decides whether an event loop that has nothing to do should look at its sockets once more before it sleeps. Waking a halted core takes
 * longer than most initiators take to send the next command; a look in vain costs time that others could use.
 */

import { lookAtRing } from '../system/waiting-io.ts';
import { lingerMs } from './settings.ts';
import { slicesWait } from './time-slice.ts';

/** The time in which one turn looks at nothing else. */
const turnMs = 0.1;
/** Credit is earned by successors that came in time, and spent on looks in vain, within bounds. */
const creditMax = 16;
const vainCost = 4;
const creditMin = -64;

export class Linger {
  /** The time for which an answer's successor is looked for, in milliseconds. */
  readonly lingerMs: number;
  #credit = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(ms: number) {
    this.lingerMs = ms;
  }

  /** Notes that requests came. */
  received(now: number): void {
    if (now - this.#answeredAt < this.lingerMs && this.#credit < creditMax) this.#credit += 1;
  }

  /** Notes that the requests are answered. @returns whether looking for more is worth it */
  answered(now: number): boolean {
    this.#answeredAt = now;
    return this.#credit > 0;
  }

  /** Whether to look again. */
  goesOn(now: number): boolean {
    if (now - this.#answeredAt < this.lingerMs) return true;
    this.#credit = Math.max(creditMin, this.#credit - vainCost);
    return false;
  }
}

/** A connection whose next request may be near. */
export interface AwaitedConnection {
  /**
   * Takes requests that have come, without waiting for any. @returns whether there were any; undefined when the connection is not to be
   * looked at
   */
  look(): boolean | undefined;
}

/** The lingering of this thread's event loop. */
let loop: Linger | undefined;
/** Connections that requests came over a moment ago, and the time. */
const awaited = new Map<AwaitedConnection, number>();
let looking = false;

/** Notes that the requests of `connection` are answered: it is looked at again before the loop sleeps, if that is worth it. */
export function linger(connection: AwaitedConnection): void {
  loop ??= new Linger(lingerMs());
  const now = performance.now();
  loop.received(now);
  if (!loop.answered(now)) return;
  awaited.set(connection, now);
  if (looking) return;
  looking = true;
  setImmediate(look, loop);
}

/** One turn, which looks at connections alone; all other work of the event loop comes between turns. */
function look(loop: Linger): void {
  let goesOn = false;
  // An error of a connection ends the turn, but this thread goes on looking later.
  try {
    goesOn = turn(loop);
  } finally {
    looking = goesOn;
    // A pending immediate makes the event loop look at everything else without sleeping.
    if (goesOn) setImmediate(look, loop);
    else awaited.clear();
  }
}

/** Takes a turn. @returns whether another one is worth it */
function turn(loop: Linger): boolean {
  const begin = performance.now();
  let now = begin;
  let goesOn: boolean;
  do {
    for (const [connection, cameAt] of awaited) {
      const came = connection.look();
      if (came) {
        loop.received(now);
        now = performance.now();
        loop.answered(now);
        awaited.set(connection, now);
      } else if (came === undefined || now - cameAt > loop.lingerMs) awaited.delete(connection);
    }
    now = performance.now();
    goesOn = loop.goesOn(now);
    // Requests that waited for a device go on when the turn has ended.
    if (lookAtRing()) return true;
  } while (goesOn && awaited.size > 0 && now - begin < turnMs && !slicesWait());
  return goesOn;
}
