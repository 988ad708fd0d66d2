/** `list`: the objects of one kind as a table, sorted and filtered. */

import {
  type DiskRow,
  type Host,
  type InitiatorRow,
  type InventoryKind,
  inventoryKinds,
  type LunRow,
  OperatorError,
  type PortalRow,
  printPortal,
  rowsOf,
  type TargetRow,
  types,
} from '../../src/index.ts';
import { didYouMean } from '../session/nearest-word.ts';
import { commandOf, optional, required } from '../session/node.ts';
import { type Cell, type Column, type ColumnEntries, type Columns, drawRows, sizeColumn } from '../session/table.ts';

const problem = <R extends { readonly problem: string }>(): Column<R> => ({ value: (row) => row.problem });
const sessions = <R extends { readonly sessions: number }>(): Column<R> => ({ value: (row) => row.sessions });

const disks: Columns<DiskRow> = {
  disk: { value: ({ path }) => path },
  size: sizeColumn(),
  medium: { value: ({ medium }) => medium },
  mode: { value: (row) => (row.readOnly ? 'read-only' : row.writeBack ? 'write-back' : 'write-thru') },
  luns: { value: (row) => row.luns.length },
  sessions: sessions(),
  kind: { value: ({ kind }) => kind, hidden: true },
  wwn: { value: ({ wwn }) => wwn, hidden: true },
  problem: problem(),
};
const luns: Columns<LunRow> = {
  lun: { value: ({ path }) => path },
  disk: { value: (row) => row.disk },
  size: sizeColumn(),
  for: {
    value: (row) => row.mappedFor.length,
    shown: (row) =>
      [row.mappedFor.length > 0 ? String(row.mappedFor.length) : '', row.forEverybody ? 'everybody' : '']
        .filter(Boolean)
        .join(' + ') || 'nobody',
  },
  sessions: sessions(),
  problem: problem(),
};
const initiators: Columns<InitiatorRow> = {
  initiator: { value: ({ name }) => name },
  target: { value: ({ target }) => target },
  tpg: { value: ({ tpg }) => tpg, hidden: true },
  acl: { value: ({ hasAcl }) => (hasAcl ? 'yes' : 'no') },
  chap: { value: ({ chap }) => chap },
  luns: { value: (row) => row.luns.length },
  sessions: sessions(),
  address: { value: ({ addresses }) => addresses.join(', ') },
};
const targets: Columns<TargetRow> = {
  target: { value: ({ path }) => path },
  state: { value: ({ enabled }) => (enabled ? 'enabled' : 'disabled') },
  tpgs: { value: (row) => row.tpgs },
  luns: { value: (row) => row.luns },
  acls: { value: (row) => row.acls },
  sessions: sessions(),
  portals: { value: (row) => row.portals.join(', ') },
};
const portals: Columns<PortalRow> = {
  portal: { value: printPortal },
  target: { value: ({ target }) => target },
  tpg: { value: ({ tpg }) => tpg },
  state: { value: ({ up }) => (up ? 'listens' : 'closed') },
  sessions: sessions(),
  problem: problem(),
};

const tables: { readonly [K in InventoryKind]: Columns<never> } = { disks, luns, initiators, targets, portals };

const columnsOf = (kind: unknown): Columns<Record<string, unknown>> =>
  (tables as Readonly<Record<string, Columns<never>>>)[String(kind)] as unknown as Columns<Record<string, unknown>>;

const kindType = {
  ...types.string,
  words: inventoryKinds,
  wrong: `is none of: ${inventoryKinds.join(', ')}.`,
  parse: (text: string) => inventoryKinds.find((kind) => kind === text),
  print: String,
};

const columnNames = (given: Readonly<Record<string, string>>): string[] =>
  (inventoryKinds as readonly string[]).includes(given['kind'] ?? '') ? Object.keys(columnsOf(given['kind'])) : [];

