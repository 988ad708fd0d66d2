/** A storage object: its facts, its attributes, its ALUA groups. */

import {
  type Backstore,
  describeLoss,
  describeOverdue,
  infoOf,
  isReplaceable,
  mediumParameters,
  OperatorError,
  type StorageObject,
  schema,
  types,
  type Value,
  type ValueType,
  type WorkState,
} from '../../src/index.ts';
import { attributesGroup } from '../session/configuration-groups.ts';
import { child, commandOf, given, type NodeType, optional, type ShellCommand } from '../session/node.ts';
import { alua } from './alua.ts';
import { saveConfiguration } from './configuration.ts';
import { fileNames } from './create-storage-object.ts';
import { exportingTpgs, mayDelete, sessionsIn } from './in-use.ts';
import { infoCommand } from './info.ts';
import { renameStorageObject } from './moving.ts';
import { snapshots } from './snapshots.ts';
import { diskUsers } from './users.ts';
import { diskWhy } from './why.ts';

/** A size: bytes, or with a plus the number of further bytes. */
const newSize: ValueType<string> = {
  ...types.size,
  syntax: [...types.size.syntax, '- A plus before it: so much more than it is now, as in +1G.'],
  parse: (text) => (types.size.parse(text.replace(/^\+/, '')) === undefined ? undefined : text),
  print: (text) => text,
};

const resizeCommand = commandOf<StorageObject>()({
  doc: 'Changes its size while it is served. Initiators that are logged in are told.',
  details: [
    'What is added reads as zeros. A file that takes all of its space now takes it for what is added, too; a sparse one stays sparse. Smaller needs force=true: what lies beyond the new end is lost, so a file system on it has to be made smaller first.',
    'A block device has the size that it has: resize it (lvextend …), then say so here, without a size. An initiator learns of the change with its next command; Linux looks at the new size after: iscsiadm -m session --rescan',
  ],
  parameters: [
    optional('size', newSize, 'Its new size: 20G, or +1G for so much more. None for a block device.'),
    optional('force', types.bool, 'Lose what lies beyond the new end, or what a longer file holds there.', {
      default: false,
    }),
  ],
  examples: [
    { line: 'resize 20G', does: 'Makes it larger.' },
    { line: 'resize +1G', does: 'Makes it so much larger.' },
  ],
  async run({ path, backstore, name, config }, context, { size: text, force }) {
    const bytes = text === undefined ? undefined : types.size.parse(text.replace(/^\+/, ''));
    const before = text?.startsWith('+') ? Number(config['size'] ?? 0) : 0;
    const { operation } = await context.apply(
      path,
      'resize',
      given({ size: bytes === undefined ? undefined : before + bytes, force: force || undefined }),
    );
    context.info(`Resized ${backstore.name} ${name} to size ${operation.params['size']}.`);
  },
});

/** The command of kinds whose medium can be another one. It is told the medium by the words of `create`. */
const replaceCommand = (kind: Backstore): ShellCommand<StorageObject> => ({
  takesAway: true,
  doc: 'Puts another medium in the place of this one. Name, serial number, attributes and LUNs stay.',
  details: [
    'For a disk that fails, or that moves to another file or device. What the old medium holds is not copied: initiators go on with what the new one holds, and are told that the medium, and perhaps its size, has changed.',
    'What initiators wrote is brought to the old medium first; when that cannot be, as on a disk that has failed, it is refused unless force=true. So is a new medium that is smaller.',
  ],
  seeAlso: ['reopen'],
  parameters: [
    ...mediumParameters(kind),
    {
      ...optional('force', types.bool, 'Although what lies beyond its end, or was not written back, is lost.'),
      byName: true,
    },
  ],
  examples: [{ line: `replace ${kind.example.replace(/^\S+ /, '')}`, does: 'Goes on with that one.' }],
  async run(object, context, { values }) {
    const { path, name } = object;
    const sessions = sessionsIn(exportingTpgs(context.host, object));
    if (!(await mayDelete(context, path, { sessions, act: 'Replace' }))) return;
    const params = given({ ...(values as Record<string, Value>), ...fileNames(kind, values, context), name });
    await context.apply(`/backstores/${kind.name}`, 'replace', params);
    context.info(`Replaced the medium of ${kind.name} ${name}. What the old one held was not copied.`);
  },
});

