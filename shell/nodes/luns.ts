/** `luns` of a TPG, and a LUN in it. */

import {
  type Host,
  infoOf,
  type Lun,
  lowestFree,
  OperatorError,
  type StorageObject,
  schema,
  serviceOf,
  type Tpg,
  types,
} from '../../src/index.ts';
import { engineGroup, filledGroup } from '../session/configuration-groups.ts';
import {
  type Context,
  child,
  commandOf,
  given,
  type Node,
  type NodeType,
  optional,
  required,
} from '../session/node.ts';
import { mayDelete, sessionsIn } from './in-use.ts';
import { type InfoEntries, printInfo } from './info.ts';
import { lunType } from './lun-type.ts';
import { moveLun } from './moving.ts';
import { storageObjectNamed } from './named-storage-object.ts';
import { lunUsers } from './users.ts';
import { lunWhy } from './why.ts';

/** The paths of all storage objects, each with what it is. */
export const storageObjectPaths = ({ host }: Node): Iterable<readonly [string, string]> =>
  Array.from(host.root.tree.allStorageObjects(), (object) => [object.path, labelOf(object)] as const);

export const luns: NodeType<Tpg> = {
  doc: 'What the TPG exports: storage objects, by number.',
  summary: (tpg) => ({ text: `LUNs: ${tpg.luns.size}`, healthy: null }),
  children: (tpg) => [...tpg.luns.values()].map((one) => child(`lun${one.index}`, lun, one)),
  commands: {
    create: commandOf<Tpg>()({
      doc: 'Exports a storage object as a LUN, and maps it in the node ACLs.',
      details: [
        'The storage object is named by its path, /backstores/fileio/disk0, or seen from here. The name of a file or of a block device does as well: a storage object is then made of it first, called after the path, with write_back=false.',
        'A TPG exports a storage object once. Other TPGs, and other targets, may export it too: initiators then reach the same data, and must know how to share it.',
        'Every node ACL that is there gets the LUN mapped, under its lowest free number, or under the number of the LUN if you gave one. With add_mapped_luns=false none does; without the word it is as the preference auto_add_mapped_luns says.',
      ],
      seeAlso: ['delete'],
      parameters: [
        required('storage_object', types.string, 'Its path; or a file or device, of which one is made.', {
          kind: 'storage-object',
          suggest: storageObjectPaths,
        }),
        optional('lun', lunType, 'Its number: N or lunN; the lowest free one when absent.'),
        optional('add_mapped_luns', types.bool, 'Map it in every node ACL; else as auto_add_mapped_luns says.'),
      ],
      examples: [
        {
          line: 'create /backstores/ramdisk/rd0',
          does: 'Exports rd0 under the lowest free number.',
          after: ['/backstores/ramdisk create rd0 16M'],
        },
      ],
      async run(tpg, context, { storage_object, lun: wanted, add_mapped_luns }) {
        const object = await storageObjectNamed(storage_object, context, 'storage object or path not valid');
        const maps = add_mapped_luns ?? context.preferences.get('auto_add_mapped_luns');
        const lun = await createLun(tpg, context, object, wanted);
        context.info(`Created LUN ${lun.index}.`);
        if (maps) await mapInAcls(lun, context, wanted);
        await context.created(`${tpg.path}/luns/lun${lun.index}`);
      },
    }),
    delete: commandOf<Tpg>()({
      takesAway: true,
      doc: 'Deletes a LUN, and what maps it in node ACLs. The storage object stays.',
      details: [
        'Initiators that are logged in are told that their list of LUNs has changed. Those that still use it get errors.',
      ],
      seeAlso: ['create'],
      parameters: [
        required('lun', lunType, 'Its number: N or lunN.', {
          suggest: (node) => node.children().map((one) => [one.name.replace('lun', ''), one.summary().text] as const),
          ofChild: (name) => name.replace('lun', ''),
        }),
      ],
      examples: [
        {
          line: 'delete 0',
          does: 'Deletes lun0.',
          after: ['/backstores/ramdisk create rd0 16M', 'create /backstores/ramdisk/rd0'],
        },
      ],
      async run(tpg, context, { lun: index }) {
        const { apply, info } = context;
        if (!(await mayDelete(context, `${tpg.path}/luns/lun${index}`, { sessions: sessionsIn([tpg]) }))) return;
        await apply(`${tpg.path}/luns`, 'delete', { lun: index });
        info(`Deleted LUN ${index}.`);
      },
    }),
  },
};

/** Makes a LUN. */
export async function createLun(tpg: Tpg, { apply }: Context, object: StorageObject, index?: number): Promise<Lun> {
  const params = given({ storage_object: object.path, lun: index });
  const { operation } = await apply(`${tpg.path}/luns`, 'create', params);
  return tpg.luns.get(Number(operation.params['lun']))!;
}

