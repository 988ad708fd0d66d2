/** The configuration as a whole: saveconfig, restoreconfig, clearconfig. */

import {
  entryOf,
  type Host,
  harmIn,
  keptIn,
  OperatorError,
  remarksOn,
  type SavedFile,
  type StorageObject,
  types,
  until,
  type Value,
  type ValueType,
} from '../../src/index.ts';
import { type Commands, type Context, commandOf, given, optional, type ShellCommand } from '../session/node.ts';
import { diff, rehearseRestore } from './changes.ts';
import { backups, changes, confirmCommand, redo, tryCommand, undo } from './history.ts';
import { savedIn } from './saved-file.ts';

/** Saves to `savefile`, or to the home's own file. @param only merge this object into another file */
export async function saveConfiguration(
  { host, preferences, fileNamed, settle, info, warn, part }: Context,
  savefile?: string,
  { say = true, only }: { readonly say?: boolean; readonly only?: StorageObject } = {},
): Promise<SavedFile> {
  await settle();
  const keep = preferences.get('max_backup_files') ?? 10;
  const saved = await host.save(savefile === undefined ? undefined : fileNamed(savefile), keep, {
    only,
    by: part.by,
  });
  if (saved.backupProblem !== undefined) warn(`Could not create backup file: ${saved.backupProblem}.`);
  if (say && saved.backup) info(`Last ${keep} configs saved in ${host.home.backupDirectory}/.`);
  if (say) info(`Configuration saved to ${saved.path}`);
  if (say && saved.madeFolder !== undefined) info(`The folder ${saved.madeFolder} was not there; it was made.`);
  const kept = keptIn(host.root.tree);
  if (say && kept.length > 0) info(`Kept in it as it came, and not used here: ${few(kept)}`);
  if (say && saved.behind !== undefined) info(`It is a link; what was written is ${saved.behind}`);
  if (say && saved.inPlace)
    info(
      'It is mounted by itself, and so was written in place: a crash meanwhile would have left its copy, .temp, beside it.',
    );
  return saved;
}

const namesMax = 5;
/** Some of many names, for a line. */
const few = (names: readonly string[]): string =>
  [...names.slice(0, namesMax), ...(names.length > namesMax ? [`and ${names.length - namesMax} more`] : [])].join(', ');

/** true and false, and what scripts for targetcli write instead of true. */
const clearWord: ValueType<boolean> = {
  ...types.bool,
  parse: (text) => types.bool.parse(text) ?? entryOf({ clear_existing: true, 1: true, 0: false }, text),
};

const saveconfig = (defaultFile: string): ShellCommand<Host> =>
  commandOf<Host>()({
    doc: 'Saves the configuration. What is there already is kept as a compressed backup.',
    details: ['Changes are never lost without it: they are in the journal, from which they come back.'],
    parameters: [optional('savefile', types.string, 'The file.', { kind: 'file', default: defaultFile })],
    examples: [{ line: 'saveconfig', does: 'Saves it where the next start finds it.' }],
    async run(_host, context, { savefile }) {
      await saveConfiguration(context, savefile);
    },
  });

