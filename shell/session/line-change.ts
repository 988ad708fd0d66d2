/**
 * The changes of one line are one change, from its first operation to its end: nobody else changes anything between, and it is made whole
 * or not at all. Messages of the line meanwhile are shown once the change is made.
 */

import type { Apply, ChangeOptions, Operation, Outcome, Root } from '../../src/index.ts';

/** A change that has begun. */
interface Begun {
  /** Resolves when the change has its turn. */
  readonly apply: Promise<Apply>;
  readonly end: () => void;
  readonly giveUp: (why: unknown) => void;
  readonly made: Promise<void>;
}

export class LineChange {
  readonly #root: Root;
  readonly #options: ChangeOptions;
  #begun: Begun | undefined;
  /** The messages and the work for the time when the change is made. */
  readonly #later: (() => unknown)[] = [];
  /** The operations whose waits for other processes are over, by the operation that was asked for. */
  readonly #ready = new Map<string, Operation>();

  constructor(root: Root, options: ChangeOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Carries an operation out; the tree has it at once. @throws OperatorError; nothing is left of it then */
  async apply(operation: Operation): Promise<Outcome> {
    const ready = this.#ready.get(JSON.stringify(operation)) ?? (await this.#prepared(operation));
    this.#begun ??= this.#begin();
    return (await this.#begun.apply)(ready);
  }

  /** Waits for the other processes that operations need, so that all of the operations can be one change. @throws OperatorError */
  async ahead(operations: readonly Operation[]): Promise<void> {
    for (const operation of operations) this.#ready.set(JSON.stringify(operation), await this.#prepared(operation));
  }

  /** Waits for the change's turn: the tree stays as it is from now on. */
  async begin(): Promise<void> {
    this.#begun ??= this.#begin();
    await this.#begun.apply;
  }

  /** Says or does something: now, or once the change that has begun is made. */
  say<T>(what: () => T): T | undefined {
    if (!this.#begun) return what();
    this.#later.push(what);
    return undefined;
  }

  /** Makes the operations so far. @throws OperatorError; nothing of them is left then, and their messages are dropped */
  async settle(): Promise<void> {
    const begun = this.#begun;
    if (!begun) return;
    this.#begun = undefined;
    const later = this.#later.splice(0);
    begun.end();
    await begun.made;
    for (const what of later) await what();
  }

  /** Takes back the operations since the last `settle`. */
  async giveUp(why: unknown): Promise<void> {
    const begun = this.#begun;
    this.#begun = undefined;
    this.#later.length = 0;
    begun?.giveUp(why);
    await begun?.made.catch(() => {});
  }

  async #prepared(operation: Operation): Promise<Operation> {
    const prepared = this.#root.prepare(operation, this.#options);
    prepared?.catch(() => {});
    // A turn must not wait for another process: the operations so far become a change of their own then.
    if (prepared !== undefined) await this.settle();
    return (await prepared) ?? operation;
  }

  #begin(): Begun {
    const ready = Promise.withResolvers<Apply>();
    const over = Promise.withResolvers<void>();
    const make = (apply: Apply) => {
      ready.resolve(apply);
      return over.promise;
    };
    const made = this.#root.change(make, this.#options);
    // A change that fails says so to the callers that wait for its turn, or for its end.
    made.catch(ready.reject);
    for (const one of [ready.promise, over.promise]) one.catch(() => {});
    return { apply: ready.promise, end: over.resolve, giveUp: over.reject, made };
  }
}
