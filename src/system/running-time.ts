/**
 * The clock by which this process judges others. It counts the time in which its own thread ran: a process that was
 * stopped (SIGSTOP, a frozen cgroup, a virtual machine that was paused, moved or restored), or a loop that was held up,
 * has not listened meanwhile, and nobody was silent to it. Whatever gives somebody up for being late goes by this clock:
 * by `runningMs`, by `whenLate` in place of `setTimeout`, or by `until` where something has to be looked at again and again.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

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

/** What `setTimeout` takes: of more it makes 1 ms. Whoever waits longer looks at the clock again then. */
const timerMsMax = 2 ** 31 - 1;
const timerMs = (ms: number): number => Math.min(Math.ceil(ms), timerMsMax);

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
    else timer = setTimeout(look, timerMs(left));
  };
  timer = setTimeout(look, timerMs(ms));
  return () => {
    clearTimeout(timer);
    clearImmediate(last);
  };
}

/**
 * Looks for something of which nobody tells when it comes, until `look` finds it. What can tell is awaited instead.
 * @param lateMs of running time, after which it is not looked for any more; it is looked for once in any case
 * @returns what `look` found, or undefined
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
