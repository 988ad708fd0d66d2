/** What changed: `diff` shows it, `undo` takes the last of it back, `restoreconfig dry_run=true` shows what would. */

import { existsSync } from 'node:fs';
import {
  type Difference,
  type Differences,
  describeOperation,
  differencesByRestore,
  differencesFrom,
  type Host,
  type Operation,
  OperatorError,
  type ParameterValues,
  shownValue,
  types,
  withoutSecrets,
} from '../../src/index.ts';
import { type Context, commandOf, optional, type ShellCommand } from '../session/node.ts';
import { savedIn } from './saved-file.ts';

const signs: Readonly<Record<string, '+' | '-'>> = {
  ...{ create: '+', add_account: '+', attach: '+', enable: '+' },
  ...{ delete: '-', remove_account: '-', detach: '-', disable: '-' },
};

/** The operation as people know it: of a storage object what it is made of, and nothing that chance made. */
function shown({ path, verb, params }: Operation): Operation {
  const { settled, wwn, ...words } = params;
  const { config } = (settled ?? {}) as { config?: ParameterValues };
  return { path, verb, params: config ? { ...words, ...config } : { ...(wwn !== undefined && { wwn }), ...words } };
}

const lineOf = (operation: Operation): string => describeOperation(shown(operation));

/** What a setting was before. */
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
    ],
    examples: [
      {
        line: 'diff',
        does: 'Shows what is not in saveconfig.json yet.',
        after: ['/ saveconfig', '/backstores/ramdisk create rd7 1M'],
      },
    ],
    async run({ root }, { print, info, warn, fileNamed }, { savefile }) {
      const { path, saved } = await comparedWith(defaultFile, savefile && fileNamed(savefile));
      const found = await differencesFrom(saved, root.tree);
      for (const error of found.errors) warn(`${path}: ${error}`);
      const lines = differenceLines(found);
      if (lines.length === 0) return info(`Nothing differs from ${path}`);
      print(lines.join('\n'));
    },
    async json({ root }, { fileNamed }, { savefile }) {
      const { path, saved } = await comparedWith(defaultFile, savefile && fileNamed(savefile));
      const { differences, isAll, errors } = await differencesFrom(saved, root.tree);
      const same = differences.length === 0 && isAll;
      return { file: path, same, differences: differences.map(differenceData), errors };
    },
  });

/** A file that was named must be there; a home in which nothing was saved yet has saved nothing. */
async function comparedWith(defaultFile: string, named: string | undefined) {
  const path = named ?? defaultFile;
  return { path, saved: named === undefined && !existsSync(path) ? {} : await savedIn(path) };
}

/** Shows what `restoreconfig` would do. @throws OperatorError as it would */
export async function rehearseRestore(context: Context, params: ParameterValues, path: string): Promise<void> {
  const { host, print, info, warn } = context;
  const found = await differencesByRestore(host.root.tree, params);
  for (const error of found.errors) warn(`${error}, would be skipped`);
  const lines = differenceLines(found);
  if (lines.length > 0) print(lines.join('\n'));
  info(lines.length === 0 ? `${path} would change nothing.` : `${path} would change this. Nothing was changed.`);
  if (params['clear_existing'] === true && host.root.serving && !found.nothing)
    warn('All sessions would end while it is restored, and what is in ramdisks would be lost.');
}

export const undo = commandOf<Host>()({
  doc: 'Takes the last change back, whoever made it.',
  details: [
    'A change is what one line did. It shows that line and what takes it back, and asks in a terminal. Again, it takes back the change before.',
    'It goes back as far as saveconfig.json, and restoreconfig from there. What was destroyed with a change (the contents of a ramdisk) does not come back, and what became larger is not cut off again: then nothing is done.',
  ],
  seeAlso: ['diff', 'restoreconfig'],
  parameters: [optional('dry_run', types.bool, 'Only show what would be taken back.', { default: false })],
  examples: [
    {
      line: 'undo',
      does: 'Takes back what was done last.',
      after: ['/ saveconfig', '/iscsi create iqn.2003-01.org.example:mistake'],
    },
  ],
  async run(host, context, { dry_run }) {
    const { print, info, terminal, ask } = context;
    const last = await host.lastChange();
    if (!last)
      throw new OperatorError(
        'Nothing to undo.',
        `Nothing was changed since ${host.home.saveFile} was written or restored; earlier ones: ${host.home.backupDirectory}`,
      );
    print(['Last change:', ...last.operations.map((one) => `  ${lineOf(one)}`)].join('\n'));
    print(['To take it back:', ...last.back.map((one) => `  ${lineOf(one)}`)].join('\n'));
    if (dry_run) return;
    const question = [...inUse(host, last.back), 'Take it back?'].join(' ');
    if (terminal.interactive && (await ask({ kind: 'confirm', message: question })) !== 'yes') return;
    await host.takeBack(last);
    info('The change was taken back.');
  },
});

/** Who is logged in to what goes. */
function inUse({ root }: Host, operations: readonly Operation[]): string[] {
  const going = operations.filter(({ verb }) => signs[verb] === '-').map((one) => printable(one));
  const users = root
    .sessions()
    .filter(({ targetWwn }) => going.some((text) => text.includes(targetWwn)))
    .map(({ initiatorWwn }) => initiatorWwn);
  return users.length === 0 ? [] : [`It is in use by ${[...new Set(users)].join(', ')}.`];
}

const printable = ({ path, params }: Operation): string => `${path} ${JSON.stringify(params)}`;
