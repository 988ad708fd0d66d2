/** Asymmetric logical unit access: groups as saveconfig.json has them, their states, and the commands (SPC-4 5.15). */

import { bit, bits, counting, decodeAll, encode, type Field, record, u8, u16, u32 } from '../wire/layout.ts';
import { type AluaGroup, aluaStates } from './alua-group.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import { targetPortsOf } from './nexus.ts';
import type { AccessStates } from './opcode.ts';
import { type OpcodeRow, opcode } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, invalidCdb, invalidParameter, type Sense, sense } from './sense.ts';
import { type SharedStanding, type SharedUnit, standingNow } from './shared-unit.ts';
import { type Completion, portOf, type Task } from './task.ts';
import { reportToAll, withdrawUnitAttention } from './unit-attention.ts';
import { unitState } from './unit-state.ts';

/** ASYMMETRIC ACCESS STATE (SPC-4 5.15.2.4): what runs in it, and what the others get. Active states run everything. */
const states: Readonly<Record<number, { runs: AccessStates; otherwise: Sense }>> = {
  0: { runs: 'active', otherwise: sense.noAdditionalSense },
  1: { runs: 'active', otherwise: sense.noAdditionalSense },
  2: { runs: 'standby', otherwise: sense.targetPortStandby },
  3: { runs: 'any', otherwise: sense.targetPortUnavailable },
  14: { runs: 'any', otherwise: sense.targetPortUnavailable },
  15: { runs: 'any', otherwise: sense.asymmetricAccessTransition },
};

/** Fields of a target port group descriptor (SPC-4 6.37) by the setting of a group that they tell. */
const supported: Readonly<Record<string, Field<boolean>>> = {
  alua_support_transitioning: bit(1, 0x80),
  alua_support_offline: bit(1, 0x40),
  alua_support_unavailable: bit(1, 0x08),
  alua_support_standby: bit(1, 0x04),
  alua_support_active_nonoptimized: bit(1, 0x02),
  alua_support_active_optimized: bit(1, 0x01),
};

/** alua_access_type: bit 0 implicit, bit 1 explicit. */
const explicit = 2;

const offersAlua = (lu: StorageObject): boolean => lu.shared !== undefined || lu.attributes.values.alua_support === 1;

/** The groups of a unit: gateways that share it are groups of their own, in place of those that the configuration has. */
const groupsOf = (lu: StorageObject): readonly AluaGroup[] => lu.shared?.groups ?? lu.aluaGroups;

/** TPGS (SPC-4 6.6.2): what a port's group allows, implicit transitions 1 and explicit ones 2; 0 without ALUA. */
export function accessTypes(lu: StorageObject, portGroup = 0): number {
  const group = offersAlua(lu) && groupsOf(lu).find((one) => one.tg_pt_gp_id === portGroup);
  return group ? group.alua_access_type : 0;
}

const transitioning = 0xf;

/** Target port groups on their way to another state, by number; `stateChanged` begins and ends it. */
const transitions = unitState<{ readonly under: ReadonlyMap<number, object> }>({
  name: 'ALUA transitions',
  initial: () => ({ under: new Map() }),
  obstructs: (_state, lu) => {
    const { shared } = lu;
    const isFree = shared
      ? ['active', 'alone'].includes(shared.standing) && shared.until === undefined
      : lu.aluaGroups.every((group) => runsAll(lu, group));
    return isFree ? 'nothing' : 'reads and writes';
  },
  spares: (_state, { view }) => inaccessible(view.storageObject, view.port.portGroup, 'active') === undefined,
});

/** The state of a group as initiators see it. */
const stateOf = (lu: StorageObject, group: AluaGroup): number =>
  transitions.of(lu).under.has(group.tg_pt_gp_id) ? transitioning : group.alua_access_state;

/** Whether every command runs behind the ports of a group now. */
const runsAll = (lu: StorageObject, group: AluaGroup): boolean =>
  !offersAlua(lu) || (states[stateOf(lu, group)]?.runs ?? 'active') === 'active';