export const list = commandOf<Host>()({
  doc: 'Lists what there is of a kind as a table: sizes, counts, who uses it, and what is wrong with it.',
  details: [
    'With --json it is a list of rows with all that is known of each: sizes are bytes, counts are numbers.',
    'Who uses a LUN or a storage object: users, at its node. What an initiator sees: disks, at its ACL.',
  ],
  seeAlso: ['ls', 'sessions', 'why'],
  parameters: [
    required('kind', kindType, 'What to list.'),
    optional('filter', types.string, 'Only rows with this text somewhere in them: a name, an address, part of a path.'),
    optional(
      'sort',
      types.string,
      'The column to sort by; with a minus before it the other way round: -size is the largest first.',
      {
        suggest: (_node, { given }) => columnNames(given).flatMap((name) => [name, `-${name}`]),
      },
    ),
    optional(
      'columns',
      types.string,
      'The columns to show, separated by commas; all: those too that are not shown else.',
      {
        suggest: (_node, { given }) => ['all', ...columnNames(given)],
      },
    ),
  ],
  examples: [
    { line: 'list disks sort=-size', does: 'Storage objects, the largest first.' },
    {
      line: 'list luns iqn.2003-01',
      does: 'LUNs of targets with such a name, or that are mapped for such an initiator.',
    },
    { line: 'list initiators columns=initiator,address,sessions', does: 'Who may come, and who is there.' },
  ],
  run({ root }, { print }, { kind, filter, sort, columns }) {
    const all = columnsOf(kind);
    const chosen = chosenColumns(all, columns);
    const rows = chosenRows(rowsOf(root, kind) as never, all, filter, sort);
    if (rows.length === 0) return print(filter === undefined ? `(no ${kind})` : `(no ${kind} with ${filter})`);
    const used = chosen.filter(
      ([name]) => columns !== undefined || name !== 'problem' || rows.some((row) => row['problem'] !== ''),
    );
    print(drawRows(rows, used));
  },
  json: ({ root }, _context, { kind, filter, sort }) =>
    chosenRows(rowsOf(root, kind) as never, columnsOf(kind), filter, sort),
});

/** The columns of a request. @throws OperatorError */
function chosenColumns<R>(all: Columns<R>, wanted: string | undefined): ColumnEntries<R> {
  if (wanted === 'all') return Object.entries(all);
  if (wanted === undefined) return Object.entries(all).filter(([, { hidden }]) => !hidden);
  return wanted.split(',').map((name) => [name, columnNamed(all, name)] as const);
}

/** The column of a name. @throws OperatorError */
function columnNamed<R>(all: Columns<R>, name: string): Column<R> {
  const names = Object.keys(all);
  if (!Object.hasOwn(all, name))
    throw new OperatorError(`There is no column ${name}.`, didYouMean(name, names) ?? `Columns: ${names.join(', ')}`);
  return all[name]!;
}

/** The rows of a request. @throws OperatorError */
function chosenRows<R extends object>(
  rows: readonly R[],
  columns: Columns<R>,
  filter: string | undefined,
  sort: string | undefined,
): readonly R[] {
  const text = filter?.toLowerCase();
  const found = text === undefined ? rows : rows.filter((row) => textOf(row).some((one) => one.includes(text)));
  if (sort === undefined) return found;
  const { value } = columnNamed(columns, sort.replace(/^-/, ''));
  const sorted = found.toSorted((a, b) => compare(value(a), value(b)));
  return sort.startsWith('-') ? sorted.reverse() : sorted;
}

/** All texts of a row. */
const textOf = (value: unknown): string[] =>
  typeof value === 'object' && value !== null
    ? Object.values(value).flatMap(textOf)
    : [String(value ?? '').toLowerCase()];

const collator = new Intl.Collator('en', { numeric: true });

/** Compares values: numbers by their size, unknown ones first; texts as people sort them. */
const compare = (a: Cell, b: Cell): number =>
  typeof a === 'string' || typeof b === 'string'
    ? collator.compare(String(a ?? ''), String(b ?? ''))
    : Number(a ?? -1) - Number(b ?? -1);
