/**
 * The queue of changes: one after the other, and none of them waits in it for another process. A change that has to wait for one does so
 * beside the queue, while other changes have their turns.
 */

import { WorkQueue } from '../system/work-queue.ts';

/** The result of a turn, and of the work that the turn has begun. */
interface Begun<T> {
  readonly outcome: PromiseSettledResult<T>;
  /** Whether the work that was begun has an outcome to be taken. */
  readonly settled: () => Promise<boolean>;
}

/** The number of turns that work may take one after the other: closing, opening and attaching may each begin the next. */
const stepsMax = 3;

export class Turns {
  readonly #queue = new WorkQueue();
  readonly #settled: () => Promise<boolean> | undefined;
  readonly #look: () => Promise<void>;

  /**
   * @param settled asked at the end of a turn: resolves when the work that was begun in it has ended or is late, with whether there was
   * any
   * @param look takes the outcome of that work, in a turn of its own, and begins the next
   */
  constructor(settled: () => Promise<boolean> | undefined, look: () => Promise<void>) {
    this.#settled = settled;
    this.#look = look;
  }

  /** Runs `what` after all earlier turns and before all later ones: meanwhile nothing changes. */
  take<T>(what: () => Promise<T>): Promise<T> {
    return this.#queue.take(what);
  }

  /** Runs `what` as `take` does, and then waits for the work that `what` has begun. */
  async takeAndSettle<T>(what: () => Promise<T>): Promise<T> {
    const { outcome, settled } = await this.#begin(what);
    let isOpen = await settled();
    for (let steps = 0; steps < stepsMax && isOpen; steps += 1)
      isOpen = await (await this.#begin(this.#look)).settled();
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /** Resolves when all that are in the queue now have had their turn. */
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