const restoreconfig = (defaultFile: string): ShellCommand<Host> =>
  commandOf<Host>()({
    doc: 'Restores a saved configuration, all of it or one target or storage object. What cannot be restored is reported, and kept for the next saveconfig.',
    parameters: [
      optional('savefile', types.string, 'The file.', { kind: 'file', default: defaultFile }),
      optional('clear_existing', clearWord, 'Clear first what is to be restored.', { default: false }),
      optional('target', types.string, 'Restore this target only.', {
        kind: 'wwn',
        suggest: ({ host }) => Array.from(host.root.tree.targets(), ({ wwn }) => wwn),
      }),
      optional('storage_object', types.string, 'Restore the storage object of this name only.', {
        suggest: ({ host }) => Array.from(host.root.tree.allStorageObjects(), ({ name }) => name),
      }),
      optional('wait', types.number, 'Seconds to wait for files and devices that are not there.', { default: 0 }),
      optional('dry_run', types.bool, 'Only show what would change.', { default: false }),
      optional('new_serials', types.bool, 'It is from another machine: give its disks serial numbers of their own.', {
        default: false,
      }),
    ],
    seeAlso: ['saveconfig', 'diff'],
    examples: [
      {
        line: 'restoreconfig clear_existing=true',
        does: 'Goes back to what was saved last.',
        after: ['/ saveconfig'],
      },
      {
        line: 'restoreconfig clear_existing=true dry_run=true',
        does: 'Shows what that would change.',
        after: ['/ saveconfig'],
      },
    ],
    async run(host, context, { savefile, clear_existing, target, storage_object, wait = 0, dry_run, new_serials }) {
      const path = savefile === undefined ? defaultFile : context.fileNamed(savefile);
      const configuration = await savedIn(path);
      context.signal.throwIfAborted();
      const serials = new_serials ? { new_serials } : {};
      const params = given({ configuration, clear_existing, target, storage_object, ...serials });
      if (dry_run) return rehearseRestore(context, params, path);
      const { notes } = await host.root.apply({ path: '/', verb: 'restoreconfig', params }, false, context.part);
      if (new_serials) sayNewSerials(configuration, context);
      for (const problem of harmIn(host.root.tree)) context.warn(problem);
      for (const remark of remarksOn(host.root.tree)) context.info(remark);
      const errors = [...notes, ...(await missingMedia(context, wait ?? 0))];
      if (errors.length === 0) return context.info(`Configuration restored from ${path}`);
      const lines = errors.map((error) => `${error}, skipped`);
      throw new OperatorError([`Configuration restored, ${errors.length} recoverable errors:`, ...lines].join('\n'));
    },
  });

/** Which disks initiators do not take for those of the other machine. */
function sayNewSerials(configuration: Value, { host, info }: Context): void {
  const { storage_objects: objects } = configuration as { storage_objects?: unknown };
  for (const one of Array.isArray(objects) ? objects : []) {
    const { plugin, name, wwn } = (one ?? {}) as Record<string, unknown>;
    const now = host.root.tree.storageObjectOf(String(plugin), String(name));
    if (now && now.wwn !== wwn) info(`${now.path} has the serial number ${now.wwn}; it was ${wwn}.`);
  }
}

/** How often a restore looks for media that are not there. */
const mediaPollMs = 200;

/** Lines about the media that are missing once they are no longer waited for. */
async function missingMedia({ host, signal }: Context, waitSeconds: number): Promise<string[]> {
  let missing: string[] = [];
  const look = async () => {
    missing = await host.root.missingMedia();
    return missing.length === 0 || undefined;
  };
  await until(mediaPollMs, waitSeconds * 1000, look, signal);
  return missing;
}

const clearconfig = commandOf<Host>()({
  doc: 'Removes every storage object, target and setting. Saved files stay as they are.',
  parameters: [optional('confirm', types.bool, 'true, to say that you mean it.')],
  examples: [{ line: 'clearconfig confirm=True', does: 'Removes everything.' }],
  async run(_host, context, { confirm }) {
    const { terminal, ask } = context;
    const message = `This removes ${all(context.host)}. Go on?`;
    const asks = confirm === undefined && terminal.interactive;
    if (asks && (await ask({ kind: 'confirm', message })) !== 'yes') return context.info('Nothing was removed.');
    if (!asks && !confirm) throw new OperatorError('As a precaution, confirm=True needs to be set');
    await context.apply('/', 'clearconfig', {});
    context.info('All configuration cleared');
  },
});

/** The numbers of all objects, in words. */
function all({ root }: Host): string {
  const count = (list: Iterable<unknown>, noun: string) => {
    const number = [...list].length;
    return `${number} ${noun}${number === 1 ? '' : 's'}`;
  };
  const { tree } = root;
  return [
    count(tree.allStorageObjects(), 'storage object'),
    count(tree.targets(), 'target'),
    count(root.sessions(), 'session'),
  ].join(', ');
}

/** The commands of the root for the configuration as a whole. */
export const configurationCommands = ({ home }: Host): Commands<Host> => ({
  saveconfig: saveconfig(home.saveFile),
  restoreconfig: restoreconfig(home.saveFile),
  clearconfig,
  backups,
  changes,
  confirm: confirmCommand,
  diff: diff(home.saveFile),
  redo,
  try: tryCommand,
  undo,
});
