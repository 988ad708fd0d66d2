/** A loop in a worker thread, with a tree of its own that follows ours operation by operation. */

import { Worker } from 'node:worker_threads';
import { within } from '../backstore/patience.ts';
import type { SavedConfiguration } from '../saved/saveconfig.ts';
import { canDuplicate } from '../system/descriptor.ts';
import { Calls, offerObject, remoteObject } from './calls.ts';
import { hostBoundary, type Loop, type LoopHost, loopBoundary } from './loop.ts';

/** The time that the end of a thread may take after it has stopped. */
const terminateMs = 1_000;

/** The options of a thread. Plain data. */
export interface LoopThreadOptions {
  readonly configuration: SavedConfiguration;
  /** By path, the reasons why the contents of storage objects are gone. */
  readonly lost: Readonly<Record<string, string>>;
  readonly runDirectory: string;
  readonly stateDirectory: string | undefined;
  readonly gateway: number | undefined;
}

/** Whether connections can go to another thread here. */
export const canUseWorkers: () => boolean = canDuplicate;

/**
 * Starts a thread with a loop.
 * @param number the loop's number, in the thread's name
 * @param entry the built loop-thread.ts
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
      // A system call of the thread may hang, and nothing ends that.
      await within(terminateMs, worker.terminate());
    },
  };
}
