/**
 * Standard output and standard error. Nothing else in the shell writes to them but who owns the terminal (ui/) and the log:
 * so nothing that others wrote gets there unseen.
 */

import { printable } from '../../src/client.ts';
import type { OutputSink } from '../channel/protocol.ts';

/** Shows text of the program's own, line ends included. */
export const say = (text: string): void => void process.stdout.write(printable(text));

/** Tells what is wrong, line ends included. */
export const complain = (text: string): void => void process.stderr.write(printable(text));

/** What a session says goes where it belongs: it has colours, and went through `printable` there. Nobody is here to be asked. */
export const sessionStreams: OutputSink = {
  write: (text, stream) => void (stream === 'error' ? process.stderr : process.stdout).write(text),
  ask: async () => null,
};
