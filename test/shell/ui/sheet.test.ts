/** A page on a terminal: what is written of it, and what stands there afterwards. */

import { expect, test } from 'vitest';
import { Sheet } from '../../../shell/ui/sheet.ts';

function sheetOn(columns: number, rows: number) {
  const written: string[] = [];
  const output = { columns, rows, write: (text: string) => written.push(text) };
  return { output, written, sheet: new Sheet(output) };
}

test('a row that did not change is not written again', () => {
  const { sheet, written } = sheetOn(20, 10);
  sheet.draw(['clock 1', 'disk0', 'keys']);
  sheet.draw(['clock 2', 'disk0', 'keys']);
  expect(written[0]).toMatch(/clock 1.*disk0.*keys/s);
  expect(written[1]).toContain('clock 2');
  expect(written[1]).not.toMatch(/disk0|keys/);
});

test('a terminal of another size gets every row anew, and rows that are too long for it are cut', () => {
  const { output, sheet, written } = sheetOn(20, 10);
  sheet.draw(['head', '\x1b[31ma row that is red\x1b[39m', 'keys']);
  Object.assign(output, { columns: 10 });
  sheet.draw(['head', '\x1b[31ma row that is red\x1b[39m', 'keys']);
  expect(written[1]).toMatch(/head.*a row tha….*keys/s);
});
