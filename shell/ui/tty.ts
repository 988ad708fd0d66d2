/**
 * The one owner of the terminal: raw mode, bracketed paste, keys, signals. All other code that wants keys asks here. However the program
 * ends, the terminal is as it was.
 */

import { PassThrough } from 'node:stream';
import { type Key, keyDecoder } from './key.ts';

/** The terminal's two ends. */
export type TtyInput = NodeJS.ReadStream;
export type TtyOutput = NodeJS.WriteStream;

/** The number of keys that may wait while a line runs (type-ahead, a long paste); keys beyond are dropped with a bell. */
const KEYS_WAITING_MAX = 100_000;

const PASTE_ON = '\x1b[?2004h';
const PASTE_OFF = '\x1b[?2004l';
const CURSOR_ON = '\x1b[?25h';
const BELL = '\x07';

/** A shell's exit status when a signal ends it: 128 and the signal's number. */
const SIGNAL_STATUS = { SIGHUP: 129, SIGTERM: 143 } as const;

/** A terminal for a library that insists on owning one: it gets the bytes it is given and may ask for raw mode in vain. */
export class VirtualTty extends PassThrough {
  readonly isTTY = true;
  readonly isRaw = true;
  setRawMode(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** The terminal's requests to the shell, which cannot wait. */
export interface TtyHandlers {
  /** Ctrl-Z: take the screen away, call `suspend`, bring it back. */
  stop(): void;
  /** Draw anew, since another program wrote on the screen while this one was stopped. */
  repaint(): void;
}

/** The terminal, which several parts of the shell read. */
export class TtyHub {
  readonly input: TtyInput;
  readonly output: TtyOutput;
  /** The status that the shell is to end with, after a signal or when its terminal is gone; null as long as it goes on. */
  status: number | null = null;
  /** Resolves with `status`. */
  readonly ended: Promise<number>;
  /** The effect of Ctrl-C while a line runs. When null, Ctrl-C is a key. */
  interrupt: (() => void) | null = null;

  readonly #handlers: TtyHandlers;
  readonly #keys: Key[] = [];
  #wanted: ((key: Key | null) => void) | null = null;
  #owned = false;
  #ended!: (status: number) => void;
  readonly #listeners: readonly [NodeJS.Signals | 'exit', () => void][];

  /** Takes the terminal: from here on keys are kept, also those that nobody asks for yet. */
  constructor(input: TtyInput, output: TtyOutput, handlers: TtyHandlers) {
    this.input = input;
    this.output = output;
    this.#handlers = handlers;
    this.ended = new Promise((resolve) => {
      this.#ended = resolve;
    });
    this.#listeners = [
      ['SIGHUP', () => this.end(SIGNAL_STATUS.SIGHUP)],
      ['SIGTERM', () => this.end(SIGNAL_STATUS.SIGTERM)],
      ['SIGINT', () => this.#onKey({ chord: 'C-c', text: '', sequence: '\x03' })],
      ['SIGCONT', () => this.#resumed()],
      ['exit', () => this.#release()],
    ];
    for (const [event, listener] of this.#listeners) process.on(event, listener);

    const decode = keyDecoder((key) => this.#onKey(key));
    input.on('data', (bytes: Buffer) => decode(bytes));
    for (const gone of ['end', 'close', 'error']) input.on(gone, () => this.end(SIGNAL_STATUS.SIGHUP));
    output.on('error', () => this.end(SIGNAL_STATUS.SIGHUP));
    this.#acquire();
  }

  get columns(): number {
    return this.output.columns || 80;
  }

  get rows(): number {
    return this.output.rows || 24;
  }

  /** Whether keys wait, so that a drawing would be drawn over at once. */
  get busy(): boolean {
    return this.#keys.length > 0;
  }

  /** The next key; null when the shell is to end. One reader at a time. */
  take(): Promise<Key | null> {
    if (this.status !== null) return Promise.resolve(null);
    const key = this.#keys.shift();
    if (key) return Promise.resolve(key);
    return new Promise((resolve) => {
      this.#wanted = (taken) => {
        this.#wanted = null;
        resolve(taken);
      };
    });
  }

  /** Forgets the last `take`: nobody waits for its key any more, and its promise stays open. */
  forget(): void {
    this.#wanted = null;
  }

  /** Gives a key back to be taken next. */
  untake(key: Key): void {
    this.#keys.unshift(key);
  }

  /** Drops the rest of a paste. @returns its lines */
  dropPaste(): string[] {
    const end = this.#keys.findIndex(({ pasted }) => !pasted);
    const dropped = this.#keys.splice(0, end < 0 ? this.#keys.length : end);
    const text = dropped.map((key) => (key.chord === 'return' ? '\n' : key.text)).join('');
    return text.split('\n').filter((line) => line.trim() !== '');
  }

  bell(): void {
    this.output.write(BELL);
  }

  /** Stops the process (job control) with the terminal as it was; resolves when it goes on, the terminal taken again. */
  async suspend(): Promise<void> {
    this.#release();
    // The signal goes to the whole foreground group, as the terminal itself would send it. Where nobody can continue us (an orphaned
    // group) nothing happens.
    process.kill(0, 'SIGTSTP');
    await new Promise((resolve) => setImmediate(resolve));
    this.#acquire();
  }

  /** Ends the shell with `status`; the first call counts. */
  end(status: number): void {
    if (this.status !== null) return;
    this.status = status;
    this.#wanted?.(null);
    this.#ended(status);
  }

  /** Gives the terminal back for good. */
  close(): void {
    this.end(0);
    this.#release();
    for (const [event, listener] of this.#listeners) process.off(event, listener);
    this.input.pause();
    this.input.unref?.();
  }

  #onKey(key: Key): void {
    if (key.chord === 'C-c') this.#keys.length = 0;
    if (key.chord === 'C-z') this.#handlers.stop();
    else if (key.chord === 'C-c' && this.interrupt) this.interrupt();
    else if (this.#wanted) this.#wanted(key);
    else if (this.#keys.length < KEYS_WAITING_MAX) this.#keys.push(key);
    else this.bell();
  }

  #acquire(): void {
    this.#owned = true;
    // Raw mode goes off first: libuv remembers the mode it set last, and a shell may have changed the terminal since.
    this.input.setRawMode(false);
    this.input.setRawMode(true);
    this.input.resume();
    this.output.write(PASTE_ON);
  }

  #release(): void {
    if (!this.#owned) return;
    this.#owned = false;
    try {
      this.output.write(PASTE_OFF + CURSOR_ON);
      this.input.setRawMode(false);
    } catch {
      // A terminal that is gone takes nothing back.
    }
  }

  /** Goes on after a SIGCONT behind a stop that we were not asked about. */
  #resumed(): void {
    if (!this.#owned) return;
    this.#acquire();
    this.#handlers.repaint();
  }
}
