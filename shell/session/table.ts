/** A table as text: columns as wide as their contents, numbers to the right. */

import stringWidth from 'string-width';
import { printableLine } from '../../src/client.ts';
import { printSize } from '../../src/index.ts';

const gap = '  ';

/**
 * Makes a table. @param rows the first one has the heads
 * @param right the columns that are set to the right
 */
export function tableOf(rows: readonly (readonly string[])[], right: (column: number) => boolean): string {
  const shown = rows.map((row) => row.map(printableLine));
  const widths = (shown[0] ?? []).map((_, column) => Math.max(...shown.map((row) => stringWidth(row[column] ?? ''))));
  const cell = (text: string, column: number) => {
    const blanks = ' '.repeat((widths[column] ?? 0) - stringWidth(text));
    return right(column) ? blanks + text : text + blanks;
  };
  return shown.map((row) => row.map(cell).join(gap).trimEnd()).join('\n');
}

/** A value of a column, by which rows can be sorted. */
export type Cell = string | number | boolean | null;

/** A column: the value that rows are sorted by, and its text, where that differs. */
export interface Column<R> {
  readonly value: (row: R) => Cell;
  readonly shown?: (row: R) => string;
  /** Set for a column that is shown only when it is asked for. */
  readonly hidden?: true;
}

/** Columns by their heads. */
export type Columns<R> = Readonly<Record<string, Column<R>>>;

/** The columns to show, in their order. */
export type ColumnEntries<R> = readonly (readonly [name: string, column: Column<R>])[];

/** Rows with the heads of their columns above them. */
export function drawRows<R>(rows: readonly R[], columns: ColumnEntries<R>): string {
  const cells = rows.map((row) => columns.map(([, { value, shown }]) => shown?.(row) ?? String(value(row) ?? '')));
  const isNumber = (column: number) => rows.every((row) => typeof columns[column]![1].value(row) !== 'string');
  return tableOf([columns.map(([name]) => name), ...cells], isNumber);
}

/** Bytes, as people read them. */
export const sizeColumn = <R extends { readonly size: number | null }>(): Column<R> => ({
  value: (row) => row.size,
  shown: (row) => (row.size === null ? '?' : printSize(row.size)),
});
