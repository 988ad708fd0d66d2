/**
 * The shells that people have open in a process that serves, and what becomes of the process when the last one is left. One that a
 * shell started goes with it unless it serves something; whether it serves on is for the person to say.
 */

import { whenLate } from '../system/running-time.ts';
import type { StartedBy } from './control-protocol.ts';

/** How long a process that a shell started waits for that shell to come. */
const firstShellMs = 60_000;

/** What becomes of the process when the last shell is left while it serves something. */
export type Fate =
  /** It goes on. */
  | 'stays'
  /** It was started by a shell, and nobody has said yet. */
  | 'asked'
  /** It is that shell. */
  | 'ends';

/** The process that a shell session stands in, as the session sees it. */
export interface ServingProcess {
  fate(): Fate;
  /** In a line: which process it is, and who started it. */
  describe(): string;
  /** Persons' shells besides the one that asks. */
  othersOpen(): number;
  /** It goes on without shells. */
  keep(): void;
  /** Rejects with an OperatorError while somebody of this machine uses a LUN as a block device. */
  mayStop(): Promise<void>;
  /** Ends it. */
  stop(): void;
}

/** What the shells of a process are opened with. */
export interface ShellsOptions {
  readonly startedBy: StartedBy;
  /** Whether it serves something. */
  readonly serves: () => boolean;
  /** Whether anybody is connected who is no shell. */
  readonly isAsked: () => boolean;
  /** Ends the process. */
  readonly end: () => void;
}

/** The shells that one process runs for its clients. */
export class Shells {
  readonly #options: ShellsOptions;
  readonly #inTime: (() => void) | undefined;
  #open = 0;
  #isKept: boolean;
  /** The last shell was left while a program was connected. */
  #isLeft = false;

  constructor(options: ShellsOptions) {
    this.#options = options;
    this.#isKept = options.startedBy.what !== 'shell';
    if (!this.#isKept) this.#inTime = whenLate(firstShellMs, () => this.#endIfIdle());
  }

  get open(): number {
    return this.#open;
  }

  get fate(): Fate {
    return this.#isKept ? 'stays' : 'asked';
  }

  keep(): void {
    this.#isKept = true;
  }

  /** @returns what tells that the shell is gone */
  enter(): () => void {
    this.#inTime?.();
    this.#open += 1;
    this.#isLeft = false;
    let isHere = true;
    return () => {
      if (!isHere) return;
      isHere = false;
      this.#open -= 1;
      this.#endIfIdle();
    };
  }

  /** A program is gone. */
  programLeft(): void {
    if (this.#isLeft) this.#endIfIdle();
  }

  close(): void {
    this.#inTime?.();
    this.#isKept = true;
  }

  #endIfIdle(): void {
    const { serves, isAsked, end } = this.#options;
    if (this.#open > 0 || this.#isKept || serves()) return;
    this.#isLeft = isAsked();
    if (!this.#isLeft) end();
  }
}
