/**
 * The clock by which this process judges others. It counts the time in which its own thread ran: a process that was
 * stopped (SIGSTOP, a frozen cgroup, a virtual machine that was paused, moved or restored), or a loop that was held up,
 * has not listened meanwhile, and nobody was silent to it. Whatever gives somebody up for being late goes by this clock:
 * by `runningMs`, or by `whenLate` in place of `setTimeout`.
 */

import { performance } from 'node:perf_hooks';

/** How often the clock is looked at at least, in milliseconds, and the gap between two looks that is no running any more. */
const tickMs = 500;
const gapMsMax = 1500;

export class RunningTime {
  readonly #clock: () => number;
  #lookedAt: number;
  #stoodStill = 0;

  /** @param clock milliseconds that only go forward, whatever this process does */
  constructor(clock: () => number) {
    this.#clock = clock;
    this.#lookedAt = clock();
  }

  /** Milliseconds that only go forward. It has to be asked every `tickMs` at least: what comes later comes out of a pause. */
  now(): number {
    const at = this.#clock();
    const gap = at - this.#lookedAt;
    if (gap > gapMsMax) this.#stoodStill += gap - tickMs;
    this.#lookedAt = at;
    return at - this.#stoodStill;
  }
}

/** Of this thread; it begins to tick when it is first asked. */
let time: RunningTime | undefined;

function begin(): RunningTime {
  const begun = new RunningTime(() => performance.now());
  setInterval(() => begun.now(), tickMs).unref();
  time = begun;
  return begun;
}

/** Milliseconds in which this thread ran: they only go forward. */
export const runningMs = (): number => (time ?? begin()).now();

/**
 * Calls `what` when `ms` of running time have passed, and what has come by then was received.
 * @returns what prevents that
 */
export function whenLate(ms: number, what: () => void): () => void {
  const due = runningMs() + ms;
  let timer: NodeJS.Timeout;
  let last: NodeJS.Immediate | undefined;
  const look = () => {
    const left = due - runningMs();
    // Sockets are read between timers and immediates.
    if (left <= 0) last = setImmediate(what);
    else timer = setTimeout(look, Math.ceil(left));
  };
  timer = setTimeout(look, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(last);
  };
}
