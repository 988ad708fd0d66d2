/** ALUA groups of a storage object, as LIO names their settings (targetcli.md 6.4). */

import { type Lun, type StorageObject, types } from '../../src/index.ts';
import { type ConfigurationGroup, engineGroup } from '../configuration-groups.ts';
import { child, commandOf, type NodeType } from '../node.ts';
import { printInfo } from './info.ts';

export const alua: NodeType<StorageObject> = {
  doc: 'Asymmetric access: the groups of target ports through which initiators reach the storage object.',
  summary: ({ aluaGroups }) => ({ text: `ALUA Groups: ${aluaGroups.length}`, healthy: null }),
  children: (object) => object.aluaGroups.map((values) => child(String(values['name']), aluaGroup, { object, values })),
};

interface AluaGroup {
  readonly object: StorageObject;
  readonly values: Readonly<Record<string, unknown>>;
}

/** ASYMMETRIC ACCESS STATE, as REPORT TARGET PORT GROUPS has it. */
const states: Readonly<Record<number, string>> = {
  0: 'Active/optimized',
  1: 'Active/non-optimized',
  2: 'Standby',
  3: 'Unavailable',
  4: 'LBA Dependent',
  14: 'Offline',
  15: 'Transitioning',
};

const docs: Readonly<Record<string, string>> = {
  alua_access_state: `The state: ${Object.entries(states)
    .map(([value, name]) => `${value} ${name}`)
    .join(', ')}.`,
  alua_access_status: 'Who changed the state last: 0 nobody, 1 an initiator, 2 this target.',
  alua_access_type: 'Who may change the state: 0 nobody, 1 the target, 2 initiators, 3 both.',
  alua_support_active_nonoptimized: 'The state Active/non-optimized can occur.',
  alua_support_active_optimized: 'The state Active/optimized can occur.',
  alua_support_lba_dependent: 'The state LBA Dependent can occur.',
  alua_support_offline: 'The state Offline can occur.',
  alua_support_standby: 'The state Standby can occur.',
  alua_support_transitioning: 'The state Transitioning can occur.',
  alua_support_unavailable: 'The state Unavailable can occur.',
  alua_write_metadata: 'Keep the state across restarts.',
  implicit_trans_secs: 'How long a change by the target may take, in seconds.',
  members: 'The LUNs in the group.',
  nonop_delay_msecs: 'How long commands wait in Active/non-optimized, in milliseconds.',
  preferred: 'Initiators should prefer this group.',
  tg_pt_gp_id: 'The number of the group.',
  trans_delay_msecs: 'How long a change of state takes at least, in milliseconds.',
};

const aluaGroup: NodeType<AluaGroup> = {
  doc: 'A group of target ports that share a state. Its settings are kept and saved, and cannot be changed here yet.',
  summary: ({ values }) => ({
    text: `ALUA state: ${states[Number(values['alua_access_state'])] ?? 'unknown'}`,
    healthy: true,
  }),
  groups: (group) => [settingsOf(group)],
  commands: {
    info: commandOf<AluaGroup>()({
      doc: 'Shows its settings.',
      parameters: [],
      examples: [{ line: 'info', does: 'Shows its settings.' }],
      run: ({ values }, { info }) => printInfo(info, values as Record<string, string | number>),
    }),
  },
};

const settingsOf = ({ object, values }: AluaGroup): ConfigurationGroup =>
  engineGroup('alua', `${object.path}/alua/${values['name']}`, () => {
    const members = ([...object.exports] as Lun[])
      .filter((lun) => lun.aluaGroup === values['name'])
      .map(({ tpg, index }) => `${tpg.path}/luns/lun${index}`);
    const shown: Record<string, unknown> = {
      alua_support_lba_dependent: 0,
      ...values,
      members: `[${members.join(', ')}]`,
    };
    return Object.keys(docs).map((name) => ({
      name,
      doc: docs[name] ?? '',
      type: types.string,
      value: String(shown[name] ?? ''),
      readOnly: true,
    }));
  });
