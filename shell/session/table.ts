/** A table as text: columns as wide as what stands in them, numbers to the right. */

import stringWidth from 'string-width';
import { printableLine } from '../../src/client.ts';

const gap = '  ';

/**
 * @param rows the first one has the heads
 * @param right which columns stand to the right
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
