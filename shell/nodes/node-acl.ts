/** A node ACL, or those that share a tag: the LUNs that an initiator sees, and its credentials. */

import {
  type Host,
  infoOf,
  isMutual,
  letsIn,
  type MappedLun,
  type NodeAcl,
  schema,
  types,
  type ValueType,
} from '../../src/index.ts';
import { authGroup, engineGroup, filledGroup } from '../session/configuration-groups.ts';
import {
  type ConfigurationGroup,
  type Context,
  child,
  commandOf,
  given,
  type NodeType,
  optional,
  required,
  type Summary,
} from '../session/node.ts';
import type { AclGroup } from './acl-group.ts';
import { type InfoEntries, infoCommand, printInfo } from './info.ts';
import { lunType } from './lun-type.ts';
import { createLun, labelOf, storageObjectPaths } from './luns.ts';
import { copyAcl, renameAcl } from './moving.ts';
import { storageObjectNamed } from './named-storage-object.ts';
import { secretCommands } from './renew-secret.ts';
import { disksCommand } from './users.ts';

/** Everything shown is the first member's. */
const first = ({ members }: AclGroup): NodeAcl => members[0]!;

const integerWith = (refusal: string): ValueType<number> => ({
  name: 'number',
  wrong: '',
  refusal: () => refusal,
  parse: (text) => (/^-?\d{1,9}$/.test(text) ? Number(text) : undefined),
  print: String,
});

/** A flag: a number greater than 0 in targetcli; words like true are accepted, too. */
const writeProtectType: ValueType<boolean> = {
  ...types.bool,
  words: ['0', '1'],
  parse: (text) => (/^\d{1,9}$/.test(text) ? Number(text) > 0 : types.bool.parse(text)),
};

export const nodeAcl: NodeType<AclGroup> = {
  doc: 'An initiator that may log in, and the LUNs that it sees.',
  summary: summaryOf,
  row: (group, rows) => rows.initiator(group.tpg, first(group).wwn, first(group)),
  children: (group) =>
    [...first(group).mappedLuns.values()].map((mapped) =>
      child(`mapped_lun${mapped.index}`, mappedLun, { group, mapped }),
    ),
  groups: groupsOf,
  commands: {
    create: commandOf<AclGroup>()({
      doc: 'Shows a LUN of the TPG to the initiator, under a number of its own.',
      details: [
        'The number is the one that the initiator uses; that of the LUN in the TPG may be another. Most initiators look for LUN 0 first, so one should be there. With write_protect=1 the initiator may only read it.',
        'A storage object that is no LUN of the TPG becomes one. If it is one already, that LUN is mapped.',
        'The name of a file or of a block device does as well: a storage object is made of it first, with write_back=false, then the LUN, and then the mapping.',
      ],
      seeAlso: ['delete'],
      parameters: [
        required('mapped_lun', integerWith('mapped_lun must be an integer'), 'The number that the initiator uses.'),
        required('tpg_lun_or_backstore', types.string, 'N or lunN; or a storage object, a file or a device.', {
          kind: 'storage-object',
          suggest: (node) => [
            ...[...first(node.subject as AclGroup).tpg.luns.values()].map(
              ({ index, storageObject }) => [`lun${index}`, labelOf(storageObject)] as const,
            ),
            ...storageObjectPaths(node),
          ],
        }),
        optional('write_protect', writeProtectType, '1: the initiator may only read.'),
      ],
      examples: [
        {
          line: 'create 0 /backstores/ramdisk/rd0 1',
          does: 'Shows rd0 as LUN 0, to be read only. It becomes a LUN of the TPG if it is none.',
          after: ['/backstores/ramdisk create rd0 16M'],
        },
      ],
      async run(group, context, { mapped_lun: index, tpg_lun_or_backstore: named, write_protect }) {
        const lun = await lunNamed(named, group, context);
        // targetcli's message has this word.
        if ([...first(group).mappedLuns.values()].some((mapped) => mapped.lun.index === lun))
          context.warn(`Warning: TPG LUN ${lun} already mapped to this NodeACL`);
        const params = given({ mapped_lun: index, tpg_lun: lun, write_protect });
        for (const acl of group.members) await context.apply(acl.path, 'create', params);
        context.info(`Created Mapped LUN ${index}.`);
        await context.created(`${context.node.path}/mapped_lun${index}`);
      },
    }),
    delete: commandOf<AclGroup>()({
      takesAway: true,
      doc: 'Hides a LUN from the initiator.',
      seeAlso: ['create'],
      parameters: [
        required(
          'mapped_lun',
          integerWith('The mapped_lun parameter must be an integer value'),
          'The number that the initiator uses.',
          {
            ofChild: (name) => name.replace('mapped_lun', ''),
            suggest: (node) =>
              node.children().map((one) => [one.name.replace('mapped_lun', ''), one.summary().text] as const),
          },
        ),
      ],
      examples: [
        {
          line: 'delete 0',
          does: 'Hides its LUN 0.',
          after: ['/backstores/ramdisk create rd0 16M', 'create 0 /backstores/ramdisk/rd0'],
        },
      ],
      async run({ members }, { apply, info }, { mapped_lun: index }) {
        for (const acl of members) await apply(acl.path, 'delete', { mapped_lun: index });
        info(`Deleted Mapped LUN ${index}.`);
      },
    }),
    rename: renameAcl,
    copy: copyAcl,
    ...secretCommands<AclGroup>('auth', (group) => ({
      paths: group.members.map(({ path }) => path),
      auth: first(group).auth,
    })),
    disks: disksCommand<AclGroup>(first),
    info: commandOf<AclGroup>()({
      doc: 'Shows its CHAP words, its tag, its queue depth, and the initiators that it stands for.',
      parameters: [],
      examples: [{ line: 'info', does: 'Shows them.' }],
      run(group, { info }) {
        printInfo(info, entriesOf(group));
        info('wwns:');
        for (const { wwn } of group.members) info(wwn);
      },
      json: (group) => ({ ...entriesOf(group), wwns: group.members.map(({ wwn }) => wwn) }),
    }),
  },
};

