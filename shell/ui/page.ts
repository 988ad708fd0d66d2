/** One screenful out of many rows: moving it, searching in it, as less(1) does. Pure. */

import { stripVTControlCharacters } from 'node:util';
import wrapAnsi from 'wrap-ansi';
import { width } from './graphemes.ts';
import type { Key } from './key.ts';
import { EMPTY_LINE, editLine, type Line } from './line-editor.ts';

export interface Page {
  /** The row at the top of the page. */
  readonly top: number;
  /** The last pattern, '' for none, and the row where it was found. */
  readonly sought: string;
  readonly found: number;
  /** The pattern that is being typed behind a slash; null: keys move the page. */
  readonly typing: Line | null;
  /** The message of a search that found nothing. */
  readonly note: string;
}

/** The first page. */
export const FIRST_PAGE: Page = { top: 0, sought: '', found: -1, typing: null, note: '' };

/** The rows to page through. */
export interface Pages {
  readonly rows: readonly string[];
  /** Rows of one page. */
  readonly height: number;
  /** Whether there may be more. */
  readonly growing: boolean;
}

/** The rows that a line, with its colours, takes on a screen. */
export function rowsOf(line: string, columns: number): string[] {
  const plain = line.includes('\x1b') ? stripVTControlCharacters(line) : line;
  if (/^[\x20-\x7e]*$/.test(plain) ? plain.length <= columns : !/\t/.test(plain) && width(plain) <= columns)
    return [line];
  return wrapAnsi(line, columns, { hard: true, trim: false, wordWrap: false }).split('\n');
}

type Move = (top: number, height: number, last: number) => number;

const byRow: Move = (top) => top + 1;
const byRowBack: Move = (top) => top - 1;
const byPage: Move = (top, height) => top + height;
const byPageBack: Move = (top, height) => top - height;
const byHalf: Move = (top, height) => top + (height >> 1);
const byHalfBack: Move = (top, height) => top - (height >> 1);
const toStart: Move = () => 0;
const toEnd: Move = (_top, _height, last) => last;

/** The moves: keys of less(1) and of this shell's lists. */
const MOVES: Readonly<Record<string, Move>> = {
  ...{
    return: byRow,
    down: byRow,
    j: byRow,
    e: byRow,
    'C-n': byRow,
    up: byRowBack,
    k: byRowBack,
    y: byRowBack,
    'C-p': byRowBack,
  },
  ...{ ' ': byPage, f: byPage, pagedown: byPage, 'C-f': byPage, 'C-v': byPage },
  ...{ b: byPageBack, pageup: byPageBack, 'C-b': byPageBack, 'M-v': byPageBack },
  ...{ d: byHalf, 'C-d': byHalf, u: byHalfBack, 'C-u': byHalfBack },
  ...{ g: toStart, '<': toStart, home: toStart, G: toEnd, '>': toEnd, end: toEnd },
};
const LEAVES: readonly string[] = ['q', 'Q', 'escape', 'C-c', 'C-g'];
/** The keys that leave at the end. */
const LEAVES_AT_END: readonly string[] = [' ', 'return', 'f', 'pagedown', 'C-f', 'C-v'];

/** The page after `key`, `leave` when the person is done, undefined when the key is none of the pager's. */
export function turnPage(page: Page, key: Key, pages: Pages): Page | 'leave' | undefined {
  if (page.typing) return typed(page, page.typing, key, pages);
  const name = key.chord === 'text' ? key.text : key.chord;
  const { height, rows, growing } = pages;
  const last = Math.max(0, rows.length - height);
  if (LEAVES.includes(name)) return 'leave';
  if (page.top >= last && !growing && LEAVES_AT_END.includes(name)) return 'leave';
  const move = MOVES[name];
  if (move) return { ...page, note: '', top: Math.min(last, Math.max(0, move(page.top, height, last))) };
  if (name === '/') return { ...page, note: '', typing: EMPTY_LINE };
  if (name === 'n') return search(page, pages, 1);
  if (name === 'N') return search(page, pages, -1);
  return undefined;
}

function typed(page: Page, typing: Line, key: Key, pages: Pages): Page | undefined {
  if (key.chord === 'return') {
    // An empty pattern means the last one, as in less.
    const sought = typing.text || page.sought;
    return search({ ...page, typing: null, sought, found: -1 }, pages, 1);
  }
  const isEmptied = key.chord === 'backspace' && typing.text === '';
  if (isEmptied || key.chord === 'escape' || key.chord === 'C-c' || key.chord === 'C-g')
    return { ...page, typing: null };
  const next = editLine(typing, key, []);
  return next && { ...page, typing: next };
}

/** The next row with the pattern, from the page on; a pattern in small letters means any case. */
function search(page: Page, { rows, height }: Pages, by: 1 | -1): Page {
  const { sought, top, found } = page;
  if (sought === '') return { ...page, note: 'Nothing to look for: type / and a text' };
  const isSeen = found >= top && found < top + height;
  for (let at = isSeen ? found + by : by > 0 ? top : top - 1; at >= 0 && at < rows.length; at += by)
    if (placesOf(sought, rows[at]!).length > 0)
      return { ...page, note: '', found: at, top: Math.min(at, Math.max(0, rows.length - height)) };
  return { ...page, note: `No ${found < 0 ? '' : 'more '}${sought}` };
}

/** The places of the pattern in a row without its colours. */
function placesOf(sought: string, row: string): number[] {
  const plain = stripVTControlCharacters(row);
  const text = sought === sought.toLowerCase() ? plain.toLowerCase() : plain;
  const places: number[] = [];
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) places.push(at);
  return places;
}

/** The rows of a page, those with the pattern in plain text with it inverted. */
export const shownRows = ({ top, sought }: Page, { rows, height }: Pages): string[] =>
  rows.slice(top, top + height).map((row) => {
    const places = sought === '' ? [] : placesOf(sought, row);
    const plain = stripVTControlCharacters(row);
    return places.length === 0
      ? row
      : places.reduceRight(
          (text, at) =>
            `${text.slice(0, at)}\x1b[7m${text.slice(at, at + sought.length)}\x1b[27m${text.slice(at + sought.length)}`,
          plain,
        );
  });

/** The line below a page: its place, and the keys. */
export function placeOf({ top, note }: Page, { rows, height, growing }: Pages): string {
  const to = Math.min(top + height, rows.length);
  const where = `${top + 1}-${to} of ${rows.length}${growing ? ' so far' : ''}`;
  const atEnd = to === rows.length && !growing;
  return ` ${note || where}  ${atEnd ? 'end: space or q leaves' : 'space goes on, q leaves'}, b back, / search `;
}
