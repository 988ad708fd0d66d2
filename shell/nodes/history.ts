/** The history of changes with their authors, and undo: `changes`, `backups`, `undo`, `redo`. */

import {
  type AuditedChange,
  type Author,
  type HistoryStep,
  type Host,
  movesBack,
  movesOf,
  type Operation,
  OperatorError,
  printAuthor,
  types,
} from '../../src/index.ts';
import { type Context, commandOf, optional, required } from '../session/node.ts';
import { durationType, printTime, timeType } from '../session/time-type.ts';
import { lineOf, signs } from './changes.ts';

/** The number of changes that are shown by default. */
const changesShown = 50;

export const changes = commandOf<Host>()({
  doc: 'Shows what was changed: when, by whom, from where, and the line.',
  details: [
    'Who it was the kernel says: the user of the shell, in brackets who had logged in before sudo, the terminal, and the address of an SSH session. Changes that did not come from a shell say how they came: over the control socket, by tgtadm, from an initiator.',
    'It reaches back over saveconfig and restarts. Secrets are not kept. With --json the operations of each change are there as well.',
    'The eight characters behind the time name a change: `undo` takes them.',
  ],
  seeAlso: ['diff', 'undo', 'backups'],
  parameters: [
    optional('since', timeType, 'Those since then only: 2h, yesterday, 14:30, 2026-11-30.'),
    optional('who', types.string, 'Those of this user, terminal or address only; or shell, socket, tgtadm, initiator.'),
    optional('path', types.string, 'Those that concern this node or what is below it only.', { kind: 'path' }),
    optional('last', types.number, 'So many of them, the newest; 0 for all.', { default: changesShown }),
  ],
  examples: [
    { line: 'changes since=2h', does: 'Shows the last two hours.', after: ['/backstores/ramdisk create rd1 1M'] },
    { line: 'changes path=/iscsi who=root', does: 'Shows what root did to targets.' },
  ],
  async run({ history }, { print, info }, words) {
    const all = (await history.all()).changes;
    const wanted = all.filter(filterOf(words));
    const shown = wanted.slice(-(words.last ?? changesShown));
    if (shown.length === 0) return info('No changes are known.');
    if (shown.length < wanted.length) info(`${wanted.length - shown.length} before these: changes last=0`);
    const undone = new Set(all.flatMap(({ undoes }) => undoes ?? []));
    for (const { redoes } of all) if (redoes !== undefined) undone.delete(redoes);
    print(shown.map((one) => changeLine(one, undone.has(one.change))).join('\n'));
  },
  async json({ history }, _context, words) {
    const wanted = (await history.all()).changes.filter(filterOf(words));
    return wanted.slice(-(words.last ?? changesShown));
  },
});

interface ChangesWanted {
  readonly since: Date | undefined;
  readonly who: string | undefined;
  readonly path: string | undefined;
}

const filterOf =
  ({ since, who, path }: ChangesWanted) =>
  ({ at, by, did }: AuditedChange): boolean =>
    (since === undefined || (at !== undefined && new Date(at) >= since)) &&
    (who === undefined || Object.values(by ?? {}).includes(who)) &&
    (path === undefined || did.some((line) => concerns(line, path)));

/** Whether an operation is carried out at a node, or below it, or makes or deletes it. */
function concerns(line: string, typed: string): boolean {
  const path = typed.replace(/\/+$/, '');
  const above = path.slice(0, path.lastIndexOf('/'));
  const name = path.slice(path.lastIndexOf('/') + 1);
  const [, collected = name] = /^(?:lun|tpg|mapped_lun)(\d+)$/.exec(name) ?? [];
  const words = line.split(' ');
  return (
    words[0] === path ||
    words[0]!.startsWith(`${path}/`) ||
    (words[0] === (above || '/') && words.slice(1).some((word) => word.endsWith(`=${collected}`)))
  );
}

const authorOf = (by: Author | undefined): string => (by ? printAuthor(by) : 'unknown');

