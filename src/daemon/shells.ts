/**
 * The shells that people have open in a process that serves, and the process's fate when the last one is left. A process that a shell
 * started ends with that shell unless it serves something; then the person says whether it serves on.
 */

import { whenLate } from '../system/running-time.ts';
import type { StartedBy } from './control-protocol.ts';

/** The time that a process which a shell started waits for that shell to come. */
const firstShellMs = 60_000;

/** The fate of the process when the last shell is left while it serves something. */
export type Fate =
  /** The process goes on. */
  | 'stays'
  /** A shell started the process, and nobody has said yet. */
  | 'asked'
  /** The process is that shell. */
  | 'ends';

/** The process that a shell session stands in, as the session sees it. */
export interface ServingProcess {
  fate(): Fate;
  /** A line that says which process it is, and what started it. */
  describe(): string;
  /** The number of persons' shells besides the one that asks. */
  othersOpen(): number;
  /** Lets the process go on without shells. */
  keep(): void;
  /** Rejects with an OperatorError while a program of this machine uses a LUN as a block device. */
  mayStop(): Promise<void>;
  /** Ends the process. */
  stop(): void;
}

/** The options of the shells of a process. */
export interface ShellsOptions {
  readonly startedBy: StartedBy;
  /** Whether the process serves something. */
  readonly serves: () => boolean;
  /** Whether a client is connected that is no shell. */
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
  /** Whether the last shell was left while a program was connected. */
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

  /** Counts a shell. @returns a function to call when the shell is gone */
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

  /** Notes that a program is gone. */
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
