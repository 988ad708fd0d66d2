/** Where rows end and the cursor stands, and which part of a list is shown. Not here: what Ink makes of it (screen). */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMeant } from '../../../shell/ui/choose.ts';
import { width } from '../../../shell/ui/graphemes.ts';
import { layOut } from '../../../shell/ui/layout.ts';
import { matchesFilter, movedSelection, visible } from '../../../shell/ui/list.ts';

const at = (prompt: string, text: string, cursor = text.length, suggestion = '') => ({
  prompt,
  text,
  cursor,
  suggestion,
});

test('the cursor stands behind the prompt, in columns', () => {
  expect(layOut(at('/> ', 'ab', 1), 20, 5)).toEqual({ rows: ['/> ab'], grey: '', x: 4, y: 0 });
  expect(layOut(at('/> ', '漢字', 1), 20, 5)).toMatchObject({ x: 5, y: 0 });
});

test('a full row ends; the cursor goes to the next', () => {
  expect(layOut(at('/> ', 'abcde'), 8, 5)).toEqual({ rows: ['/> abcde', ''], grey: '', x: 0, y: 1 });
  expect(layOut(at('/> ', 'abcdef', 5), 8, 5)).toMatchObject({ rows: ['/> abcde', 'f'], x: 0, y: 1 });
});

test('a wide character that does not fit goes to the next row whole', () => {
  expect(layOut(at('/> ', 'abcd漢'), 8, 5)).toMatchObject({ rows: ['/> abcd', '漢'], x: 2, y: 1 });
});

test('a suggestion takes what the row leaves, and never wraps', () => {
  expect(layOut(at('/> ', 'c', 1, 'reate'), 20, 5).grey).toBe('reate');
  expect(layOut(at('/> ', 'c', 1, 'reate'), 8, 5).grey).toBe('rea');
  expect(layOut(at('/> ', 'c', 1, '漢字'), 8, 5).grey).toBe('漢');
});

test('a line higher than the screen shows the rows around the cursor', () => {
  const text = 'abcdefghijklmnop';
  expect(layOut(at('', text, 0), 4, 2)).toMatchObject({ rows: ['abcd', 'efgh'], x: 0, y: 0 });
  expect(layOut(at('', text), 4, 2)).toMatchObject({ rows: ['mnop', ''], x: 0, y: 1 });
});

test('no row is ever wider than the screen, and the cursor is on it', () => {
  const text = fc.array(fc.constantFrom('a', '漢', '👨‍👩‍👧', 'e\u0301', ' ')).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.integer({ min: 4, max: 20 }), fc.integer({ min: 1, max: 4 }), (typed, columns, rowsMax) => {
      const { rows, x, y } = layOut(at('/> ', typed), columns, rowsMax);
      for (const row of rows) expect(width(row)).toBeLessThanOrEqual(columns);
      expect(rows.length).toBeLessThanOrEqual(rowsMax);
      expect(x).toBeLessThan(columns);
      expect(rows[y]).toBeDefined();
    }),
  );
});

const list = (count: number, selected: number, height: number) => ({
  items: Array.from({ length: count }, (_, n) => ({ label: `${n}`, help: '' })),
  selected,
  height,
});

test('a list goes round by lines and stops at its ends by pages', () => {
  expect(movedSelection(list(3, 2, 5), 'down')).toBe(0);
  expect(movedSelection(list(3, 0, 5), 'S-tab')).toBe(2);
  expect(movedSelection(list(30, 4, 10), 'pageup')).toBe(0);
  expect(movedSelection(list(30, 25, 10), 'pagedown')).toBe(29);
  expect(movedSelection(list(0, 0, 10), 'down')).toBe(0);
  expect(movedSelection(list(3, 0, 5), 'left')).toBeUndefined();
});

test('a list higher than its place shows the selection and says where it is', () => {
  expect(visible(list(5, 0, 5))).toEqual({ from: 0, to: 5, position: '' });
  expect(visible(list(50, 0, 10))).toEqual({ from: 0, to: 9, position: '1 of 50' });
  expect(visible(list(50, 49, 10))).toEqual({ from: 41, to: 50, position: '50 of 50' });
  for (let selected = 0; selected < 50; selected++) {
    const { from, to } = visible(list(50, selected, 7));
    expect(from <= selected && selected < to && to - from === 6).toBe(true);
  }
});

test('a filter wants each of its words', () => {
  expect(matchesFilter('set attribute Emulate_tpu=1', 'emu SET')).toBe(true);
  expect(matchesFilter('set attribute', 'set x')).toBe(false);
  expect(matchesFilter('anything', '')).toBe(true);
});

test('a filter with a slash is a part of the path of an item, where it has one', () => {
  const item = { label: 'portals', help: '', path: '/iscsi/iqn.2003-01.org.example:a/tpg1/portals' };
  expect([isMeant(item, '/port'), isMeant(item, 'a/tpg'), isMeant(item, '/luns')]).toEqual([true, true, false]);
  expect(isMeant({ label: 'a/b', help: '' }, 'a/b')).toBe(true);
});
