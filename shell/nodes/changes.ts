/** Differences: those of `diff`, and those that `restoreconfig dry_run=true` would make. */

import { existsSync } from 'node:fs';
import {
  type Difference,
  type Differences,
  describeOperation,
  differencesByRestore,
  differencesFrom,
  dumpTree,
  type Host,
  type Operation,
  OperatorError,
  ownAddresses,
  type ParameterValues,
  shownValue,
  types,
  withoutSecrets,
} from '../../src/index.ts';
import { type Context, commandOf, optional, type ShellCommand } from '../session/node.ts';
import { printTime, timeType } from '../session/time-type.ts';
import { localAddresses } from './local-addresses.ts';
import { savedIn } from './saved-file.ts';

/** The signs of verbs by which an object is created or deleted. */
export const signs: Readonly<Record<string, '+' | '-'>> = {
  ...{ create: '+', add_account: '+', attach: '+', enable: '+' },
  ...{ delete: '-', remove_account: '-', detach: '-', disable: '-' },
};

/** The operation as people know it: with the parameters that a storage object is made of, and without random ones. */
function shown({ path, verb, params }: Operation): Operation {
  const { settled, wwn, ...words } = params;
  const { config } = (settled ?? {}) as { config?: ParameterValues };
  return { path, verb, params: config ? { ...words, ...config } : { ...(wwn !== undefined && { wwn }), ...words } };
}

/** The operation in a line. */
export const lineOf = (operation: Operation): string => describeOperation(shown(operation));

/** The value of a setting before. */
const wasOf = ({ params }: Operation, was: string): string => shownValue(String(params['name']), was);

function differenceLine({ operation, was }: Difference): string {
  const before = was === undefined ? '' : ` (was ${wasOf(operation, was) || 'empty'})`;
  return `${signs[operation.verb] ?? '~'} ${lineOf(operation)}${before}`;
}

const beyond = '~ parts that tcli keeps for the file and does not use';
const differenceLines = ({ differences, isAll }: Differences): string[] => [
  ...differences.map(differenceLine),
  ...(isAll ? [] : [beyond]),
];

function differenceData({ operation, was }: Difference): unknown {
  return { ...withoutSecrets(shown(operation)), ...(was !== undefined && { was: wasOf(operation, was) }) };
}

export const diff = (defaultFile: string): ShellCommand<Host> =>
  commandOf<Host>()({
    doc: 'Shows in what the configuration differs from a saved one.',
    details: [
      'Each line is what was done since then, or would have to be done: + something came, - it went, ~ it changed. Nothing is changed by looking.',
    ],
    seeAlso: ['saveconfig', 'undo'],
    parameters: [
      optional('savefile', types.string, 'The saved configuration.', { kind: 'file', default: defaultFile }),
      optional('since', timeType, 'Compare with what was there then instead: 2h ago, yesterday, or at a time.'),
    ],
    examples: [
      {
        line: 'diff',
        does: 'Shows what is not in saveconfig.json yet.',
        after: ['/ saveconfig', '/backstores/ramdisk create rd7 1M'],
      },
      {
        line: 'diff since=2h',
        does: 'Shows what has changed in two hours.',
        after: ['/backstores/ramdisk create rd8 1M', 'saveconfig'],
      },
    ],
    async run(host, { print, info, warn, fileNamed }, { savefile, since }) {
      const { path, saved } = await comparedWith(host, defaultFile, savefile && fileNamed(savefile), since);
      const found = await differencesFrom(saved, host.root.tree);
      for (const error of found.errors) warn(`${path}: ${error}`);
      const lines = differenceLines(found);
      if (lines.length === 0) return info(`Nothing differs from ${path}`);
      print(lines.join('\n'));
    },
    async json(host, { fileNamed }, { savefile, since }) {
      const { path, saved } = await comparedWith(host, defaultFile, savefile && fileNamed(savefile), since);
      const { differences, isAll, errors } = await differencesFrom(saved, host.root.tree);
      const same = differences.length === 0 && isAll;
      return { file: path, same, differences: differences.map(differenceData), errors };
    },
  });

/** The saved configuration to compare with. A file that was named must be there; a home in which nothing was saved yet has an empty one. */
async function comparedWith(host: Host, defaultFile: string, named: string | undefined, since: Date | undefined) {
  if (since !== undefined) {
    if (named !== undefined) throw new OperatorError('diff compares with a file or with a time, not with both');
    return comparedWithTime(host, since);
  }
  const path = named ?? defaultFile;
  return { path, saved: named === undefined && !existsSync(path) ? {} : await savedIn(path) };
}

/** The configuration of a time; where the journal does not reach so far back, the saved one of then. @throws OperatorError */
async function comparedWithTime({ history }: Host, since: Date) {
  const tree = await history.treeAt(since);
  const time = printTime(since);
  if (tree) return { path: `what was there at ${time}`, saved: dumpTree(tree) };
  const backups = await history.backups();
  // A backup is made of the saved file when another takes its place.
  const at = backups.findIndex(({ replaced }) => replaced !== undefined && new Date(replaced) >= since);
  const then = backups[at];
  const from = then?.saved ?? backups[at - 1]?.replaced;
  if (then && from !== undefined && new Date(from) <= since)
    return { path: `${then.path}, which was saved at ${time}`, saved: await savedIn(then.path) };
  throw new OperatorError(
    `What was there at ${time} is not known any more.`,
    'How far back it is known: changes last=0, and backups',
  );
}

/** Shows the changes that `restoreconfig` would make. @throws OperatorError where it would throw one */
export async function rehearseRestore(context: Context, params: ParameterValues, path: string): Promise<void> {
  const { host, print, info, warn, fail } = context;
  const found = await differencesByRestore(host.root.tree, params);
  const errors = [...found.errors, ...found.differences.flatMap(({ operation }) => whyNotHere(operation))];
  for (const error of errors) warn(`${error}, would be skipped`);
  if (errors.length > 0) fail();
  const lines = differenceLines(found);
  if (lines.length > 0) print(lines.join('\n'));
  info(lines.length === 0 ? `${path} would change nothing.` : `${path} would change this. Nothing was changed.`);
  if (params['clear_existing'] === true && host.root.serving && !found.nothing)
    warn('All sessions would end while it is restored, and what is in ramdisks would be lost.');
}

/** Why something that comes would not be served on this machine: its medium or its address is not there. */
function whyNotHere(operation: Operation): string[] {
  const { path, verb, params } = shown(operation);
  if (verb !== 'create') return [];
  const { dev, name, ip_address: address } = params;
  if (path.startsWith('/backstores/') && typeof dev === 'string' && dev.startsWith('/') && !existsSync(dev))
    return [`StorageObject ${name}: Could not open ${dev}: no such file or directory`];
  if (!path.endsWith('/portals') || typeof address !== 'string' || isHere(address)) return [];
  return [`NetworkPortal ${address}: address not available; this machine has ${ownAddresses().join(', ')}`];
}

const isHere = (address: string): boolean =>
  /^(?:127\..*|::)$/.test(address) || [...localAddresses()].some(([own]) => own === address);
