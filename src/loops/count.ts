/** How many event loops serve where nobody has said it. */

import { availableParallelism } from 'node:os';

/**
 * One for each core: the threads that receive and that speak with shells have little to do. With one core, another thread gains nothing,
 * and the main thread serves.
 */
export const loopsByCores = (cores = availableParallelism()): number => (cores > 1 ? cores : 0);
