/** Work that is done one after the other. */

/** A queue of work: each piece begins when the one before it has ended, well or not. */
export class WorkQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Does work in its turn. @returns the result of the work, or its error */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Resolves when all work that is in the queue now is done. */
  async empty(): Promise<void> {
    await this.#last;
  }
}
