/** A loop in a worker thread, with a tree of its own that follows ours operation by operation. */

import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { canDuplicate, closeCopy, descriptorOf, duplicate } from '../system/descriptor.ts';
import type { Arrival } from '../target/fabric.ts';
import { Calls } from './calls.ts';
import type { Again, Assignment, Facts, Loop, LoopCounts, LoopHost, LoopState, Moving } from './loop.ts';
import { contentsOf } from './loop.ts';
import type { Operation } from './operation.ts';
import type { SavedConfiguration } from './saveconfig.ts';

/** What the thread begins with. Plain data. */
export interface LoopThreadOptions {
  readonly configuration: SavedConfiguration;
  readonly runDirectory: string;
  readonly stateDirectory: string | undefined;
  /** There is no other loop: everything in the tree is this one's. */
  readonly alone: boolean;
}

/** Whether connections can go to another thread here. */
export const canUseWorkers: () => boolean = canDuplicate;

export class WorkerLoop implements Loop {
  readonly #worker: Worker;
  readonly #calls: Calls;
  #stopping = false;

  /**
   * @param entry loop-thread.ts, as it was built
   * @param died called once, when the thread ended and was not told to
   */
  constructor(entry: URL, options: LoopThreadOptions, host: LoopHost, died: () => void) {
    this.#worker = new Worker(entry, { workerData: options });
    this.#calls = new Calls(this.#worker, {
      log: host.log.bind(host),
      look: () => host.look(),
      apply: (operation: Operation) => host.apply(operation),
    });
    let reason = '';
    this.#worker.on('error', (error) => {
      reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    this.#worker.on('exit', (status) => {
      this.#calls.end(new Error('the loop has ended'));
      if (this.#stopping) return;
      host.log({ level: 'error', event: 'loop ended', detail: { status, reason } });
      died();
    });
  }

  change(operation: Operation | undefined, assignment: Assignment): Promise<Moving[]> {
    return this.#calls.call('change', [operation, assignment]);
  }

  follow(arrived: readonly Moving[], again: Again): Promise<Facts> {
    return this.#calls.call('follow', [arrived, again], contentsOf(arrived));
  }

  opened(): Promise<void> {
    return this.#calls.call('opened', []);
  }

  finish(): Promise<void> {
    return this.#calls.call('finish', []);
  }

  release(): Promise<void> {
    return this.#calls.call('release', []);
  }

  serve(): Promise<void> {
    return this.#calls.call('serve', []);
  }

  state(): Promise<LoopState> {
    return this.#calls.call('state', []);
  }

  counts(): Promise<LoopCounts> {
    return this.#calls.call('counts', []);
  }

  async take(fabric: string, arrival: Arrival<Socket>): Promise<void> {
    const { socket } = arrival;
    const descriptor = descriptorOf(socket);
    const copy = duplicate(descriptor);
    try {
      await this.#calls.call('take', [fabric, { ...arrival, socket: copy }]);
      // What the thread has is the same connection.
      socket.destroy();
    } catch (error) {
      closeCopy(copy, descriptor);
      throw error;
    }
  }

  endSession(fabric: string, id: number, why: string): Promise<boolean> {
    return this.#calls.call('endSession', [fabric, id, why]);
  }

  reopen(path: string): Promise<boolean> {
    return this.#calls.call('reopen', [path]);
  }

  resetStatistics(): Promise<void> {
    return this.#calls.call('resetStatistics', []);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#calls.call('stop', []);
    await this.#worker.terminate();
  }
}
