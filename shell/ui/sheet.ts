/**
 * A page on the terminal: rows that did not change are not written again. Ink, which draws everything else, makes its whole picture anew
 * for each change of it, a cell at a time: of a table that fills the screen every second that is too much. A picture of nothing is for
 * Ink an empty row above the cursor, and there the page begins.
 */

import { stripVTControlCharacters } from 'node:util';
import { fitting, width } from './graphemes.ts';

/** A place on the page, for the cursor. */
export interface SheetPlace {
  readonly x: number;
  readonly y: number;
}

/** The end of the terminal that is written to, and its size. */
export interface SheetOutput {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** The terminals that know it show what is between as one update (DEC private mode 2026), as Ink's pictures are. */
const atOnce = (text: string): string => `\x1b[?2026h${text}\x1b[?2026l`;
const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const eraseBelow = '\x1b[J';
const eraseRow = '\x1b[2K';
/** Scrolls all that is on a screen of so many rows up and away, where it can be read later. */
const scrollAway = (height: number): string => `\x1b[${height};1H${'\n'.repeat(height)}\x1b[H`;
const up = (rows: number): string => (rows > 0 ? `\r\x1b[${rows}A` : '\r');

/** The rows of a page as they stand on the terminal. */
export class Sheet {
  readonly #output: SheetOutput;
  /** Empty: there is no page on the terminal. */
  #rows: readonly string[] = [];
  /** The row of the page in which the cursor stands. */
  #cursorRow = 0;
  #size = '';

  constructor(output: SheetOutput) {
    this.#output = output;
  }

  /** Writes the rows that are not there yet. @param cursor where it is to be seen; absent: nowhere */
  draw(rows: readonly string[], cursor?: SheetPlace): void {
    const { columns = 80, rows: height = 24 } = this.#output;
    const size = `${columns} ${height}`;
    // A terminal of another size has broken the rows anew, or lost some.
    const isMoved = this.#rows.length > 0 && size !== this.#size;
    const before = isMoved ? [] : this.#rows;
    let text = hideCursor + up(this.#rows.length > 0 ? this.#cursorRow : 1);
    if (isMoved) text += eraseBelow + scrollAway(height);
    for (const [at, row] of rows.entries()) {
      if (at > 0) text += '\r\n';
      if (row !== before[at]) text += eraseRow + (width(row) <= columns ? row : cut(row, columns));
    }
    if (before.length > rows.length) text += `\r\n${eraseBelow}\x1b[A`;
    this.#cursorRow = rows.length - 1;
    if (cursor) {
      text += up(this.#cursorRow - cursor.y) + (cursor.x > 0 ? `\x1b[${cursor.x}C` : '') + showCursor;
      this.#cursorRow = cursor.y;
    }
    this.#rows = rows;
    this.#size = size;
    this.#output.write(atOnce(text));
  }

  /** Takes the page away. */
  erase(): void {
    if (this.#rows.length > 0) this.#output.write(`${hideCursor}${up(this.#cursorRow)}${eraseBelow}\r\n`);
    this.#rows = [];
  }
}

/** The start of a row that is too long, without its colours: they may end behind it. */
const cut = (row: string, columns: number): string => fitting(stripVTControlCharacters(row), columns);
