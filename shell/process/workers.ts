/** The threads that serve. */

import { availableParallelism } from 'node:os';
import type { WorkerOptions } from '../../src/index.ts';

/**
 * The options of the threads. @param count how many at most; one less than the machine has cores when absent: one core is left for all
 * other work
 */
export const workers = (count = availableParallelism() - 1): WorkerOptions => ({
  // build.mjs puts the thread's program beside this one.
  entry: new URL('./loop.js', import.meta.url),
  count,
});