const entriesOf = (group: AclGroup): InfoEntries => infoOf(schema.nodeAcl, first(group));

/** The LUN of the TPG that a text means. @returns its number; a storage object that is no LUN becomes one */
async function lunNamed(text: string, { tpg }: AclGroup, context: Context): Promise<number> {
  const index = lunType.parse(text);
  if (index !== undefined) return index;
  const object = await storageObjectNamed(text, context, 'LUN, storage object, or path not valid');
  const exported = [...tpg.luns.values()].find((lun) => lun.storageObject === object);
  if (exported) return exported.index;
  const made = await createLun(tpg, context, object);
  context.info(`Created LUN ${made.index}.`);
  return made.index;
}

/** The summary of a node ACL's authentication, as targetcli shows it. */
function summaryOf(group: AclGroup): Summary {
  const { tpg, members, tag } = group;
  const { auth, mappedLuns, wwn } = first(group);
  const pieces = tag ? [members.length === 1 ? `(${wwn})` : `(group of ${members.length})`] : [];
  let healthy: boolean | null = null;
  if (tpg.target.fabric.features.includes('auth') && tpg.attribute('authentication') === 1) {
    if (tpg.attribute('generate_node_acls') === 1) pieces.push('auth via tpg');
    else {
      pieces.push(isMutual(auth) ? 'mutual auth' : '1-way auth');
      healthy = letsIn(auth);
    }
  }
  return { text: [...pieces, `Mapped LUNs: ${mappedLuns.size}`].join(', '), healthy };
}

/** The groups of settings; a setting is set for every member. */
function groupsOf(group: AclGroup, host: Host): ConfigurationGroup[] {
  const { tpg, members } = group;
  const { attributes, auth } = first(group);
  const paths = members.map(({ path }) => path);
  return [
    ...(tpg.target.fabric.sessionParameters ? [negotiated(first(group), host)] : []),
    ...filledGroup('attribute', paths, attributes),
    ...(tpg.target.fabric.features.includes('auth') ? [authGroup('auth', paths, auth)] : []),
  ];
}

/** The parameters that were negotiated with the initiator, while it is logged in. */
function negotiated({ tpg, wwn, path }: NodeAcl, host: Host): ConfigurationGroup {
  const { fabric, wwn: targetWwn } = tpg.target;
  return engineGroup('parameter', path, () => {
    const session = host.root
      .sessions()
      .find((one) => one.targetWwn === targetWwn && one.tpgTag === tpg.tag && one.initiatorWwn === wwn);
    return (fabric.sessionParameters ?? []).map((name) => ({
      name,
      doc: `${name}, as it was negotiated with the initiator.`,
      type: types.string,
      value: session?.parameters?.[name] ?? 'No Active iSCSI Session',
      readOnly: true,
    }));
  });
}

/** A mapped LUN that members of a group have in common. */
interface MappedLunOf {
  readonly group: AclGroup;
  readonly mapped: MappedLun;
}

const mappedLun: NodeType<MappedLunOf> = {
  doc: 'A LUN as one initiator sees it.',
  summary({ mapped: { lun, writeProtect } }) {
    const text = `lun${lun.index} ${labelOf(lun.storageObject)} (${writeProtect ? 'ro' : 'rw'})`;
    return lun.storageObject.missing === undefined
      ? { text, healthy: true }
      : { text: `${text} missing`, healthy: false };
  },
  groups: ({ group, mapped }) => [
    engineGroup(
      'attribute',
      group.members.map((acl) => `${acl.path}/mapped_lun${mapped.index}`),
      () => [
        {
          name: 'write_protect',
          doc: 'The initiator may only read. It can be changed while the LUN is in use: the initiator is told, and a write that comes later is refused.',
          type: types.onOff,
          value: mapped.writeProtect ? '1' : '0',
          readOnly: false,
        },
      ],
    ),
  ],
  commands: {
    info: infoCommand<MappedLunOf>('Shows its number, its LUN, and whether it may be written to.', ({ mapped }) =>
      infoOf(schema.mappedLun, mapped),
    ),
  },
};
