/** The rows of the prompt line on the screen: cut by columns, as a terminal would, not by words, so that the cursor's place is known. Pure. */

import { clipText, graphemes, width } from './graphemes.ts';

export interface PromptLine {
  readonly prompt: string;
  readonly text: string;
  /** The place of the cursor, in UTF-16 units of `text`. */
  readonly cursor: number;
  /** The suggestion, shown in grey behind the text, as far as the row has room. */
  readonly suggestion: string;
  /** The unknown part of the text. */
  readonly unknown?: readonly [from: number, to: number] | undefined;
}

/** The rows of a line, and the place of the cursor in them. */
export interface LineLayout {
  readonly rows: readonly string[];
  /** The unknown part of each row: from, to. Absent when the line has none. */
  readonly unknown?: readonly (readonly [from: number, to: number])[];
  /** The part of the suggestion that stands behind the last row. */
  readonly grey: string;
  /** The cursor, from the top left of the rows. */
  readonly x: number;
  readonly y: number;
}

/** Lays a line out. @param rowsMax when there are more rows, those around the cursor are kept */
export function layOut(line: PromptLine, columns: number, rowsMax: number): LineLayout {
  const rows = [''];
  /** The start of each row in `whole`. */
  const starts = [0];
  let x = 0;
  let cursor = { x: 0, y: 0 };
  const cursorIndex = line.prompt.length + line.cursor;
  const place = (index: number) => {
    if (index === cursorIndex) cursor = { x, y: rows.length - 1 };
  };
  const whole = line.prompt + line.text;
  for (const { segment, index } of graphemes(whole)) {
    const wide = width(segment);
    if (x + wide > columns) {
      rows.push('');
      starts.push(index);
      x = 0;
    }
    place(index);
    rows[rows.length - 1] += segment;
    x += wide;
  }
  if (x >= columns) {
    rows.push('');
    starts.push(whole.length);
    x = 0;
  }
  place(whole.length);

  const grey = clipText(line.suggestion, columns - x - 1);
  const first = Math.max(0, Math.min(cursor.y, rows.length - rowsMax));
  const shown = rows.slice(first, first + rowsMax);
  const { unknown } = line;
  const marks =
    unknown &&
    starts.slice(first, first + rowsMax).map((start): readonly [number, number] => {
      const [from, to] = unknown;
      return [Math.max(0, from + line.prompt.length - start), Math.max(0, to + line.prompt.length - start)];
    });
  return {
    rows: shown,
    ...(marks && { unknown: marks }),
    grey: first + shown.length === rows.length ? grey : '',
    x: cursor.x,
    y: cursor.y - first,
  };
}
