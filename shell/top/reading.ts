/** The actions of a person with `top`: the keys, and the screen after each. Pure. */

import type { Key } from '../ui/key.ts';
import { EMPTY_LINE, editLine, type Line } from '../ui/line-editor.ts';
import { type TopFigures, type TopInside, type TopRow, type TopView, topViews } from './figures.ts';
import { headOf, sortedRows, sortWords, summaryLine, tableLines } from './picture.ts';

/** The place of a person in the table. */
export interface TopReading {
  readonly view: TopView;
  readonly sort: string;
  readonly filter: string;
  /** The filter while it is typed. */
  readonly typing: Line | null;
  readonly isPaused: boolean;
  /** The key of the row that is marked; '' for the first. */
  readonly selected: string;
  readonly inside?: TopInside | undefined;
}

/** The place at the beginning. */
export const startReading = (view: TopView, sort: string, filter: string): TopReading => ({
  ...{ view, sort, filter, typing: null, isPaused: false, selected: '' },
});

const help = '1-4 view  s sort  / filter  p pause  Enter into  Esc back  q quit';
/** The rows beside the table: the summary, the heads, the status line, and one that Ink needs so as not to clear the screen. */
const rowsBeside = 4;

/** The picture of a reading, line by line. */
export interface TopScreen {
  readonly lines: readonly string[];
  /** The status line below the rows, inverse. */
  readonly status: string;
  /** The filter that is being typed. */
  readonly typing: Line | null;
}

/** The rows of a reading in their order. */
const rowsIn = (figures: TopFigures, { view, sort, filter, inside }: TopReading): TopRow[] =>
  sortedRows(figures.rows(view, inside), sort, filter);

/** Draws a reading. @param hasColor the marked row stands out by itself; it has a > in any case */
export function drawTop(
  figures: TopFigures,
  reading: TopReading,
  { columns, rows: height, hasColor }: { readonly columns: number; readonly rows: number; readonly hasColor: boolean },
): TopScreen {
  const { view, inside, sort, filter, typing, isPaused } = reading;
  const rows = rowsIn(figures, reading);
  const room = Math.max(1, height - rowsBeside);
  const at = Math.max(
    0,
    rows.findIndex(({ key }) => key === reading.selected),
  );
  const from = Math.max(0, Math.min(at - (room >> 1), rows.length - room));
  const shown = rows.slice(from, from + room);
  const { heads, lines } = tableLines(headOf(view, inside), shown, { columns: columns - 2, sort, hasBars: true });
  const body = lines.map((line, index) => {
    if (from + index !== at) return `  ${line}`;
    return hasColor ? `\x1b[7m> ${line}\x1b[27m` : `> ${line}`;
  });
  const place = rows.length > room ? `${at + 1} of ${rows.length}  ` : '';
  const said = [isPaused ? 'paused' : '', filter && `only ${filter}`].filter(Boolean).join('  ');
  return {
    lines: [summaryLine(figures, columns), `  ${heads}`, ...(body.length > 0 ? body : ['  (nothing)'])],
    status: `${place}${said && `${said}  `}${help}`,
    typing,
  };
}

/** The reading after a key; undefined: the key means nothing. */
export function pressKey(figures: TopFigures, reading: TopReading, key: Key): TopReading | 'leave' | undefined {
  if (key.chord === 'C-c') return 'leave';
  if (reading.typing) return typeFilter(reading, reading.typing, key);
  const word = key.chord === 'text' ? key.text : key.chord;
  const to = moves[word];
  if (to) return moveTo(figures, reading, to);
  const view = topViews[Number(word) - 1];
  if (view) return { ...reading, view, inside: undefined, selected: '' };
  switch (word) {
    case 'q':
      return 'leave';
    case 'tab':
      return {
        ...reading,
        view: topViews[(topViews.indexOf(reading.view) + 1) % topViews.length]!,
        inside: undefined,
        selected: '',
      };
    case 's':
      return { ...reading, sort: sortWords[(sortWords.indexOf(reading.sort) + 1) % sortWords.length]! };
    case 'p':
    case ' ':
      return { ...reading, isPaused: !reading.isPaused };
    case '/':
      return { ...reading, typing: EMPTY_LINE };
    case 'return':
      return enter(figures, reading);
    case 'escape':
    case 'backspace':
    case 'left':
      if (reading.inside) return { ...reading, inside: undefined, selected: reading.inside.key };
      return reading.filter === '' ? undefined : { ...reading, filter: '' };
    default:
      return undefined;
  }
}

const moves: Readonly<Record<string, (at: number, count: number) => number>> = {
  up: (at) => at - 1,
  k: (at) => at - 1,
  down: (at) => at + 1,
  j: (at) => at + 1,
  pageup: (at) => at - 10,
  pagedown: (at) => at + 10,
  home: () => 0,
  end: (_at, count) => count - 1,
};

function moveTo(
  figures: TopFigures,
  reading: TopReading,
  to: (at: number, count: number) => number,
): TopReading | undefined {
  const rows = rowsIn(figures, reading);
  const at = Math.max(
    0,
    rows.findIndex(({ key }) => key === reading.selected),
  );
  const row = rows[Math.max(0, Math.min(to(at, rows.length), rows.length - 1))];
  return row && { ...reading, selected: row.key };
}

function enter(figures: TopFigures, reading: TopReading): TopReading | undefined {
  const rows = rowsIn(figures, reading);
  const row = rows.find(({ key }) => key === reading.selected) ?? rows[0];
  if (!row || reading.inside) return undefined;
  return { ...reading, inside: { view: reading.view, key: row.key }, selected: '', filter: '' };
}

function typeFilter(reading: TopReading, typing: Line, key: Key): TopReading | undefined {
  if (key.chord === 'return') return { ...reading, typing: null, filter: typing.text, selected: '' };
  if (key.chord === 'escape') return { ...reading, typing: null };
  const edited = editLine(typing, key, []);
  return edited && { ...reading, typing: edited, filter: edited.text, selected: '' };
}