/** A group has another state than it had: everybody is told, now and again when the transition has ended (SPC-4 5.15.2.5). */
export function stateChanged(lu: StorageObject, name: unknown): void {
  reportToAll(lu, sense.asymmetricAccessStateChanged);
  const group = lu.aluaGroups.find((one) => one.name === name);
  const delayMs = group ? group.trans_delay_msecs : 0;
  if (!group || delayMs === 0) return;
  const id = group.tg_pt_gp_id;
  const transition = {};
  transitions.set(lu, { under: new Map(transitions.of(lu).under).set(id, transition) });
  lu.clock.after(delayMs, () => {
    // Another one began meanwhile.
    const under = new Map(transitions.of(lu).under);
    if (under.get(id) !== transition) return;
    under.delete(id);
    transitions.set(lu, { under });
    reportToAll(lu, sense.asymmetricAccessStateChanged);
  });
}

/**
 * NOT READY when a command may not run behind a port of this group now; undefined when it may.
 * @param asksState the command has no other purpose than this answer
 */
export function inaccessible(
  lu: StorageObject,
  portGroup: number,
  runsIn: AccessStates,
  asksState = false,
): Sense | undefined {
  if (runsIn === 'any' || !offersAlua(lu)) return undefined;
  if (lu.shared) return refusalOfShared(standingNow(lu.shared), runsIn, asksState);
  for (const group of lu.aluaGroups) {
    if (group.tg_pt_gp_id !== portGroup) continue;
    const state = states[stateOf(lu, group)];
    if (state && state.runs !== 'active' && state.runs !== runsIn) return state.otherwise;
  }
  return undefined;
}

function refusalOfShared(standing: SharedStanding, runsIn: AccessStates, asksState: boolean): Sense | undefined {
  // A group of a gateway is reported as Standby between two owners. Linux gives up a path whose TEST UNIT READY ends otherwise.
  if (standing === 'transition') return asksState ? sense.targetPortStandby : sense.asymmetricAccessTransition;
  return standing === 'standby' && runsIn === 'active' ? sense.targetPortStandby : undefined;
}

/** How gateways share the unit has changed: initiators are told where that changes what they see (SPC-4 5.15.2.5). */
export function standShared(lu: StorageObject, shared: SharedUnit): void {
  const statesOf = (one: SharedUnit | undefined) =>
    JSON.stringify(one?.groups.map((group) => [group.tg_pt_gp_id, group.alua_access_state, group.preferred]));
  const isNews = statesOf(lu.shared) !== statesOf(shared);
  lu.shared = shared;
  lu.plain = undefined;
  if (isNews) reportToAll(lu, sense.asymmetricAccessStateChanged);
}

const portGroupsCdb = { format: bits(1, 0xe0), allocation: u32(6) };

/** The commands of ALUA. */
export const aluaOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0xa3,
    serviceAction: 0x0a,
    name: 'REPORT TARGET PORT GROUPS',
    spec: 'SPC-4 6.37',
    cdb: portGroupsCdb,
    medium: 'none',
    whenReserved: 'allowed',
    runsIn: 'any',
    offered: offersAlua,
    check: (_lu, cdb) => {
      if (cdb.format > 1) throw invalidCdb(portGroupsCdb.format);
    },
    execute: (lu, cdb, task) => allocated(portGroups(lu, task, cdb.format === 1), cdb.allocation),
  }),
  opcode({
    code: 0xa4,
    serviceAction: 0x0a,
    name: 'SET TARGET PORT GROUPS',
    spec: 'SPC-4 6.45',
    cdb: { length: u32(6) },
    medium: 'none',
    whenReserved: 'conflicts',
    changesForAll: true,
    runsIn: 'any',
    offered: offersAlua,
    check: (lu, cdb) => {
      if (cdb.length > listBytes(groupsOf(lu).length)) throw new CheckCondition(sense.parameterListLengthError);
    },
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, _cdb, task) => setPortGroups(lu, task),
  }),
];

/** REPORT TARGET PORT GROUPS (SPC-4 6.37): the length counts what is behind it, an extended header, and descriptors. */
const reportHeader = record(4, { length: counting(u32(0)) });
const extendedHeader = record(4, { format: bits(0, 0x70), implicitTransitionSeconds: u8(1) });
const extendedFormat = 1;
/** Target port descriptors follow. */
const groupHeader = record(8, {
  preferred: bit(0, 0x80),
  state: bits(0, 0x0f),
  ...supported,
  id: u16(2),
  status: u8(5),
  ports: u8(7),
});
const portDescriptor = record(4, { relativePortId: u16(2) });