function changeLine({ change, at, by, line, did, more = 0, undoes, redoes }: AuditedChange, isUndone: boolean): string {
  const time = at === undefined ? '-'.repeat(printTime(new Date(0)).length) : printTime(new Date(at));
  const others = did.length - 1 + more;
  const said = line ?? `${did[0] ?? ''}${others > 0 ? ` and ${others} more` : ''}`;
  const about = [undoes && `takes back ${undoes}`, redoes && `makes ${redoes} again`, isUndone && 'was taken back'];
  const notes = about.filter(Boolean).map((note) => ` [${note}]`);
  return `${time}  ${change}  ${authorOf(by)}  ${said}${notes.join('')}`;
}

export const backups = commandOf<Host>()({
  doc: 'Lists the earlier saved configurations that are there: when each was saved, by whom, and with how many changes.',
  details: ['`diff FILE` shows what has changed since; `restoreconfig FILE clear_existing=true` goes back to it.'],
  seeAlso: ['saveconfig', 'diff', 'changes'],
  parameters: [],
  examples: [{ line: 'backups', does: 'Lists them, the oldest first.', after: ['/ saveconfig'] }],
  async run({ history, home }, { print, info }) {
    const all = await history.backups();
    if (all.length === 0) return info(`No backups in ${home.backupDirectory}.`);
    const lines = all.map(({ path, saved, replaced, by, changes: count }) => {
      const at = saved ?? replaced;
      const words = count === undefined ? '' : `  ${count} ${count === 1 ? 'change' : 'changes'}`;
      return `${at === undefined ? '-' : printTime(new Date(at))}  ${authorOf(by)}${words}  ${path}`;
    });
    print(lines.join('\n'));
  },
  json: ({ history }) => history.backups(),
});

export const undo = commandOf<Host>()({
  doc: 'Takes the last change back, whoever made it, or the one that is named.',
  details: [
    'A change is what one line did. It shows that line and what takes it back, and asks in a terminal. Again, it takes back the change before.',
    'It goes back over saveconfig, exit and restarts, as far as the journal does: `changes` shows what there was. With the name of a change that one is taken back and later ones stay, unless they stand on it.',
    'What was destroyed with a change (the contents of a ramdisk) does not come back: that is said, and such a storage object is not served until `reopen` says that it may be empty. What became larger is not cut off again: then nothing is done.',
  ],
  seeAlso: ['redo', 'changes', 'diff', 'restoreconfig'],
  parameters: [
    optional('change', types.string, 'The name of a change, as `changes` shows it; the last one when absent.'),
    optional('dry_run', types.bool, 'Only show what would be taken back.', { default: false }),
  ],
  examples: [
    {
      line: 'undo',
      does: 'Takes back what was done last.',
      after: ['/ saveconfig', '/iscsi create iqn.2003-01.org.example:mistake'],
    },
  ],
  async run(host, context, { change, dry_run }) {
    const step = await host.history.last(change);
    if (!step && change !== undefined)
      throw new OperatorError(
        `There is no change ${change} that could be taken back.`,
        'Those that there are: changes',
      );
    if (!step)
      throw new OperatorError('Nothing to undo.', 'No change before is known. Earlier saved configurations: backups');
    const does = {
      what: change === undefined ? `Last change (${step.change.id})` : `Change ${change}`,
      how: 'To take it back',
    };
    await take(host, context, step, { ...does, ask: 'Take it back?', done: 'The change was taken back.' }, dry_run);
  },
});

export const redo = commandOf<Host>()({
  doc: 'Makes the change again that was taken back last.',
  details: [
    'It can do so until somebody makes another change. Again, it makes the one again that was taken back before.',
  ],
  seeAlso: ['undo', 'changes'],
  parameters: [optional('dry_run', types.bool, 'Only show what would be done.', { default: false })],
  examples: [
    {
      line: 'redo',
      does: 'Makes it again.',
      after: ['/iscsi create iqn.2003-01.org.example:meant', 'undo'],
    },
  ],
  async run(host, context, { dry_run }) {
    const step = await host.history.undone();
    if (!step)
      throw new OperatorError(
        'Nothing to redo.',
        'Nothing was taken back, or something else was changed since: changes',
      );
    const does = { what: 'Taken back last', how: 'To make it again' };
    await take(host, context, step, { ...does, ask: 'Make it again?', done: 'The change was made again.' }, dry_run);
  },
});

