/**
 * The clock by which this process judges others. It counts the time in which its own thread ran: a process that was stopped (SIGSTOP, a
 * frozen cgroup, a virtual machine that was paused, moved or restored), or a loop that was held up, has not listened meanwhile, and
 * nobody was silent to it. All code that gives a peer up for being late goes by this clock: by `runningMs`, by `whenLate` in place of
 * `setTimeout`, or by `until` where something has to be looked at again and again.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** The longest interval between two looks at the clock, in milliseconds, and the gap between two looks that is no running any more. */
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

  /** Milliseconds that only go forward. The clock has to be asked every `tickMs` at least: a longer gap counts as a pause. */
  now(): number {
    const at = this.#clock();
    const gap = at - this.#lookedAt;
    if (gap > gapMsMax) this.#stoodStill += gap - tickMs;
    this.#lookedAt = at;
    return at - this.#stoodStill;
  }
}

/** The clock of this thread, which begins to tick when it is first asked. */
let time: RunningTime | undefined;

function begin(): RunningTime {
  const begun = new RunningTime(() => performance.now());
  setInterval(() => begun.now(), tickMs).unref();
  time = begun;
  return begun;
}

/** Milliseconds in which this thread ran: they only go forward. */
export const runningMs = (): number => (time ?? begin()).now();

/** The longest time of `setTimeout`, which makes 1 ms of a longer one. A longer wait looks at the clock again then. */
const timerMsMax = 2 ** 31 - 1;
const timerMs = (ms: number): number => Math.min(Math.ceil(ms), timerMsMax);

/**
 * Calls `what` when `ms` of running time have passed, and all data that had come by then was received.
 * @returns a function that prevents the call
 */
export function whenLate(ms: number, what: () => void): () => void {
  const due = runningMs() + ms;
  let timer: NodeJS.Timeout;
  let last: NodeJS.Immediate | undefined;
  const look = () => {
    const left = due - runningMs();
    // Sockets are read between timers and immediates.
    if (left <= 0) last = setImmediate(what);
    else timer = setTimeout(look, timerMs(left));
  };
  timer = setTimeout(look, timerMs(ms));
  return () => {
    clearTimeout(timer);
    clearImmediate(last);
  };
}

/**
 * Looks for something that nobody tells of, until `look` finds it. An event that can be awaited is awaited instead.
 * @param lateMs of running time, after which it is not looked for any more; it is looked for once in any case
 * @returns the result of `look`, or undefined
 */
export async function until<T>(
  everyMs: number,
  lateMs: number,
  look: () => T | undefined | Promise<T | undefined>,
  givenUp?: AbortSignal,
): Promise<T | undefined> {
  for (const end = runningMs() + lateMs; ; ) {
    const found = await look();
    if (found !== undefined || runningMs() >= end || givenUp?.aborted) return found;
    await sleep(everyMs, undefined, givenUp && { signal: givenUp }).catch(() => {});
  }
}
