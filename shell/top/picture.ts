/** `top` as lines of text: columns that fit, numbers that can be read. Pure. */

import { latencyBoundsMs, printableLine } from '../../src/client.ts';
import { cell, width } from '../ui/graphemes.ts';
import type { TopFigures, TopInside, TopRow, TopView } from './figures.ts';

/** A column: its head, which is also the word to sort by. */
interface TopColumn {
  readonly head: string;
  readonly columns: number;
  readonly shown: (row: TopRow) => string;
  /** The value to sort by: the least is first. */
  readonly value: (row: TopRow) => number;
  /** The order in which columns are left out where there is no room: the highest number first. */
  readonly spare: number;
}

const bars = '▁▂▃▄▅▆▇█';
const trendColumns = 8;

/** IOPS and bytes of a second, short: 950, 12.3k, 4.5M. */
export function shortNumber(value: number): string {
  if (value < 999.5) return value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(1);
  const units = ['k', 'M', 'G', 'T'];
  let rest = value / 1000;
  let unit = 0;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${rest < 99.5 ? rest.toFixed(1) : rest.toFixed(0)}${units[unit]}`;
}

const megabytes = (bytes: number): string => (bytes === 0 ? '0' : (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0));

const milliseconds = (ms: number | null): string =>
  ms === null ? '-' : ms < 0.1 ? ms.toFixed(3) : ms < 100 ? ms.toFixed(2) : ms.toFixed(0);

/** A percentile, as bins tell it: the first and the last bin have one end. */
const percentile = (ms: number | null): string =>
  ms === Number.POSITIVE_INFINITY ? '>2s' : ms !== null && ms <= latencyBoundsMs[0]! ? `<${ms}` : milliseconds(ms);

/** The last IOPS as bars; the highest is a full one. */
export function sparkline(trend: readonly number[]): string {
  const shown = trend.slice(-trendColumns);
  const most = Math.max(...shown, 0);
  const bar = (value: number) => (most === 0 ? bars[0] : bars[Math.ceil((value / most) * (bars.length - 1))]);
  return shown.map(bar).join('').padStart(trendColumns);
}

const all: readonly TopColumn[] = [
  { head: 'iops', columns: 6, shown: ({ iops }) => shortNumber(iops), value: ({ iops }) => iops, spare: 0 },
  { head: 'rd MB/s', columns: 7, shown: (row) => megabytes(row.readBytes), value: (row) => row.readBytes, spare: 1 },
  {
    head: 'wr MB/s',
    columns: 7,
    shown: (row) => megabytes(row.writtenBytes),
    value: (row) => row.writtenBytes,
    spare: 2,
  },
  { head: 'mean ms', columns: 7, shown: (row) => milliseconds(row.meanMs), value: (row) => row.meanMs ?? -1, spare: 5 },
  { head: 'p50', columns: 6, shown: (row) => percentile(row.p50Ms), value: (row) => row.p50Ms ?? -1, spare: 7 },
  { head: 'p99', columns: 6, shown: (row) => percentile(row.p99Ms), value: (row) => row.p99Ms ?? -1, spare: 3 },
  { head: 'queue', columns: 5, shown: ({ queue }) => String(queue), value: ({ queue }) => queue, spare: 4 },
  { head: 'err/s', columns: 5, shown: ({ errors }) => shortNumber(errors), value: ({ errors }) => errors, spare: 6 },
];

/** The words to sort by. */
export const sortWords: readonly string[] = ['name', ...all.map(({ head }) => head.replace(/ .*/, ''))];

/** Rows sorted by a word of `sortWords`: the most first, names from a to z. Equal rows stay in the order of the tree. */
export function sortedRows(rows: readonly TopRow[], sort: string, filter: string): TopRow[] {
  const text = filter.toLowerCase();
  const column = all.find(({ head }) => head.replace(/ .*/, '') === sort);
  const found = text === '' ? [...rows] : rows.filter(({ name }) => name.toLowerCase().includes(text));
  return found.sort((a, b) => (column ? column.value(b) - column.value(a) : collator.compare(a.name, b.name)));
}

const collator = new Intl.Collator('en', { numeric: true });

const nameColumnsMin = 14;
const trendWidth = trendColumns + 1;

/** The columns that fit beside a name. */
function fitting(columns: number): { shown: readonly TopColumn[]; hasTrend: boolean; nameColumns: number } {
  let shown = [...all];
  const need = () => shown.reduce((sum, one) => sum + one.columns + 1, 0);
  const hasTrend = columns - need() - trendWidth >= nameColumnsMin;
  while (shown.length > 1 && columns - need() < nameColumnsMin) {
    const most = Math.max(...shown.map(({ spare }) => spare));
    shown = shown.filter(({ spare }) => spare !== most);
  }
  return { shown, hasTrend, nameColumns: Math.max(1, columns - need() - (hasTrend ? trendWidth : 0)) };
}

/** One line for each row, below a line of heads. @param bars whether the terminal draws them */
export function tableLines(
  head: string,
  rows: readonly TopRow[],
  { columns, sort, hasBars }: { readonly columns: number; readonly sort: string; readonly hasBars: boolean },
): { heads: string; lines: string[] } {
  const { shown, hasTrend, nameColumns } = fitting(columns);
  const trend = hasTrend && hasBars;
  const end = (text: string, room: number) => ' '.repeat(Math.max(0, room - width(text))) + text;
  const line = (name: string, cells: readonly string[], last: string) =>
    [cell(name, nameColumns), ...cells.map((text, at) => end(text, shown[at]!.columns)), ...(trend ? [last] : [])]
      .join(' ')
      .trimEnd();
  const marked = (text: string) => (text.replace(/ .*/, '') === sort ? `${text}`.toUpperCase() : text);
  return {
    heads: line(
      marked(head),
      shown.map((one) => marked(one.head)),
      'trend',
    ),
    lines: rows.map((row) =>
      line(
        printableLine(row.problem === '' ? row.name : `! ${row.name}`),
        shown.map((one) => one.shown(row)),
        sparkline(row.trend),
      ),
    ),
  };
}

/** The summary, in a line: the traffic of all. */
export function summaryLine(figures: TopFigures, columns: number): string {
  const { iops, readBytes, writtenBytes, meanMs, p99Ms, queue } = figures.total();
  const pieces = [
    figures.at.slice(11, 19),
    `${shortNumber(iops)} IOPS`,
    `read ${megabytes(readBytes)} MB/s`,
    `write ${megabytes(writtenBytes)} MB/s`,
    `${milliseconds(meanMs)} ms, p99 ${percentile(p99Ms)}`,
    `queue ${queue}`,
    `sessions ${figures.sessions}`,
    `busiest thread ${Math.round(figures.busy * 100)} %`,
    ...(figures.lost > 0 ? [`${figures.lost} samples lost`] : []),
  ];
  let text = pieces[0]!;
  for (const piece of pieces.slice(1)) if (width(text) + width(piece) + 2 <= columns) text += `  ${piece}`;
  return text;
}

/** The heading of the table. */
export const headOf = (view: TopView, inside: TopInside | undefined): string =>
  inside ? `ways to ${inside.key}` : view.replace(/s$/, '');
