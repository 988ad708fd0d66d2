/**
 * One budget for the data of others that this process keeps: data that is gathered before it can be written, answers that nobody takes.
 * Code that keeps such data has an account and takes the bytes before it receives or reads them:
 *
 *     const account = dataMemory.account(bytesMax);
 *     if (account.take(bytes)) begin(); else account.whenTaken(bytes, begin);
 *     account.giveBack(bytes); // written, or sent, or dropped
 *     account.close(); // its session or connection is over
 *
 * An NBD connection has an account as an iSCSI session has: bytes are taken for the data of a WRITE until it is written, and for that of
 * a READ from before it is read until the client has taken the answer.
 */

import { availableParallelism, totalmem } from 'node:os';

const mib = 1024 * 1024;
/** The bounds of a budget, which is a quarter of the memory that this process may have. */
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

  /** The bytes that all accounts have together. */
  get held(): number {
    return this.#held;
  }

  /** Opens an account. @param most bytes that it may have, beyond one piece that is longer */
  account(most: number): MemoryAccount {
    return new MemoryAccount(this, most);
  }

  /**
   * Whether an account may have more: it gets no more than is then still free, however many accounts keep all they can get. So an account
   * that has nothing finds something. Where no account has anything, any length fits.
   */
  fits({ held, most }: MemoryAccount, bytes: number): boolean {
    if (this.#held === 0) return true;
    if (held === 0) return this.#held + bytes <= this.#bytes;
    return held + bytes <= most && held + bytes <= this.#bytes - this.#held;
  }

  /** Whether an account that has nothing waits: then no other gets more. */
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

  /** Serves those that wait, in their order; an account that has something already is passed over when it gets no more. */
  #serve(): void {
    for (let at = 0; at < this.#waiting.length; ) {
      const { account, bytes, start } = this.#waiting[at]!;
      if (this.fits(account, bytes)) {
        this.#waiting.splice(at, 1);
        account.add(bytes);
        start();
        // The work that was started may have given bytes back, and changed the queue.
        at = 0;
      } else if (account.held === 0) return;
      else at += 1;
    }
  }
}

/** The bytes that one session or connection holds of a budget. */
export class MemoryAccount {
  readonly #budget: MemoryBudget;
  readonly most: number;
  held = 0;

  constructor(budget: MemoryBudget, most: number) {
    this.#budget = budget;
    this.most = most;
  }

  /** Takes bytes. @returns false when there is no memory for them now: `whenTaken` waits */
  take(bytes: number): boolean {
    if (!this.#budget.fits(this, bytes) || this.#budget.isAwaited) return false;
    this.add(bytes);
    return true;
  }

  /** Takes bytes that cannot be refused any more. */
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

  /** Closes the account: it waits for nothing any more. Its holder gives back what it holds. */
  close(): void {
    this.#budget.forget(this);
  }
}

/** The memory that this process may have: the machine's, or the part that its cgroup allows. */
export const memoryOfProcess = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);

/** The budget of this thread: every loop has an equal share. */
export const dataMemory = new MemoryBudget(
  Math.min(bytesMax, Math.max(bytesMin, memoryOfProcess / 4)) / availableParallelism(),
);
