/** Work that is done one after the other. */

/** Each piece of work begins when the one before it has ended, well or not. */
export class WorkQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what the work returns, or throws, once it has had its turn */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Resolves when what is in the queue now has had its turn. */
  async empty(): Promise<void> {
    await this.#last;
  }
}
