/**
 * The fences of a TPG: initiators that are refused until a time. Each is a word, `NAME=TIME`, with the time in ISO 8601: no name of an
 * initiator has an equals sign.
 */

/** One fence. */
export interface Fence {
  /** The name of the initiator, as normalised: lower case. */
  readonly initiator: string;
  /** The end of the fence, in milliseconds since 1970; NaN where the word cannot be read. */
  readonly until: number;
}

/** Reads the word of a fence. */
function readFence(word: string): Fence {
  const at = word.indexOf('=');
  return { initiator: word.slice(0, at), until: Date.parse(word.slice(at + 1)) };
}

/** The word of a fence. */
export const printFence = ({ initiator, until }: Fence): string => `${initiator}=${new Date(until).toISOString()}`;

/** The end of an initiator's fence, in milliseconds since 1970; undefined where there is none. */
export function fenceUntil(words: readonly string[], initiator: string): number | undefined {
  const fence = words.length === 0 ? undefined : words.map(readFence).find((one) => one.initiator === initiator);
  return fence?.until;
}

/** The fences whose time is not over. @param date in milliseconds since 1970 */
export const standingFences = (words: readonly string[], date: number): Fence[] =>
  words.map(readFence).filter(({ until }) => until > date);