function portGroups(lu: StorageObject, task: Task, extended: boolean): Uint8Array {
  const own = groupsOf(lu).find((group) => group.tg_pt_gp_id === portOf(task).portGroup);
  const implicitTransitionSeconds = own?.implicit_trans_secs ?? 0;
  return encode(
    reportHeader,
    {},
    ...(extended ? [encode(extendedHeader, { format: extendedFormat, implicitTransitionSeconds })] : []),
    ...groupsOf(lu).map((group) => groupDescriptor(lu, group)),
  );
}

function groupDescriptor(lu: StorageObject, group: AluaGroup): Uint8Array {
  const id = group.tg_pt_gp_id;
  const ports = targetPortsOf(lu).filter((port) => port.portGroup === id);
  return encode(
    groupHeader,
    {
      preferred: group.preferred === 1,
      state: stateOf(lu, group),
      ...Object.fromEntries(Object.keys(supported).map((setting) => [setting, group[setting] === 1])),
      id,
      status: group.alua_access_status,
      ports: ports.length,
    },
    ...ports.map(({ relativePortId }) => encode(portDescriptor, { relativePortId })),
  );
}

/** SET TARGET PORT GROUPS (SPC-4 6.45): descriptors follow a header that says nothing. */
const setHeaderBytes = 4;
const setDescriptor = record(4, { state: bits(0, 0x0f), id: u16(2) });
const listBytes = (groups: number): number => setHeaderBytes + groups * setDescriptor.length;

/** Every descriptor is checked before the first is applied; the other nexuses are told (SPC-4 5.15.2.9). */
async function setPortGroups(lu: StorageObject, task: Task): Promise<Completion> {
  if (task.dataOutLength === 0) return good;
  const list = parameterList(task.dataOut, task.dataOutLength);
  if ((list.length - setHeaderBytes) % setDescriptor.length !== 0)
    throw new CheckCondition(sense.parameterListLengthError);
  const wanted = new Map<number, number>();
  for (const [i, { state, id }] of decodeAll(setDescriptor, list, setHeaderBytes).entries()) {
    const at = listBytes(i);
    const group = groupsOf(lu).find((one) => one.tg_pt_gp_id === id);
    if (!group || (group.alua_access_type & explicit) === 0) throw invalidParameter(setDescriptor.fields.id, at);
    const supportedBy = aluaStates[state]?.supportedBy;
    // Transitioning is what happens, not what is asked for.
    if (!supportedBy || Number(group[supportedBy] ?? 0) !== 1 || state === transitioning)
      throw invalidParameter(setDescriptor.fields.state, at);
    wanted.set(id, state);
  }
  if (lu.shared) return moveShared(lu, lu.shared, wanted, task.nexus);
  const changed = lu.aluaGroups.flatMap(({ name, tg_pt_gp_id, alua_access_state }) => {
    const value = wanted.get(tg_pt_gp_id);
    return value === undefined || value === alua_access_state ? [] : [{ value, aluaGroup: name }];
  });
  for (const { value, aluaGroup } of changed) {
    await lu.configure({ name: 'alua_access_state', value, aluaGroup });
    stateChanged(lu, aluaGroup);
  }
  withdrawUnitAttention(task.nexus, lu, sense.asymmetricAccessStateChanged);
  return good;
}

/** Gateways that share a unit: the one whose group is to be Active/optimized serves it, and the others stand by. */
async function moveShared(
  lu: StorageObject,
  shared: SharedUnit,
  wanted: ReadonlyMap<number, number>,
  nexus: Nexus,
): Promise<Completion> {
  const [to] = [...wanted].find(([, state]) => state === 0) ?? [];
  // That one is not to serve it does not say who is.
  if (to === undefined) throw invalidParameter(setDescriptor.fields.state, listBytes(0));
  const isMoved = await shared.ask.moveTo(to).catch(() => {
    throw new CheckCondition(sense.asymmetricAccessTransition);
  });
  if (!isMoved) throw new CheckCondition(sense.setTargetPortGroupsCommandFailed);
  withdrawUnitAttention(nexus, lu, sense.asymmetricAccessStateChanged);
  return good;
}
