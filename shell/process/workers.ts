/** The threads that serve. */

import { loopsByCores, type WorkerOptions } from '../../src/index.ts';

/** The options of the threads. @param count how many at most */
export const workers = (count = loopsByCores()): WorkerOptions => ({
  // build.mjs puts the thread's program beside this one.
  entry: new URL('./loop.js', import.meta.url),
  count,
});