const reopenCommand = commandOf<StorageObject>()({
  doc: 'Closes its medium and opens it again, after writes may have been lost, or another gateway has taken it.',
  details: [
    'When a flush fails, what initiators wrote since the last good one may not be on the medium, although it was acknowledged. From then on every flush and every write that has to be stable fails, whoever sends it, also after a restart, until the ranges were written again and flushed. ls, status and info say so.',
    'When the medium is well again, and the data on it was checked or restored, this command ends that state: what may be lost is forgotten. Sessions go on; commands that come meanwhile are answered NOT READY.',
    'An image in Ceph is served under its exclusive lock. One that another client has stays away from here until that one lets go of it or is dead; force=true shuts that client out of the cluster, whatever it serves, and takes the lock.',
  ],
  parameters: [
    optional('force', types.bool, 'Shut out whoever else has the medium, although he is alive.', { default: false }),
  ],
  examples: [{ line: 'reopen', does: 'Opens the medium again, and lets flushes succeed.' }],
  async run(object, { host, info, warn }, { force }) {
    if (host.heldBy || !host.root.serving)
      return warn('Nothing is served from here, so nothing was opened. To serve: tcli daemon start');
    await host.root.reopen(object, force ? 'anybody' : undefined);
    if (object.missing !== undefined)
      throw new OperatorError(`The medium of ${object.name} could not be opened again: ${object.missing}`);
    const loss = host.root.lossOf(object);
    if (loss)
      throw new OperatorError(
        `The medium of ${object.name} was opened again, and failed again: ${loss.reason}`,
        'Its first flush failed: look at the device, then reopen once more.',
      );
    info(`Reopened ${object.backstore.name} ${object.name}.`);
  },
});

/** The line about FORMAT UNIT or SANITIZE, with its progress. The standard lets nobody stop it (SBC-4 4.11). */
const workLine = ({ command, failed, progress }: WorkState): string =>
  failed
    ? `${command} has failed: nothing can be read until an initiator formats or sanitizes it again.`
    : `${command} goes on: ${Math.floor(progress * 100)} %`;

export const storageObject: NodeType<StorageObject> = {
  doc: 'A storage object: a volume with a SCSI identity.',
  summary(object, { root, isOffline }) {
    const { backstore, name, config, size, attributes, exported, missing } = object;
    const about = backstore.summary(config, size, attributes.values.emulate_write_cache === 1);
    if (missing !== undefined) return { text: `${about} missing: ${missing}`, healthy: false };
    const loss = root.lossOf(object);
    const overdue = root.overdueOf(object);
    const isLate = overdue !== undefined && overdue.commands > 0;
    const state = isOffline ? 'not served' : exported ? 'activated' : 'deactivated';
    const text = `${about} ${state}${loss ? ', writes lost' : ''}${isLate ? ', does not answer' : ''}`;
    const work = root.workOn(object);
    const late = isLate ? [`${name}: ${describeOverdue(overdue)}.`] : [];
    const more = [...(loss ? [describeLoss(loss)] : []), ...late, ...(work ? [workLine(work)] : [])];
    return { text, healthy: work?.failed !== true && !loss && !isLate, ...(more.length > 0 && { more }) };
  },
  row: (object, rows) => rows.disk(object),
  children: (object) => [
    child('alua', alua, object),
    ...(object.backstore.snapshots ? [child('snapshots', snapshots, object)] : []),
  ],
  groups: (object) => [attributesGroup('attribute', object.path, object.attributes)],
  commands: (object) => ({
    ...(isReplaceable(object) && { replace: replaceCommand(object.backstore) }),
    rename: renameStorageObject,
    resize: resizeCommand,
    reopen: reopenCommand,
    users: diskUsers,
    why: diskWhy,
    info: infoCommand<StorageObject>(
      'Shows its name, size, serial number and so on, what it takes of its medium and what is left there, how far a FORMAT UNIT or SANITIZE is, and what writes may be lost.',
      async (object, { root }) => {
        const { missing } = object;
        const [space] = await root.spaces(object.path);
        const work = root.workOn(object);
        const loss = root.lossOf(object);
        return {
          ...infoOf(schema.storageObject, object),
          ...(missing !== undefined && { missing }),
          ...(work && {
            work: work.command,
            work_failed: work.failed,
            work_progress: Number(work.progress.toFixed(4)),
          }),
          ...(loss && { writes_lost: describeLoss(loss) }),
          ...(space && { space_allocated: space.allocated }),
          ...(space?.available !== undefined && { space_available: space.available }),
          client: root.clientOf(object)?.client,
        };
      },
    ),
    version: commandOf<StorageObject>()({
      doc: 'Shows which kind of backstore serves it.',
      parameters: [],
      examples: [{ line: 'version', does: 'Shows the kind and its version.' }],
      run: ({ backstore }, { info }) => info(`Backstore plugin ${backstore.plugin} v5.0`),
      json: ({ backstore }) => ({ plugin: backstore.plugin }),
    }),
    saveconfig: commandOf<StorageObject>()({
      doc: 'Saves this storage object, and the first target that exports it, into a file; the rest of the file stays.',
      parameters: [optional('savefile', types.string, 'The file; saveconfig.json when absent.', { kind: 'file' })],
      examples: [{ line: 'saveconfig', does: 'Saves it.' }],
      async run(only, context, { savefile }) {
        const { backstore, name } = only;
        const { path } = await saveConfiguration(context, savefile, { say: false, only });
        context.info(`Storage Object '${backstore.plugin}:${name}' config saved to ${path}.`);
      },
    }),
  }),
};
