/** The output of commands as data: the shape in docs/json.md. */

import { printable } from '../../src/client.ts';

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
