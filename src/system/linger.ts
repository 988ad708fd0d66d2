/**
 * Whether an event loop that has nothing to do should look at its sockets once more before it sleeps. Waking a halted
 * core takes longer than most initiators take to send the next command; looking in vain costs what others could use.
 */

import { lookAtRing } from '../system/waiting-io.ts';
import { lingerMs } from './settings.ts';

/** How long one turn looks at nothing else. */
const turnMs = 0.1;
/** Credit for successors that came in time; what a vain look costs of it; its bounds. */
const creditMax = 16;
const vainCost = 4;
const creditMin = -64;

export class Linger {
  /** How long an answer's successor is looked for, in milliseconds. */
  readonly lingerMs: number;
  #credit = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(ms: number) {
    this.lingerMs = ms;
  }

  /** Requests came. */
  received(now: number): void {
    if (now - this.#answeredAt < this.lingerMs && this.#credit < creditMax) this.#credit += 1;
  }

  /** What came is answered. @returns whether looking for more is worth it */
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
  /** Takes what has come, without waiting for it. @returns whether something had; undefined when it is not to be looked at */
  look(): boolean | undefined;
}

/** How this thread's event loop lingers. */
let loop: Linger | undefined;
/** Connections that requests came over a moment ago, and when. */
const awaited = new Map<AwaitedConnection, number>();
let looking = false;

/** What came over `connection` is answered: it is looked at again before the loop sleeps, if that is worth it. */
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

/** One turn: connections by themselves; all else that an event loop has to do comes between turns. */
function look(loop: Linger): void {
  let goesOn = false;
  // What a connection throws ends the turn, and not for good that this thread looks.
  try {
    goesOn = turn(loop);
  } finally {
    looking = goesOn;
    // A pending immediate makes the event loop look at everything else without sleeping.
    if (goesOn) setImmediate(look, loop);
    else awaited.clear();
  }
}

/** @returns whether another one is worth it */
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
    // Who has waited for a device goes on when the turn has ended.
    if (lookAtRing()) return true;
  } while (goesOn && awaited.size > 0 && now - begin < turnMs);
  return goesOn;
}
