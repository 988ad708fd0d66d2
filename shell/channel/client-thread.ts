/** A session in a worker thread, seen from the thread of the front end: the engine never shares an event loop with drawing. */

import { MessageChannel, Worker } from 'node:worker_threads';
import { OperatorError, whenLate } from '../../src/client.ts';
import type { ShellClient, ShellReply, Terminal } from './protocol.ts';
import { SessionClient } from './session-client.ts';

/** The time that the engine may take to stop: sessions are logged out, open volumes are flushed. */
const CLOSE_WAIT_MS = 10_000;

/**
 * Starts `entry` (engine-thread.ts) as a worker and opens a session in it.
 * @param engine handed to the worker as it is
 * @throws what the worker threw before the session was there
 */
export async function connectThread(entry: URL, engine: unknown, terminal: Terminal): Promise<ShellClient> {
  const { port1: port, port2 } = new MessageChannel();
  const worker = new Worker(entry, { workerData: { port: port2, engine }, transferList: [port2] });
  const client = new SessionClient({
    post: (request) => port.postMessage(request),
    async close() {
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      // The worker takes a closed port as the end of the session.
      port.close();
      const inTime = whenLate(CLOSE_WAIT_MS, () => void worker.terminate());
      await ended;
      inTime();
    },
  });
  client.hosted = true;
  worker.on('error', (error) => client.end(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', (status) => client.end(new Error(`the engine's thread ended with status ${status}`)));
  port.on('message', (reply: ShellReply) => client.receive(reply));
  try {
    await client.open(terminal);
  } catch (error) {
    throw crossed(error);
  }
  return client;
}

/** An error as it was before it crossed the threads, where its class did not follow it. */
function crossed(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'OperatorError') return error;
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
  return new OperatorError(error.message, hint);
}
