/** The screen as the rest of the shell uses it: it shows a picture, prints above it, and gets out of the way. Loads Ink. */

import { type Instance, render, useApp, useStdout } from 'ink';
import { type ReactElement, useLayoutEffect } from 'react';
import { fitting, width } from './graphemes.ts';
import type { Line } from './line-editor.ts';
import { type Frame, Screen } from './Screen.tsx';
import { Sheet } from './sheet.ts';
import { type TtyOutput, VirtualTty } from './tty.ts';

/** A page of rows, and a line about it; or the pattern that is being typed there, behind a slash. */
interface ShownPage {
  readonly rows: readonly string[];
  readonly status: string;
  readonly typing?: Line | null;
}

/** The bottom of a terminal, on which one picture or page stands at a time. */
export interface View {
  /** Whether grey and coloured text can be told from plain text. */
  readonly color: boolean;
  show(frame: Frame): void;
  /** Shows a page in place of the picture, until there is another picture. */
  showPage(page: ShownPage): void;
  /** Prints above the picture; text behind the last newline waits for its own. */
  print(text: string): void;
  /** Takes the picture away and prints `line` (and the text that waits for a newline) in its place. */
  commit(line?: string): Promise<void>;
  /** Clears the screen and draws the picture at its top. */
  clear(): void;
  /** Hands the terminal to `borrower`; text that is printed meanwhile follows afterwards. */
  lend(borrower: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** The redraws per second: keys in one read are one redraw in any case. */
const FRAMES_PER_SECOND = 250;
/** The length of output without a newline that is kept back: UTF-16 units. */
const TAIL_LENGTH_MAX = 65_536;

const HOME_AND_CLEAR = '\x1b[H\x1b[2J';
const NOTHING: Frame = { line: null };

/** The functions that only Ink's hooks give. */
interface Hands {
  write(text: string): void;
  suspend(borrower: () => Promise<void>): Promise<void>;
}

/** Begins to draw below the text that is on the screen. */
export const openView = (output: TtyOutput, color: boolean): View => new InkView(output, color);

class InkView implements View {
  readonly color: boolean;
  readonly #output: TtyOutput;
  readonly #ink: Instance;
  readonly #sheet: Sheet;
  #hands: Hands | null = null;
  #frame = NOTHING;
  #page: ShownPage | null = null;
  #tail = '';
  #isLent = false;
  #isClosed = false;

  constructor(output: TtyOutput, color: boolean) {
    this.color = color;
    this.#output = output;
    this.#sheet = new Sheet(output);
    this.#ink = open(<this.Root shown={NOTHING} />, output);
  }

  readonly Root = ({ shown }: { shown: Frame }) => {
    const { write } = useStdout();
    const { suspendTerminal } = useApp();
    useLayoutEffect(() => {
      this.#hands = { write, suspend: async (borrower) => void (await suspendTerminal(borrower)) };
    }, [write, suspendTerminal]);
    return <Screen frame={shown} />;
  };

  show(frame: Frame): void {
    this.#leavePage();
    this.#frame = frame;
    if (!this.#isClosed) this.#draw();
  }

  showPage(page: ShownPage): void {
    const isFirst = this.#page === null;
    this.#page = page;
    if (!isFirst) this.#drawPage();
    if (!isFirst || this.#isClosed) return;
    this.#frame = NOTHING;
    this.#draw();
    // Ink takes its picture away a moment later.
    void this.#ink.waitUntilRenderFlush().then(() => this.#drawPage());
  }

  print(text: string): void {
    const shown = this.#tail;
    this.#tail += text;
    if (this.#isLent || this.#isClosed) return;
    const complete = this.#tail.length > TAIL_LENGTH_MAX ? this.#tail.length : this.#tail.lastIndexOf('\n') + 1;
    const lines = this.#tail.slice(0, complete);
    this.#tail = this.#tail.slice(complete);
    if (lines !== '') this.#write(lines.endsWith('\n') ? lines : `${lines}\n`);
    if (this.#tail !== shown && !this.#page) this.#draw();
  }

  async commit(line?: string): Promise<void> {
    if (this.#isClosed) return;
    this.#leavePage();
    this.#frame = NOTHING;
    if (this.#tail !== '') this.print('\n');
    this.#draw();
    // Without this wait, Ink would put the old picture below the printed text, for a moment.
    await this.#ink.waitUntilRenderFlush();
    if (line !== undefined) this.print(`${line}\n`);
  }

  clear(): void {
    this.#write(HOME_AND_CLEAR);
  }

  async lend(borrower: () => Promise<void>): Promise<void> {
    if (this.#isLent || this.#isClosed || !this.#hands) return;
    this.#isLent = true;
    this.#sheet.erase();
    try {
      await this.#hands.suspend(borrower);
    } finally {
      this.#isLent = false;
      this.print('');
      this.#drawPage();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#leavePage();
    this.#ink.clear();
    this.#ink.unmount();
    await this.#ink.waitUntilExit();
    // A shell that ends while the terminal is lent prints the rest here.
    if (this.#tail !== '') this.#output.write(this.#tail);
  }

  /** Writes above the picture, or the page. */
  #write(text: string): void {
    this.#sheet.erase();
    this.#hands?.write(text);
    this.#drawPage();
  }

  #draw(): void {
    const isTailShown = this.#frame.line === null && this.#page === null;
    this.#ink.rerender(<this.Root shown={isTailShown ? { ...this.#frame, tail: this.#tail } : this.#frame} />);
  }

  #drawPage(): void {
    if (!this.#page || this.#isLent || this.#isClosed) return;
    const { rows, typing } = this.#page;
    if (typing) {
      const x = 1 + width(typing.text.slice(0, typing.cursor));
      this.#sheet.draw([...rows, `/${typing.text}`], { x, y: rows.length });
      return;
    }
    const status = fitting(this.#page.status, this.#output.columns || 80);
    this.#sheet.draw([...rows, this.color ? `\x1b[7m${status}\x1b[27m` : status]);
  }

  #leavePage(): void {
    this.#page = null;
    this.#sheet.erase();
  }
}

function open(root: ReactElement, output: TtyOutput): Instance {
  return render(root, {
    stdout: output,
    // Ink reads no keys: it gets a terminal on which nothing is ever typed.
    stdin: new VirtualTty() as unknown as NodeJS.ReadStream,
    exitOnCtrlC: false,
    patchConsole: false,
    interactive: true,
    maxFps: FRAMES_PER_SECOND,
  });
}
