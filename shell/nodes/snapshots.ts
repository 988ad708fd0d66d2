/** `snapshots` of a storage object: contents of its medium at moments, and storage objects made of them. */

import {
  changedAttributes,
  checkSnapshotName,
  OperatorError,
  printSize,
  type Snapshot,
  type StorageObject,
  types,
} from '../../src/index.ts';
import { type Context, child, commandOf, type Node, type NodeType, optional, required } from '../session/node.ts';
import { exportingTpgs, sessionsIn } from './in-use.ts';
import { infoCommand } from './info.ts';
import { storageObjectPaths } from './luns.ts';

const nameParameter = required('name', types.string, 'The name of the snapshot.', {
  suggest: (node) => node.children().map((one) => [one.name, one.summary().text] as const),
});

/** The attributes that identify a storage object, which a clone does not get. */
const identity: readonly string[] = ['scsi_id'];

/** Prints a time: `2026-11-30T10:12:00Z`. */
const printTime = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/, '');

export const snapshots: NodeType<StorageObject> = {
  doc: 'What its medium held at moments. The engine keeps them: they are in no saved file.',
  summary: (object, { root }) => ({ text: `Snapshots: ${root.snapshots.seen(object).length}`, healthy: null }),
  look: async (object, { root }) => void (await root.snapshots.list(object)),
  children: (object, { root }) => root.snapshots.seen(object).map((one) => child(one.name, snapshot, one)),
  commands: {
    create: commandOf<StorageObject>()({
      doc: 'Keeps what the medium holds now, under a name. Initiators go on.',
      details: [
        'Commands wait until those under way have ended, and what was written is flushed; then the snapshot is made, and they go on. It has all that was answered by then. What a file system or a database has not yet written is not in it, as after a power loss: it recovers from that when it is used.',
        'With other storage objects behind the name, all get a snapshot of that name, of the same instant: for a database whose log lies on another disk. All of them or none.',
        'A file shares its blocks with its snapshots, on XFS, Btrfs and bcachefs: they lie beside it, as FILE.snap-NAME, and take space as either changes. A medium that cannot have any is refused before anybody waits.',
      ],
      seeAlso: ['rollback', 'clone', 'delete'],
      parameters: [required('name', types.string, 'Its name, as in before-upgrade.')],
      more: {
        kind: 'words',
        name: 'storage_object',
        doc: 'Another storage object, by its path: it gets a snapshot of the same instant.',
        offered: (node) => Array.from(storageObjectPaths(node), ([name, doc]) => ({ name, doc, words: [] })),
      },
      examples: [
        { line: 'create before-upgrade', does: 'Keeps what is there.' },
        { line: 'create noon /backstores/fileio/log', does: 'Of two disks at one instant.' },
      ],
      async run(object, { host, info, created, resolve, node }, { name }, words) {
        checkSnapshotName(name);
        const others = words.map((text) => objectAt(resolve(text, node)));
        const all = [...new Set([object, ...others])];
        await host.root.snapshots.create(all, name);
        for (const { backstore, name: of } of all) info(`Created snapshot ${name} of ${backstore.name} ${of}.`);
        await created(`${node.path}/${name}`);
      },
    }),
    delete: commandOf<StorageObject>()({
      doc: 'Deletes a snapshot, and gives back the space that it alone takes.',
      seeAlso: ['create'],
      parameters: [nameParameter],
      examples: [{ line: 'delete before-upgrade', does: 'Deletes it.', after: ['create before-upgrade'] }],
      async run(object, { host, info }, { name }) {
        await host.root.snapshots.remove(object, name);
        info(`Deleted snapshot ${name}.`);
      },
    }),
    rollback: commandOf<StorageObject>()({
      doc: 'The storage object holds again what it held when the snapshot was made. What was written since is lost.',
      details: [
        'Whoever has the disk in use would find other data under what he has in memory, and destroy it: unmount it, and log out. It is refused while initiators are logged in that reach the disk, unless force=true says that none of them uses it. Those that are logged in are told that the medium may have changed.',
        'The size has to be what it was. Other snapshots stay.',
      ],
      seeAlso: ['create', 'clone'],
      parameters: [
        nameParameter,
        optional('force', types.bool, 'Although initiators are logged in.', { default: false }),
      ],
      examples: [{ line: 'rollback before-upgrade', does: 'Goes back.', after: ['create before-upgrade'] }],
      async run(object, context, { name, force }) {
        if (!force) refuseInUse(object, context, name);
        await context.host.root.snapshots.rollback(object, name);
        context.info(`Rolled ${object.backstore.name} ${object.name} back to ${name}.`);
      },
    }),
    clone: commandOf<StorageObject>()({
      doc: 'Makes another storage object of a snapshot, with a serial number of its own. Both can be written to.',
      details: [
        'It has the settings of the origin. Its medium lies beside that of the origin, and is called after it: a clone of /srv/disk0.img that is called test is /srv/test.img.',
        'It is a storage object like any other: deleting it leaves its medium where it is.',
      ],
      seeAlso: ['create'],
      parameters: [
        nameParameter,
        required('new', types.string, 'The name of the new storage object.'),
        optional('medium', types.string, 'Where its medium is to be, in the words of its kind: a file, an image.'),
      ],
      examples: [{ line: 'clone noon test', does: 'Makes a storage object test.', after: ['create noon'] }],
      async run(object, context, { name, new: called, medium }) {
        const { backstore, config } = object;
        const { root } = context.host;
        if (root.tree.storageObjectOf(backstore.plugin, called))
          throw new OperatorError(`Storage object ${backstore.plugin}/${called} exists`);
        const isFile = backstore.parameters.some(({ kind }) => kind === 'file');
        const where = isFile && medium !== undefined ? context.fileNamed(medium) : medium;
        const cloned = backstore.snapshots!.cloned(config, called, where);
        await root.snapshots.clone(object, name, cloned);
        const attributes = Object.fromEntries(
          Object.entries(changedAttributes(object)).filter(([key]) => !identity.includes(key)),
        );
        try {
          await context.apply(`/backstores/${backstore.name}`, 'create', {
            name: called,
            settled: { config: cloned, attributes },
          });
          await context.settle();
        } catch (error) {
          await backstore.abandon?.(cloned);
          throw error;
        }
        context.info(`Created ${backstore.name} ${called}, a clone of ${object.name} as of ${name}.`);
        await context.created(`/backstores/${backstore.name}/${called}`);
      },
    }),
  },
};

const snapshot: NodeType<Snapshot> = {
  doc: 'What the medium held at a moment.',
  summary: ({ madeAt, size }) => ({ text: `${printTime(madeAt)}, ${printSize(size)}`, healthy: true }),
  commands: {
    info: infoCommand<Snapshot>('Shows when it was made, and its size in bytes.', ({ name, madeAt, size }) => ({
      name,
      made: printTime(madeAt),
      size,
    })),
  },
};

function objectAt({ path, host }: Node): StorageObject {
  const object = host.root.tree.storageObject(path);
  if (!object) throw new OperatorError(`${path} is no storage object`, 'See: ls /backstores');
  return object;
}

function refuseInUse(object: StorageObject, { host, node }: Context, name: string): void {
  const users = host.root.sessions().filter(sessionsIn(exportingTpgs(host, object)));
  if (users.length === 0) return;
  const who = [...new Set(users.map(({ initiatorWwn }) => initiatorWwn))].slice(0, 3).join(', ');
  throw new OperatorError(
    `${object.name} is in use: ${who} ${users.length === 1 ? 'is' : 'are'} logged in`,
    `Unmount it there, and log out. If nobody uses it: ${node.path} rollback ${name} force=true`,
  );
}
