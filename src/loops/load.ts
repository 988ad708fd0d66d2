/** Measures how busy the event loop of this thread is, and how late its timers come. */

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { LoopLoad } from './loop.ts';

/** The resolution of the lag, in milliseconds. Measuring wakes an idle thread as often: at 10 ms that was most of what an idle server took. */
const lagResolutionMs = 50;

export class LoadMeter {
  readonly #lag = monitorEventLoopDelay({ resolution: lagResolutionMs });
  #usage = performance.eventLoopUtilization();

  /** Begins to measure. Measuring wakes the thread many times a second, so a loop that serves nothing is not measured. */
  start(): void {
    this.#lag.enable();
  }

  /** The load since the last call. */
  read(): LoopLoad {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#usage);
    this.#usage = now;
    // The histogram counts from the start of a wait: time above the resolution is lag.
    const late = (percentile: number) => Math.max(0, this.#lag.percentile(percentile) / 1e6 - lagResolutionMs);
    const load = { busy: utilization, lagMs: late(50), lagMs99: late(99) };
    this.#lag.reset();
    return load;
  }

  stop(): void {
    this.#lag.disable();
  }
}
