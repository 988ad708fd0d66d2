/** Threads of this and of other processes: the start time tells one from a later one of the same number. */

import { foreignCall } from './ffi.ts';
import { startTimeOf } from './process.ts';

/** A thread, for a file that outlives it. Plain data. */
export interface ThreadName {
  readonly number: number;
  /** The start time: clock ticks since the machine began. */
  readonly since: string;
}

const gettid = foreignCall('gettid', 'int', []);

/** This thread; the process, where the thread's number cannot be had. */
export function thisThread(): ThreadName {
  const number = gettid()?.now() ?? process.pid;
  return { number, since: startTimeOf(number) ?? '' };
}

/** Whether a thread lives: /proc has threads under their numbers, too. */
export const isThreadAlive = ({ number, since }: ThreadName): boolean => startTimeOf(number) === since;
