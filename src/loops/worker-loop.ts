/** A loop in a worker thread, with a tree of its own that follows ours operation by operation. */

import { Worker } from 'node:worker_threads';
import { within } from '../backstore/patience.ts';
import type { SavedConfiguration } from '../saved/saveconfig.ts';
import { canDuplicate } from '../system/descriptor.ts';
import { Calls, offerObject, remoteObject } from './calls.ts';
import { hostBoundary, type Loop, type LoopHost, loopBoundary } from './loop.ts';

/** How long its end may take when it has stopped. */
const terminateMs = 1_000;

/** What the thread begins with. Plain data. */
export interface LoopThreadOptions {
  readonly configuration: SavedConfiguration;
  /** Storage objects whose contents are gone, and why, by path. */
  readonly lost: Readonly<Record<string, string>>;
  readonly runDirectory: string;
  readonly stateDirectory: string | undefined;
}

/** Whether connections can go to another thread here. */
export const canUseWorkers: () => boolean = canDuplicate;

/**
 * @param number the loop's, for whoever looks at threads
 * @param entry loop-thread.ts, as it was built
 * @param died called once, when the thread ended and was not told to
 */
export function startWorkerLoop(
  number: number,
  entry: URL,
  options: LoopThreadOptions,
  host: LoopHost,
  died: () => void,
): Loop {
  const worker = new Worker(entry, { name: `loop ${number}`, workerData: options });
  const calls = new Calls(worker, offerObject(host, hostBoundary));
  const loop = remoteObject(calls, loopBoundary);
  let stopping = false;
  let reason = '';
  worker.on('error', (error) => {
    reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  });
  worker.on('exit', (status) => {
    calls.end(new Error('the loop has ended'));
    if (stopping) return;
    host.log({ level: 'error', event: 'loop ended', detail: { status, reason } });
    died();
  });
  return {
    ...loop,
    async stop() {
      stopping = true;
      await loop.stop();
      // One of its calls may hang in a thread that nothing ends.
      await within(terminateMs, worker.terminate());
    },
  };
}