export const tryCommand = commandOf<Host>()({
  doc: 'Makes a line on trial: what it changes is taken back by itself, unless somebody confirms it in time.',
  details: [
    'For what may cut you off: a change of portals, of ACLs or of CHAP. When you can still reach it afterwards, `confirm` keeps it; when you cannot, it is taken back.',
    'The line stands behind the time as it is: `try 5m /iscsi delete …`. With `-f FILE` all lines of a file are one change on trial.',
    'The end of the time is stored with the change: after a crash or a reboot that has outlasted it, the change is taken back before anything is served. What others change meanwhile stays; where it stands on what was tried, that stays as well, and the log and `confirm` say so. What could not be taken back (the contents of a ramdisk) cannot be tried.',
  ],
  seeAlso: ['confirm', 'undo', 'changes'],
  parameters: [
    required('time', durationType, 'How long it stands without a word: 90s, 5m, 2h; a week at most.'),
    required('line', types.string, 'The line, or -f and a file of lines.'),
  ],
  examples: [
    { line: 'try 5m /backstores/ramdisk create rd5 1M', does: 'Makes it, and takes it back in five minutes.' },
  ],
  // The session has read the line already.
  run: () => {},
});

export const confirmCommand = commandOf<Host>()({
  doc: 'Keeps what is on trial.',
  details: [
    'Without a name it keeps what was tried at this terminal. Who comes back over another connection names the change, and so does who keeps what somebody else tries: `status` at / shows the names.',
  ],
  seeAlso: ['try', 'changes'],
  parameters: [
    optional('change', types.string, 'The name of one change; what was tried at this terminal when absent.', {
      suggest: ({ host }) => host.trials.all.map(({ change, line }) => [change, line] as const),
    }),
  ],
  examples: [
    {
      line: 'confirm',
      does: 'Keeps it.',
      after: ['try 5m /backstores/ramdisk create rd6 1M'],
    },
  ],
  async run(host, { part, info }, { change }) {
    const by = part.by ?? { via: 'shell' };
    for (const one of await host.trials.confirm(change, by)) info(`Kept: ${one.line}`);
  },
});

interface StepWords {
  readonly what: string;
  readonly how: string;
  readonly ask: string;
  readonly done: string;
}

/** Shows a step, asks, and takes it. */
async function take(
  host: Host,
  { print, info, terminal, ask, part, moved }: Context,
  step: HistoryStep,
  words: StepWords,
  dryRun: boolean | undefined,
): Promise<void> {
  const listed = (head: string, operations: readonly Operation[]) =>
    print([`${head}:`, ...operations.map((one) => `  ${lineOf(one)}`)].join('\n'));
  listed(words.what, step.change.operations);
  listed(words.how, step.operations);
  for (const path of step.lost)
    print(`What ${path} held in memory is gone: it comes back without it, and is not served until: ${path} reopen`);
  if (dryRun) return;
  const question = [...inUse(host, step.operations), words.ask].join(' ');
  if (terminal.interactive && (await ask({ kind: 'confirm', message: question })) !== 'yes') return;
  await host.history.take(step, part);
  const moves = movesOf(step.change.operations);
  await moved(step.does === 'undo' ? movesBack(moves) : moves);
  info(words.done);
}

/** The initiators that are logged in to objects that go. */
function inUse({ root }: Host, operations: readonly Operation[]): string[] {
  const going = operations.filter(({ verb }) => signs[verb] === '-').map((one) => printable(one));
  const users = root
    .sessions()
    .filter(({ targetWwn }) => going.some((text) => text.includes(targetWwn)))
    .map(({ initiatorWwn }) => initiatorWwn);
  return users.length === 0 ? [] : [`It is in use by ${[...new Set(users)].join(', ')}.`];
}

const printable = ({ path, params }: Operation): string => `${path} ${JSON.stringify(params)}`;
