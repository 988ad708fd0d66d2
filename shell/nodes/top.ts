/** `top`: the traffic, again and again: a live table where a person has a terminal, and lines where not. */

import { type Host, OperatorError, types, type ValueType, type WatchEvent, watchHost } from '../../src/index.ts';
import { asLines } from '../channel/protocol.ts';
import { type Context, commandOf, optional } from '../session/node.ts';
import { TopFigures, type TopRow, type TopView, topTopics, topViews } from '../top/figures.ts';
import { headOf, sortedRows, sortWords, summaryLine, tableLines } from '../top/picture.ts';

const viewType: ValueType<string> = {
  ...types.string,
  words: topViews,
  wrong: `is none of: ${topViews.join(', ')}.`,
  parse: (text) => topViews.find((view) => view === text),
};
const sortType: ValueType<string> = {
  ...types.string,
  words: sortWords,
  wrong: `is none of: ${sortWords.join(', ')}.`,
  parse: (text) => sortWords.find((word) => word === text),
};
const secondsMax = 3600;
const secondsType: ValueType<number> = {
  ...types.string,
  wrong: `is no number of seconds from 0.2 to ${secondsMax}.`,
  parse(text) {
    const seconds = Number(text.replace(/s$/, ''));
    return seconds >= 0.2 && seconds <= secondsMax ? seconds : undefined;
  },
  print: String,
};

/** The number of lines of a table that are shown each time, where there is no terminal. */
const rowsMax = 20;

interface Wanted {
  readonly view: TopView;
  readonly sort: string;
  readonly filter: string;
  readonly everyMs: number;
  readonly count: number;
}

export const top = commandOf<Host>()({
  doc: 'Shows what goes on, live: IOPS, bytes, latency, queue and errors of LUNs, disks, initiators or portals.',
  details: [
    'On a terminal it is a table that keeps itself up to date. 1 to 4, or Tab, choose what it is of; s sorts by the next column, / filters by name, p pauses, Enter shows the ways to the row that is marked: which initiator by which portal. Escape goes back, q leaves.',
    'Latencies are those of the last interval: from the arrival of a command to the end of its answer. p99: so long took the fastest 99 of 100 at most. The queue has commands that are not answered yet; errors are commands whose status was not GOOD.',
    'Elsewhere it prints the busiest rows again and again, until Ctrl-C or as often as count says; with --json an object on a line of its own for each interval.',
  ],
  seeAlso: ['stats', 'list', 'sessions'],
  parameters: [
    optional('of', viewType, 'What to show first.', { default: 'luns' }),
    optional('every', secondsType, 'Seconds between two looks.', { default: 2 }),
    optional('sort', sortType, 'The column to sort by: the most first.', { default: 'iops' }),
    optional('filter', types.string, 'Only rows whose names have this in them.'),
    optional('count', types.number as ValueType<number>, 'How many intervals to print; until Ctrl-C when absent.'),
  ],
  examples: [
    { line: 'top', does: 'LUNs, the busiest first, every two seconds.' },
    { line: 'top initiators every=1 sort=p99', does: 'Initiators, the slowest first, every second.' },
  ],
  async run({ root, heldBy }, context, given) {
    refuseUnserved({ root, heldBy });
    const wanted = wantedIn(given);
    const { view, sort, filter, everyMs } = wanted;
    if (context.terminal.live) {
      const ended = await context.ask({ kind: 'top', message: 'top', view, sort, filter, everyMs });
      if (ended && ended !== asLines) throw new OperatorError(`top has ended: ${ended}`);
      if (!ended) return;
    }
    for await (const figures of intervals(context, wanted))
      context.print(printed(figures, wanted, context.terminal.columns));
  },
  json({ root, heldBy }, context, given) {
    refuseUnserved({ root, heldBy });
    return data(context, wantedIn(given));
  },
});

const wantedIn = (given: {
  of: string | undefined;
  every: number | undefined;
  sort: string | undefined;
  filter: string | undefined;
  count: number | undefined;
}): Wanted => ({
  view: topViews.find((view) => view === given.of) ?? 'luns',
  sort: given.sort ?? 'iops',
  filter: given.filter ?? '',
  everyMs: Math.round((given.every ?? 2) * 1000),
  count: given.count ?? Number.POSITIVE_INFINITY,
});

/** Refuses where nothing is served. @throws OperatorError */
function refuseUnserved({ root, heldBy }: Pick<Host, 'root' | 'heldBy'>): void {
  if (heldBy)
    throw new OperatorError(`Process ${heldBy.pid} serves this configuration, and cannot be asked from here.`);
  if (!root.serving)
    throw new OperatorError('Nothing is served from here, so nothing goes on.', 'To serve: tcli daemon start');
}

/** The figures at the end of each interval, until the line is interrupted. */
async function* intervals({ host, signal }: Context, { everyMs, count }: Wanted): AsyncGenerator<TopFigures> {
  const figures = new TopFigures();
  let wake: () => void = () => {};
  let ended = 0;
  const hear = (event: WatchEvent) => {
    if (figures.hear(event)) ended += 1;
    wake();
  };
  const stop = watchHost(host, { of: topTopics, everyMs, level: 'error' }, hear);
  const interrupted = () => wake();
  signal.addEventListener('abort', interrupted);
  try {
    for (let told = 0; told < count && !signal.aborted; ) {
      if (ended > told) {
        told = ended;
        yield figures;
      } else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    signal.removeEventListener('abort', interrupted);
    stop();
  }
}

function printed(figures: TopFigures, { view, sort, filter }: Wanted, columns: number): string {
  const rows = sortedRows(figures.rows(view), sort, filter);
  const { heads, lines } = tableLines(headOf(view, undefined), rows.slice(0, rowsMax), {
    columns,
    sort: '',
    hasBars: false,
  });
  const more = rows.length > rowsMax ? [`… and ${rows.length - rowsMax} more`] : [];
  return [summaryLine(figures, columns), heads, ...lines, ...more, ''].join('\n');
}

async function* data(context: Context, wanted: Wanted): AsyncGenerator<object> {
  const { view, sort, filter } = wanted;
  const plain = ({ key, trend: _, ...row }: TopRow) => ({
    ...(key !== '' && { path: key }),
    ...row,
    // JSON has no number for infinity.
    ...(row.p50Ms === Number.POSITIVE_INFINITY && { p50Ms: null }),
    ...(row.p99Ms === Number.POSITIVE_INFINITY && { p99Ms: null }),
  });
  for await (const figures of intervals(context, wanted)) {
    const { at, seconds, lost, sessions, busy } = figures;
    const rows = sortedRows(figures.rows(view), sort, filter).map(plain);
    yield { at, seconds, of: view, sessions, busy, lost, total: plain(figures.total()), rows };
  }
}
