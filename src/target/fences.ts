/**
 * The fences of a TPG: initiators that are refused until a time. Each is a word, `NAME=TIME`, with the time in ISO 8601: no name of an
 * initiator has an equals sign.
 */

import { timeIn } from './time-word.ts';

/** One fence. */
export interface Fence {
  /** The name of the initiator, as normalised: lower case. */
  readonly initiator: string;
  /** The end of the fence, in milliseconds since 1970; NaN where the word cannot be read. */
  readonly until: number;
}

/** Reads the word of a fence, which may be anything. */
export function readFence(word: string): Fence {
  const [, initiator = '', time = ''] = /^([^\s=,]+)=(.*)$/.exec(word) ?? [];
  return { initiator: initiator.toLowerCase(), until: timeIn(time) };
}

/** The word of a fence. */
export const printFence = ({ initiator, until }: Fence): string => `${initiator}=${new Date(until).toISOString()}`;

/** The fences whose time is not over; those that cannot be read keep nobody out. @param date in milliseconds since 1970 */
export const standingFences = (words: readonly string[], date: number): Fence[] =>
  words.map(readFence).filter(({ until }) => until > date);
