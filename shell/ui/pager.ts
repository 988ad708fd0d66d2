/**
 * The output of a line: straight to the screen when it fits, page by page when it is taller. When the person leaves, the pages that were
 * seen stand above the prompt as if they had been printed; the rest is dropped.
 */

import type { InteractiveShell } from './interactive-shell.ts';
import { FIRST_PAGE, type Page, type Pages, placeOf, rowsOf, shownRows, turnPage } from './page.ts';

/** The time for which output is held back to see whether it will be taller than the screen. */
const HOLD_MS = 50;
/** The rows of the screen that a page leaves: its last line, and one so that Ink need not clear the screen. */
const ROWS_LEFT = 2;
/** The lowest screen on which output is paged. */
const SCREEN_ROWS_MIN = 6;
/** The length of output that is kept for paging: UTF-16 units. */
const LENGTH_MAX = 32 << 20;

/** The output of a line, while it runs. */
export interface PagedOutput {
  write(text: string): void;
  /** Makes room on the screen for something else (a question): output that was held is printed, a page is left. */
  settle(): Promise<void>;
  /** Ends the output. Resolves when the person has seen it. */
  end(): Promise<void>;
}

/** Opens it. @param interrupt the effect of Ctrl-C on the line that prints */
export function openOutput(shell: InteractiveShell, interrupt: () => void): PagedOutput {
  const { tty, view, client } = shell;
  let held = '';
  let timer: NodeJS.Timeout | undefined;
  let pager: Pager | undefined;
  let isLeft = false;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const text = held;
    held = '';
    if (text !== '') view.print(text);
  };
  const isTall = (): boolean => {
    if (!client.state.pager || tty.rows < SCREEN_ROWS_MIN) return false;
    // Keys that wait are the next lines of a paste, and not for a pager.
    if (tty.busy) return false;
    let rows = 0;
    for (const line of held.replace(/\n$/, '').split('\n')) {
      rows += rowsOf(line, tty.columns).length;
      if (rows >= tty.rows - 1) return true;
    }
    return false;
  };
  const left = () => {
    isLeft = true;
    pager = undefined;
  };

  return {
    write(text) {
      if (isLeft) return;
      if (pager) return pager.add(text);
      held += text;
      if (!isTall()) {
        timer ??= setTimeout(flush, HOLD_MS);
        return;
      }
      clearTimeout(timer);
      timer = undefined;
      pager = new Pager(shell, interrupt, left);
      pager.add(held);
      held = '';
    },
    async settle() {
      flush();
      await pager?.leave();
      // Output behind a question is of interest again.
      isLeft = false;
    },
    async end() {
      flush();
      await pager?.end();
    },
  };
}

class Pager {
  readonly #shell: InteractiveShell;
  readonly #interrupt: () => void;
  readonly #left: () => void;
  readonly #isDone: Promise<void>;
  #done: () => void = () => {};
  #lines: string[] = [];
  #rows: string[] = [];
  #length = 0;
  #tail = '';
  #growing = true;
  #page: Page = FIRST_PAGE;
  /** The row behind the last one that stood on the screen. */
  #seen = 0;
  readonly #resized = () => {
    this.#rows = this.#lines.flatMap((line) => rowsOf(line, this.#shell.tty.columns));
    this.#move(this.#page);
  };

  constructor(shell: InteractiveShell, interrupt: () => void, left: () => void) {
    this.#shell = shell;
    this.#interrupt = interrupt;
    this.#left = left;
    this.#isDone = new Promise((resolve) => {
      this.#done = resolve;
    });
    shell.tty.output.on('resize', this.#resized);
    // Ctrl-C is a key of the page while there is one.
    shell.tty.interrupt = null;
    void this.#turn();
  }

  add(text: string): void {
    const isFull = this.#length > LENGTH_MAX;
    if (!isFull) this.#length += text.length;
    const lines = isFull ? [] : (this.#tail + text).split('\n');
    this.#tail = lines.pop() ?? '';
    this.#keep(lines);
  }

  end(): Promise<void> {
    this.#growing = false;
    const tail = this.#tail;
    this.#tail = '';
    if (tail !== '') this.#keep([tail]);
    if (this.#length > LENGTH_MAX) this.#keep(['… and more, which is not kept for paging; a script gets all of it.']);
    this.#draw();
    return this.#isDone;
  }

  /** Leaves; every row that was seen stays on the screen. */
  async leave(): Promise<void> {
    const { tty, view } = this.#shell;
    tty.forget();
    tty.output.off('resize', this.#resized);
    this.#left();
    await view.commit();
    view.print(this.#seenLines());
    tty.interrupt = this.#interrupt;
    this.#done();
  }

  /** The lines that were seen, unbroken, so that the terminal can break them anew when it is resized. */
  #seenLines(): string {
    let text = '';
    let rows = 0;
    for (const line of this.#lines) {
      if (rows >= this.#seen) break;
      rows += rowsOf(line, this.#shell.tty.columns).length;
      text += `${line}\n`;
    }
    return text;
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      this.#lines.push(line);
      this.#rows.push(...rowsOf(line, this.#shell.tty.columns));
    }
    this.#draw();
  }

  #pages(): Pages {
    return { rows: this.#rows, height: this.#shell.tty.rows - ROWS_LEFT, growing: this.#growing };
  }

  #move(page: Page): void {
    const { rows, height } = this.#pages();
    this.#page = { ...page, top: Math.min(page.top, Math.max(0, rows.length - height)) };
    this.#draw();
  }

  #draw(): void {
    const { typing, top } = this.#page;
    this.#seen = Math.max(this.#seen, top + this.#pages().height);
    const status = placeOf(this.#page, this.#pages());
    const rows = shownRows(this.#page, this.#pages());
    this.#shell.view.showPage({ rows, status, typing });
  }

  async #turn(): Promise<void> {
    for (;;) {
      const key = await this.#shell.tty.take();
      if (!key) return this.leave();
      const isSearch = this.#page.typing !== null;
      const next = turnPage(this.#page, key, this.#pages());
      if (next === undefined) this.#shell.tty.bell();
      else if (next !== 'leave') this.#move(next);
      else {
        if (key.chord === 'C-c' && !isSearch && this.#growing) this.#interrupt();
        return this.leave();
      }
    }
  }
}
