/** What commands show, as data: the shape in docs/json.md. */

import { printable } from '../../src/client.ts';

/** The version of the shape: it changes when something goes away or changes its meaning. */
const version = 1;

/** The text of one answer. What JSON lets stand and a terminal should not get is escaped as JSON escapes the rest. */
export const jsonAnswer = (command: string, path: string, data: unknown): string =>
  printable(`${JSON.stringify({ tcli: version, command, path, data }, null, 2)}\n`);

/** What goes on and on: each part of it is an answer on a line of its own. */
export const jsonLine = (command: string, path: string, data: unknown): string =>
  printable(`${JSON.stringify({ tcli: version, command, path, data })}\n`);

/** Whether data comes in parts, each when it is there. */
export const isStream = (data: unknown): data is AsyncIterable<unknown> =>
  typeof (data as Partial<AsyncIterable<unknown>> | null | undefined)?.[Symbol.asyncIterator] === 'function';
