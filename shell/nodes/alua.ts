/** ALUA groups of a storage object, as LIO names their settings. */

import {
  type AluaGroup,
  aluaGroupTable,
  aluaStates,
  type Lun,
  type StorageObject,
  types,
  type ValueType,
} from '../../src/index.ts';
import { engineGroup, wordsOf } from '../session/configuration-groups.ts';
import { type ConfigurationGroup, child, commandOf, type NodeType, required, type Setting } from '../session/node.ts';
import { type InfoEntries, infoCommand } from './info.ts';

const tagType: ValueType<number> = {
  name: 'number',
  wrong: 'is not a NUMBER.',
  parse: (text) => (/^-?\d{1,9}$/.test(text) ? Number(text) : undefined),
  print: String,
};

export const alua: NodeType<StorageObject> = {
  doc: 'Asymmetric access: the groups of target ports through which initiators reach the storage object.',
  summary: ({ aluaGroups }) => ({ text: `ALUA Groups: ${aluaGroups.length}`, healthy: null }),
  children: (object) => object.aluaGroups.map((group) => child(group.name, aluaGroup, { object, group })),
  commands: {
    create: commandOf<StorageObject>()({
      doc: 'Creates a group. A LUN is put into it with: set alua alua_tg_pt_gp_name=NAME, at the LUN.',
      parameters: [
        required('name', types.string, 'Its name.'),
        required('tag', tagType, 'Its number, from 1 to 65535; 0 is the default group.'),
      ],
      examples: [{ line: 'create standby 1', does: 'Creates a group with number 1.' }],
      async run(object, { apply, info, created }, { name, tag }) {
        await apply(`${object.path}/alua`, 'create', { name, tag });
        info(`Created ALUA TPG ${name}.`);
        await created(`${object.path}/alua/${name}`);
      },
    }),
    delete: commandOf<StorageObject>()({
      doc: 'Deletes a group. LUNs that are in it go back to the default group.',
      parameters: [
        required('name', types.string, 'Its name.', {
          suggest: (node) => node.children().map((one) => [one.name, one.summary().text] as const),
        }),
      ],
      examples: [{ line: 'delete standby', does: 'Deletes the group.', after: ['create standby 1'] }],
      async run(object, { apply }, { name }) {
        await apply(`${object.path}/alua`, 'delete', { name });
      },
    }),
  },
};

interface GroupOf {
  readonly object: StorageObject;
  readonly group: AluaGroup;
}

const aluaGroup: NodeType<GroupOf> = {
  doc: 'A group of target ports that share a state.',
  summary: ({ group }) => ({
    text: `ALUA state: ${aluaStates[group.alua_access_state]?.name ?? 'unknown'}`,
    healthy: true,
  }),
  groups: (group) => [settingsOf(group)],
  commands: {
    info: infoCommand<GroupOf>('Shows its settings.', ({ group }) => group as InfoEntries),
  },
};

/** The settings of a group as it is now: a group that was changed is another value. */
const settingsOf = ({ object, group: before }: GroupOf): ConfigurationGroup =>
  engineGroup('alua', `${object.path}/alua/${before.name}`, () => {
    const group = object.aluaGroups.find(({ name }) => name === before.name) ?? before;
    return [
      ...Object.entries(aluaGroupTable).map(
        ([name, { doc, type, default: initial, readOnly = false, ...rule }]): Setting => ({
          name,
          doc,
          type: type as ValueType<unknown>,
          value: String(group[name] ?? initial),
          readOnly,
          words: wordsOf(rule),
        }),
      ),
      {
        name: 'members',
        doc: 'The LUNs in the group.',
        type: types.string,
        value: membersOf(object, group),
        readOnly: true,
      },
    ];
  });

function membersOf(object: StorageObject, group: AluaGroup): string {
  const members = ([...object.exports] as Lun[]).filter((lun) => lun.aluaGroup === group.name);
  return `[${members.map(({ tpg, index }) => `${tpg.path}/luns/lun${index}`).join(', ')}]`;
}
