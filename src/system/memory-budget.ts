/**
 * One budget for what others can make this process keep: data that is gathered before it can be written, answers that
 * nobody takes. Whoever keeps such data has an account and takes the bytes before it receives or reads them:
 *
 *     const account = dataMemory.account(bytesMax);
 *     if (account.take(bytes)) begin(); else account.whenTaken(bytes, begin);
 *     account.giveBack(bytes);   // written, or sent, or dropped
 *     account.close();           // its session or connection is over
 *
 * An NBD connection has an account as an iSCSI session has: a WRITE's data is taken for until it is written, a READ's from
 * before it is read until the client has taken the answer.
 */

import { availableParallelism, totalmem } from 'node:os';

const mib = 1024 * 1024;
/** A quarter of the memory that this process may have, within these bounds. */
const bytesMin = 128 * mib;
const bytesMax = 1024 * mib;

interface Waiting {
  readonly account: MemoryAccount;
  readonly bytes: number;
  readonly start: () => void;
}

export class MemoryBudget {
  readonly #bytes: number;
  #held = 0;
  #waiting: Waiting[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** What all accounts have together. */
  get held(): number {
    return this.#held;
  }

  /** @param most what this account may have, beyond one piece that is longer */
  account(most: number): MemoryAccount {
    return new MemoryAccount(this, most);
  }

  /**
   * Whether an account may have more: it has no more than is then still free, however many there are that keep all they
   * can get. So somebody who has nothing finds something. Where nobody has anything, any length fits.
   */
  fits({ held, most }: MemoryAccount, bytes: number): boolean {
    if (this.#held === 0) return true;
    if (held === 0) return this.#held + bytes <= this.#bytes;
    return held + bytes <= most && held + bytes <= this.#bytes - this.#held;
  }

  /** Whether somebody who has nothing waits: then nobody else gets more. */
  get isAwaited(): boolean {
    return this.#waiting.some(({ account }) => account.held === 0);
  }

  add(bytes: number): void {
    this.#held += bytes;
    if (bytes < 0 && this.#waiting.length > 0) this.#serve();
  }

  wait(account: MemoryAccount, bytes: number, start: () => void): void {
    this.#waiting.push({ account, bytes, start });
  }

  forget(account: MemoryAccount): void {
    if (this.#waiting.some((one) => one.account === account))
      this.#waiting = this.#waiting.filter((one) => one.account !== account);
    this.#serve();
  }

  /** In their order; who has something already is passed over when it gets no more. */
  #serve(): void {
    for (let at = 0; at < this.#waiting.length; ) {
      const { account, bytes, start } = this.#waiting[at]!;
      if (this.fits(account, bytes)) {
        this.#waiting.splice(at, 1);
        account.add(bytes);
        start();
        // What it started may have given back, and changed the queue.
        at = 0;
      } else if (account.held === 0) return;
      else at += 1;
    }
  }
}

/** What one session or connection holds of a budget. */
export class MemoryAccount {
  readonly #budget: MemoryBudget;
  readonly most: number;
  held = 0;

  constructor(budget: MemoryBudget, most: number) {
    this.#budget = budget;
    this.most = most;
  }

  /** @returns false when there is no memory for it now: `whenTaken` waits */
  take(bytes: number): boolean {
    if (!this.#budget.fits(this, bytes) || this.#budget.isAwaited) return false;
    this.add(bytes);
    return true;
  }

  /** Takes what cannot be refused any more. */
  add(bytes: number): void {
    this.held += bytes;
    this.#budget.add(bytes);
  }

  /** Calls `start` when the memory is taken; never after `close`. */
  whenTaken(bytes: number, start: () => void): void {
    this.#budget.wait(this, bytes, start);
  }

  giveBack(bytes: number): void {
    this.add(-bytes);
  }

  /** Nothing waits any more. What is held is given back by whoever holds it. */
  close(): void {
    this.#budget.forget(this);
  }
}

/** What this process may have: the machine's memory, or what its cgroup leaves of it. */
export const memoryOfProcess = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);

/** The budget of this thread: every loop has an equal share. */
export const dataMemory = new MemoryBudget(
  Math.min(bytesMax, Math.max(bytesMin, memoryOfProcess / 4)) / availableParallelism(),
);
