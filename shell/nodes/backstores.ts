/** `/backstores` and its kinds. A kind's words are in its own record: nothing here knows one of them. */

import { type Backstore, type KindOfBackstore, OperatorError, type Tree, types, type Value } from '../../src/index.ts';
import { child, commandOf, type NodeType, optional, required, type ShellCommand } from '../session/node.ts';
import { saveConfiguration } from './configuration.ts';
import { createStorageObject } from './create-storage-object.ts';
import { exportingTpgs, mayDelete, sessionsIn } from './in-use.ts';
import { storageObject } from './storage-object.ts';

export const backstores: NodeType<Tree> = {
  doc: 'Storage objects: what LUNs are made of, by kind.',
  children: (tree) =>
    [...tree.storageObjects].flatMap(([name, named]) => {
      const kind = tree.backstore(name);
      return kind ? [child(name, backstore, { backstore: kind, named })] : [];
    }),
};

const backstore: NodeType<KindOfBackstore> = {
  doc: 'One kind of storage object.',
  summary: ({ named }) => ({ text: `Storage Objects: ${named.size}`, healthy: null }),
  children: ({ named }) => [...named].map(([name, object]) => child(name, storageObject, object)),
  commands: ({ backstore: kind }) => ({
    create: createCommand(kind),
    delete: deleteCommand,
    ...(kind.exchange && { changemedium: exchangeCommand(kind) }),
  }),
};

const nameParameter = required('name', types.string, 'Its name in the tree, and what initiators see as the product.');

function createCommand(kind: Backstore): ShellCommand<KindOfBackstore> {
  return {
    doc: `Creates a storage object of this kind. ${kind.doc}`,
    ...(kind.details && { details: kind.details }),
    parameters: [nameParameter, ...kind.parameters],
    examples: [{ line: `create ${kind.example}`, does: 'Creates one.' }],
    async run(_subject, context, { values }) {
      const name = String(values['name']);
      await createStorageObject(context, kind, values as Record<string, Value>);
      await context.created(`/backstores/${kind.name}/${name}`);
    },
  };
}

const deleteCommand = commandOf<KindOfBackstore>()({
  takesAway: true,
  doc: 'Deletes a storage object, and the LUNs that export it. What is stored in a file or on a device stays there.',
  parameters: [
    required('name', types.string, 'Its name.', {
      suggest: (node) => node.children().map(({ name, ...other }) => [name, other.path] as const),
      ofChild: String,
    }),
    optional('save', types.bool, 'Save the configuration afterwards.', { default: false }),
  ],
  examples: [{ line: 'delete disk0', does: 'Deletes disk0 and its LUNs.' }],
  async run({ backstore: kind, named }, context, { name, save }) {
    const object = named.get(name);
    if (!object) throw new OperatorError(`No storage object named ${name}.`, `Here: ${namesOf(named)}`);
    const tpgs = exportingTpgs(context.host, object);
    const also = tpgs.flatMap(({ path, luns }) =>
      [...luns.values()].flatMap((lun) => (lun.storageObject === object ? `${path}/luns/lun${lun.index}` : [])),
    );
    if (!(await mayDelete(context, object.path, { sessions: sessionsIn(tpgs), also }))) return;
    await context.apply(`/backstores/${kind.name}`, 'delete', { name });
    context.info(`Deleted storage object ${name}.`);
    if (save) await saveConfiguration(context, undefined, { say: false });
  },
});

/** The command of kinds whose media have a string of their own: another medium for the same unit. */
function exchangeCommand(kind: Backstore): ShellCommand<KindOfBackstore> {
  const [string] = kind.parameters.filter(({ name }) => name === 'cfgstring');
  return commandOf<KindOfBackstore>()({
    doc: 'Puts another medium into a storage object. Its LUNs, serial number and settings stay.',
    details: [
      'It is opened first, and refused if that fails. Initiators that are logged in are told; what they have open on it is gone.',
    ],
    seeAlso: ['create'],
    parameters: [
      required('name', types.string, 'The storage object.', {
        suggest: (node) => node.children().map(({ name }) => name),
        ofChild: String,
      }),
      required('size', types.size, 'The size of the new one: 16M, 2G …'),
      required('cfgstring', types.string, string?.doc ?? ''),
    ],
    examples: [
      { line: `changemedium ${kind.example}`, does: 'Goes on with that one.', after: [`create ${kind.example}`] },
    ],
    async run(_subject, context, { name, size, cfgstring }) {
      await context.apply(`/backstores/${kind.name}`, 'changemedium', { name, size, cfgstring });
      context.info('Medium Changed.');
    },
  });
}

const namesOf = (named: ReadonlyMap<string, unknown>): string => [...named.keys()].slice(0, 5).join(', ') || 'none';
