/** The messages to a client of the control socket that gets nothing else: refusals, and last words. */

import type { Socket } from 'node:net';
import { OperatorError, reasonOf } from '../errors.ts';
import { printableLine } from '../printable.ts';
import { whenLate } from '../system/running-time.ts';
import { type ControlRefusal, type ControlReply, protocolVersion } from './control-protocol.ts';
import { encodeFrame, FrameError } from './frames.ts';

/** The time that a client may take to read the last words. */
export const farewellMs = 500;

/** The last words to a session whose process ends. */
export const endsWith = (ends: 'stop' | 'restart'): ControlRefusal => ({
  tcli: protocolVersion,
  error: ends === 'restart' ? 'The process that serves is restarted.' : 'The process that serves was stopped.',
  ends,
});

/** Sends the last words; further messages of the client are not read, and its end of the connection is not waited for. */
export function sayFarewell(socket: Socket, words: ControlRefusal): void {
  if (socket.destroyed || socket.writableEnded) return;
  socket.resume();
  socket.end(encodeFrame(words));
  const inTime = whenLate(farewellMs, () => socket.destroy());
  socket.once('close', inTime);
}

/** The answer to a request that failed. */
export function failureOf(error: unknown): Omit<Extract<ControlReply, { is: 'failed' }>, 'id'> {
  const hint = error instanceof OperatorError ? error.hint : undefined;
  const ours = error instanceof OperatorError || error instanceof FrameError;
  const text = ours ? error.message : `internal error: ${reasonOf(error)}`;
  return { is: 'failed', error: text, ...(hint !== undefined && { hint }) };
}

/** The word that a client gave, as it is shown: an object of JSON may have a toString that is no function. */
export const shownWord = (given: unknown): string => printableLine((JSON.stringify(given) ?? 'none').slice(0, 40));

/** The answer to an unknown request of a newer client, which is not left waiting. */
export const unknownRequest = (verb: unknown) =>
  failureOf(
    typeof verb === 'string'
      ? new OperatorError(
          `There is no request '${printableLine(verb)}', or its keys are wrong.`,
          'See docs/protocol.md.',
        )
      : new OperatorError('A request has the word do.'),
  );
