/** The threads that serve. */

import { availableParallelism } from 'node:os';
import type { WorkerOptions } from '../../src/index.ts';

/** @param count how many at most; a core less than there are when absent: one is left for what is not I/O */
export const workers = (count = availableParallelism() - 1): WorkerOptions => ({
  // Beside the program, as build.mjs puts it.
  entry: new URL('./loop.js', import.meta.url),
  count,
});
