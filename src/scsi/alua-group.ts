/** The settings of a target port group, as LIO names them: each one row (SPC-4 5.15). */

import { type Attribute, Attributes, type AttributeTable, type AttributeValues, flag, integer } from '../attribute.ts';

/** ASYMMETRIC ACCESS STATE (SPC-4 6.37), and the setting that must allow it. */
export const aluaStates: Readonly<Record<number, { readonly name: string; readonly supportedBy: string }>> = {
  0: { name: 'Active/optimized', supportedBy: 'alua_support_active_optimized' },
  1: { name: 'Active/non-optimized', supportedBy: 'alua_support_active_nonoptimized' },
  2: { name: 'Standby', supportedBy: 'alua_support_standby' },
  3: { name: 'Unavailable', supportedBy: 'alua_support_unavailable' },
  4: { name: 'LBA Dependent', supportedBy: 'alua_support_lba_dependent' },
  14: { name: 'Offline', supportedBy: 'alua_support_offline' },
  15: { name: 'Transitioning', supportedBy: 'alua_support_transitioning' },
};

/** alua_access_status of a state that was set here: altered by implicit asymmetric access. */
export const alteredImplicitly = 2;

/** alua_access_type: the target may change the state. */
export const implicitAccess = 1;

/** The group that every storage object has; LUNs are in it at first. */
export const defaultAluaGroupName = 'default_tg_pt_gp';

/** Whether a text can be the name of a group. It has neither blanks nor slashes, since a group is a node of the tree. */
export const isAluaGroupName = (name: string): boolean => /^[^\s/]{1,255}$/.test(name);

const reported = 'REPORT TARGET PORT GROUPS';
const can = (state: string): Attribute<number> =>
  flag({ doc: `The state ${state} can occur.`, default: 1, effect: reported });

/** The settings of a target port group, as LIO names them. */
export const aluaGroupTable = {
  alua_access_state: integer({
    doc: `The state: ${Object.entries(aluaStates)
      .map(([value, { name }]) => `${value} ${name}`)
      .join(', ')}.`,
    default: 0,
    only: Object.keys(aluaStates).map(Number),
    effect: `${reported}; commands are refused in states that are not active`,
  }),
  alua_access_status: integer({
    doc: 'Who changed the state last: 0 nobody, 1 an initiator, 2 this target.',
    default: 0,
    max: 2,
    effect: reported,
  }),
  alua_access_type: integer({
    doc: 'Who may change the state: 0 nobody, 1 the target, 2 initiators, 3 both.',
    default: 3,
    max: 3,
    effect: 'SET TARGET PORT GROUPS',
  }),
  alua_support_active_nonoptimized: can('Active/non-optimized'),
  alua_support_active_optimized: can('Active/optimized'),
  alua_support_lba_dependent: flag({
    doc: 'The state LBA Dependent can occur.',
    default: 0,
    readOnly: true,
    effect: reported,
  }),
  alua_support_offline: can('Offline'),
  alua_support_standby: can('Standby'),
  alua_support_transitioning: can('Transitioning'),
  alua_support_unavailable: can('Unavailable'),
  alua_write_metadata: flag({
    doc: 'Keep the state across restarts.',
    default: 0,
    effect: 'none: what is set here is always kept',
  }),
  implicit_trans_secs: integer({
    doc: 'How long a change by the target may take, in seconds.',
    default: 0,
    max: 255,
    effect: `${reported}, IMPLICIT TRANSITION TIME`,
  }),
  nonop_delay_msecs: integer({
    doc: 'How long commands wait in Active/non-optimized, in milliseconds.',
    default: 100,
    max: 10_000,
    effect: 'none: a state that is less than optimal needs no help to be slower',
  }),
  preferred: flag({ doc: 'Initiators should prefer this group.', default: 0, effect: `${reported}, PREF` }),
  tg_pt_gp_id: integer({ doc: 'The number of the group.', default: 0, max: 0xffff, readOnly: true, effect: reported }),
  trans_delay_msecs: integer({
    doc: 'How long a change of state takes, in milliseconds: the state is Transitioning meanwhile.',
    default: 0,
    max: 30_000,
    effect: `${reported}; commands are refused meanwhile`,
  }),
} as const satisfies AttributeTable;

/** A group as saveconfig.json has it: its settings, what LIO only shows and keys that nobody knows as they came. */
export type AluaGroup = Readonly<Omit<AttributeValues<typeof aluaGroupTable>, 'alua_support_lba_dependent'>> & {
  readonly name: string;
} & Readonly<Record<string, unknown>>;

/** The settings that a new group has: LIO only shows the other one. */
const { alua_support_lba_dependent: _, ...settings } = aluaGroupTable;

/** A new group: the table's defaults. */
export const aluaGroup = (name: string, id: number): AluaGroup => ({
  ...new Attributes(settings).values,
  name,
  tg_pt_gp_id: id,
});

/** alua_access_status of a state that SET TARGET PORT GROUPS asked for. */
const alteredExplicitly = 1;

/** The group in another state, which an initiator asked for. */
export const alteredByInitiator = (group: AluaGroup, state: number): AluaGroup => ({
  ...group,
  alua_access_state: state,
  alua_access_status: alteredExplicitly,
});

/** The group that every new storage object has. */
export const defaultAluaGroup: AluaGroup = aluaGroup(defaultAluaGroupName, 0);
