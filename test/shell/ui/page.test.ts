// One screenful out of many rows. How it looks and when it comes is tested in session.test.ts.

import { expect, test } from 'vitest';
import { FIRST_PAGE, type Page, type Pages, placeOf, rowsOf, shownRows, turnPage } from '../../../shell/ui/page.ts';

const hundred: Pages = { rows: Array.from({ length: 100 }, (_, at) => `row ${at + 1}`), height: 10, growing: false };
const key = (chord: string) =>
  chord.length === 1 ? { chord: 'text', text: chord, sequence: chord } : { chord, text: '', sequence: '' };

/** The page after these keys; a word longer than one character is a chord. */
function after(chords: readonly string[], pages = hundred, from: Page = FIRST_PAGE): Page | 'leave' | undefined {
  let page: Page | 'leave' | undefined = from;
  for (const chord of chords) if (typeof page === 'object') page = turnPage(page, key(chord), pages);
  return page;
}
const top = (...chords: string[]) => (after(chords) as Page).top + 1;

test('keys of less move it, and stop at both ends', () => {
  expect([
    top(' '),
    top(' ', ' ', 'b'),
    top('j', 'down', 'k'),
    top('d'),
    top('G'),
    top('G', 'up'),
    top('G', 'g'),
  ]).toEqual([11, 11, 2, 6, 91, 90, 1]);
  expect([top('b'), top('up'), top(...Array(20).fill(' ').slice(0, 9))]).toEqual([1, 1, 91]);
});

test('q, Escape and Ctrl-C leave; a blank does where there is nothing more to come', () => {
  for (const leaving of ['q', 'escape', 'C-c']) expect(after([leaving])).toBe('leave');
  expect(after(['G', ' '])).toBe('leave');
  expect(after(['G', ' '], { ...hundred, growing: true })).toMatchObject({ top: 90 });
  expect(after(['x'])).toBeUndefined();
});

test('/ looks for a text, n for the next one, N for the one before; small letters mean any', () => {
  const found = (...chords: string[]) => (after(chords) as Page).found + 1;
  expect(found('/', '7', 'return')).toBe(7);
  expect(found('/', '7', 'return', 'n')).toBe(17);
  expect(found('/', '7', 'return', 'n', 'n', 'N')).toBe(17);
  expect(found('/', 'R', 'O', 'W', 'return')).toBe(0);
  expect(found('/', 'r', 'o', 'w', ' ', '9', '9', 'return')).toBe(99);
  expect((after(['/', 'z', 'return']) as Page).note).toBe('No z');
  expect((after(['/', '9', '9', 'return', 'n']) as Page).note).toBe('No more 99');
  expect(after(['/', '7', 'escape'])).toEqual(FIRST_PAGE);
  expect(after(['/', '7', 'backspace', 'backspace'])).toEqual(FIRST_PAGE);
});

test('the found text is inverted, and the line below says where the page is', () => {
  const page = after(['/', '2', '2', 'return']) as Page;
  expect(shownRows(page, hundred)[0]).toBe('row \x1b[7m22\x1b[27m');
  expect(placeOf(page, hundred)).toContain('22-31 of 100');
  expect(placeOf({ ...page, top: 90 }, hundred)).toContain('end: space or q leaves');
  expect(placeOf(page, { ...hundred, growing: true })).toContain('of 100 so far');
});

test('a line wider than the screen takes several rows, with its colours in each', () => {
  expect(rowsOf('abcdef', 4)).toEqual(['abcd', 'ef']);
  expect(rowsOf('abcd', 4)).toEqual(['abcd']);
  expect(rowsOf('漢字漢', 4)).toEqual(['漢字', '漢']);
  expect(rowsOf('\x1b[31mabcdef\x1b[0m', 4)).toEqual(['\x1b[31mabcd\x1b[39m', '\x1b[31mef\x1b[0m']);
  expect(rowsOf('a\tb', 20)).toEqual(['a       b']);
});
