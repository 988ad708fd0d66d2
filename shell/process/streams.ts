/**
 * Standard output and standard error. Only the owner of the terminal (ui/) and the log write to them besides: so no foreign text gets
 * there unseen.
 */

import { printable } from '../../src/client.ts';
import type { OutputSink } from '../channel/protocol.ts';

/** Shows text of the program's own, line ends included. */
export const say = (text: string): void => void process.stdout.write(printable(text));

/** Prints an error, line ends included. */
export const complain = (text: string): void => void process.stderr.write(printable(text));

/**
 * Prints the output of a session on the stream that each piece is for: it has colours, and went through `printable` there. Nobody is here
 * to be asked.
 */
export const sessionStreams: OutputSink = {
  write: (text, stream) => void (stream === 'error' ? process.stderr : process.stdout).write(text),
  ask: async () => null,
};
