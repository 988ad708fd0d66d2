/** The output of commands as data: the shape in docs/json.md. */

import { printable } from '../../src/client.ts';
import { type CommandLine, parseCommandLine } from './command-line.ts';

/** The version of the shape: it changes when a key goes away or changes its meaning. */
const version = 1;

/** The text of one answer. Characters that JSON allows and a terminal should not get are escaped in JSON's way. */
export const jsonAnswer = (command: string, path: string, data: unknown): string =>
  printable(`${JSON.stringify({ tcli: version, command, path, data }, null, 2)}\n`);

/** A part of an endless answer, on a line of its own. */
export const jsonLine = (command: string, path: string, data: unknown): string =>
  printable(`${JSON.stringify({ tcli: version, command, path, data })}\n`);

/** Whether data comes in parts, each printed as it comes. */
export const isStream = (data: unknown): data is AsyncIterable<unknown> =>
  typeof (data as Partial<AsyncIterable<unknown>> | null | undefined)?.[Symbol.asyncIterator] === 'function';

const jsonWord = '--json';

/**
 * `--json` anywhere in a line, or `| json` at its end: what it shows, as data. `shown` is the line without these words,
 * with blanks in their place, so that every other word stands where it stood.
 */
export function wantsJson(line: string): { shown: string; parsed: CommandLine; json: boolean } {
  const parsed = parseCommandLine(line);
  const { rest, positional } = parsed;
  const piped = rest && /^\|\s*json\s*$/.test(line.slice(rest.from)) ? { from: rest.from, to: line.length } : undefined;
  const word = positional.find(({ from, to }) => line.slice(from, to) === jsonWord);
  const wish = piped ?? word;
  if (!wish) return { shown: line, parsed, json: false };
  const without = line.slice(0, wish.from) + ' '.repeat(wish.to - wish.from) + line.slice(wish.to);
  return { ...wantsJson(without), json: true };
}
