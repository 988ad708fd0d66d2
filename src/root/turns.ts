/**
 * The queue of changes: one after the other, and none of them waits there for somebody outside of this process. What a
 * change begins with those is waited for beside the queue, while others have their turns.
 */

import { WorkQueue } from '../system/work-queue.ts';

/** What became of a turn, and of what it has begun. */
interface Begun<T> {
  readonly outcome: PromiseSettledResult<T>;
  /** Whether what was begun has an outcome to be taken. */
  readonly settled: () => Promise<boolean>;
}

/** Closing, opening, attaching: each may begin the next. */
const stepsMax = 3;

export class Turns {
  readonly #queue = new WorkQueue();
  readonly #settled: () => Promise<boolean> | undefined;
  readonly #look: () => Promise<void>;

  /**
   * @param settled asked at the end of a turn: resolves when what was begun in it has ended or is late, with whether there was anything
   * @param look takes the outcome of that, in a turn of its own, and begins what comes next
   */
  constructor(settled: () => Promise<boolean> | undefined, look: () => Promise<void>) {
    this.#settled = settled;
    this.#look = look;
  }

  /** Runs `what` after what came before it and before what comes later: meanwhile nothing changes. */
  take<T>(what: () => Promise<T>): Promise<T> {
    return this.#queue.take(what);
  }

  /** The same, and waits for what `what` has begun. */
  async takeAndSettle<T>(what: () => Promise<T>): Promise<T> {
    const { outcome, settled } = await this.#begin(what);
    let isOpen = await settled();
    for (let steps = 0; steps < stepsMax && isOpen; steps += 1)
      isOpen = await (await this.#begin(this.#look)).settled();
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /** Resolves when those that are in the queue now have had their turn. */
  async empty(): Promise<void> {
    await this.#queue.empty();
  }

  #begin<T>(what: () => Promise<T>): Promise<Begun<T>> {
    return this.take(async () => {
      const [outcome] = await Promise.allSettled([what()]);
      const settled = this.#settled();
      return { outcome, settled: async () => (await settled) ?? false };
    });
  }
}