/** Maps the LUN in each ACL, under `wanted`, or under the lowest number that is free there; an ACL where that fails is left out. */
async function mapInAcls({ tpg, index }: Lun, { apply, info, warn }: Context, wanted?: number): Promise<void> {
  for (const acl of tpg.acls.values()) {
    const mapped = wanted ?? lowestFree(acl.mappedLuns);
    try {
      await apply(acl.path, 'create', { mapped_lun: mapped, tpg_lun: index });
      info(`Created LUN ${index}->${mapped} mapping in node ACL ${acl.wwn}`);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      warn(`Cannot map new lun ${index} into ACL ${acl.wwn}: ${error.message}`);
    }
  }
}

/** The label of a storage object, `fileio/disk0`, as LIO shows it wherever the object is exported. */
export const labelOf = ({ backstore, name }: StorageObject): string => `${backstore.plugin}/${name}`;

const lun: NodeType<Lun> = {
  doc: 'A storage object under a number.',
  summary(lun, { home, root }) {
    const { storageObject, aluaGroup, attached } = lun;
    const { backstore, config, missing } = storageObject;
    const device = backstore.device?.(config);
    // The URI is long, so it stands in a line of its own.
    const [uri, ...devices] = localNames(lun, home);
    const pieces = [
      labelOf(storageObject),
      ...(device === undefined ? [] : [`(${device})`]),
      `(${aluaGroup ?? 'None'})`,
      ...devices,
    ];
    const also = uri === undefined ? {} : { more: [uri] };
    if (attached && root.lunProblem(lun)) return { text: `${pieces.join(' ')} not attached`, healthy: false, ...also };
    return missing === undefined
      ? { text: pieces.join(' '), healthy: true, ...also }
      : { text: `${pieces.join(' ')} missing`, healthy: false, ...also };
  },
  row: (one, rows) => rows.lun(one),
  groups: (one) => [
    ...filledGroup('attribute', `${one.tpg.path}/luns/lun${one.index}`, one.attributes),
    engineGroup('alua', `${one.tpg.path}/luns/lun${one.index}`, () => [
      {
        name: 'alua_tg_pt_gp_name',
        doc: 'The ALUA group through which initiators reach it.',
        type: types.string,
        value: one.aluaGroup ?? 'None',
        readOnly: false,
        words: one.storageObject.aluaGroups.map((group) => group.name),
      },
    ]),
  ],
  commands: ({ tpg }) => ({
    info,
    move: moveLun,
    users: lunUsers,
    why: lunWhy,
    ...(tpg.target.fabric.isLocal && { attach, detach }),
  }),
};

/** The names by which this machine reaches the LUN: the URI of its export, and the device when it is attached. */
function localNames(lun: Lun, { runDirectory }: Host['home']): string[] {
  const local = serviceOf(lun.tpg.target.fabric)?.local;
  if (!local) return [];
  const device = local.device(lun, runDirectory);
  return [local.uri(lun, runDirectory), ...(device === undefined ? [] : [device])];
}

const info = commandOf<Lun>()({
  doc: 'Shows what it exports.',
  parameters: [],
  examples: [{ line: 'info', does: 'Shows its number and its storage object.' }],
  run: (one, { host, info }) => printInfo(info, entriesOf(one, host)),
  json: (one, { host }) => entriesOf(one, host),
});

function entriesOf(one: Lun, { home }: Host): InfoEntries {
  const [uri, device] = localNames(one, home);
  return { ...infoOf(schema.lun, one), uri, device };
}

const attach = commandOf<Lun>()({
  doc: 'Makes it a block device of this machine, now and whenever it is served.',
  parameters: [],
  examples: [{ line: 'attach', does: 'Makes it /dev/nbd0, or what else this machine has for it.' }],
  async run(one, { apply, settle, info, host }) {
    await apply(`${one.tpg.path}/luns`, 'attach', { lun: one.index });
    await settle();
    const [, device] = localNames(one, host.home);
    info(device === undefined ? 'The LUN will be attached when it is served.' : `Attached as ${device}.`);
  },
});

const detach = commandOf<Lun>()({
  doc: 'Takes the block device away again; refused while it is in use.',
  parameters: [
    optional('force', types.bool, 'Also while it is in use: what is mounted is then lost to whoever uses it.'),
  ],
  examples: [{ line: 'detach', does: 'Takes it away.', after: ['attach'] }],
  async run(one, { apply, info, host }, { force }) {
    const [, device = 'the LUN'] = localNames(one, host.home);
    await apply(`${one.tpg.path}/luns`, 'detach', { lun: one.index, ...(force && { force }) });
    info(`Detached ${device}.`);
  },
});
