/** Asymmetric logical unit access: groups as saveconfig.json has them, their states, and the commands (SPC-4 5.15). */

import { aluaStates } from './alua-group.ts';
import type { StorageObject } from './logical-unit.ts';
import { targetPortsOf } from './nexus.ts';
import type { AccessStates } from './opcode.ts';
import { bits, type OpcodeRow, opcode, u32 } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, invalidCdb, invalidParameter, type Sense, sense } from './sense.ts';
import type { Completion, Task } from './task.ts';
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

/** Bits of the second byte of a descriptor (SPC-4 6.37). */
const supportBits: Readonly<Record<string, number>> = {
  alua_support_transitioning: 0x80,
  alua_support_offline: 0x40,
  alua_support_unavailable: 0x08,
  alua_support_standby: 0x04,
  alua_support_active_nonoptimized: 0x02,
  alua_support_active_optimized: 0x01,
};

/** alua_access_type: bit 0 implicit, bit 1 explicit. */
const explicit = 2;

type Group = Readonly<Record<string, unknown>>;

const numberIn = (group: Group, key: string): number => Number(group[key] ?? 0);

const offersAlua = (lu: StorageObject): boolean => lu.attributes.values.alua_support === 1;

/** TPGS (SPC-4 6.6.2): what a port's group allows, implicit transitions 1 and explicit ones 2; 0 without ALUA. */
export function accessTypes(lu: StorageObject, portGroup = 0): number {
  const group = offersAlua(lu) && lu.aluaGroups.find((one) => one['tg_pt_gp_id'] === portGroup);
  return group ? numberIn(group, 'alua_access_type') : 0;
}

const transitioning = 0xf;

/** Target port groups on their way to another state, by number; `stateChanged` begins and ends it. */
const transitions = unitState<{ readonly under: ReadonlyMap<number, object> }>({
  name: 'ALUA transitions',
  initial: () => ({ under: new Map() }),
  obstructs: (_state, lu) => (lu.aluaGroups.every((group) => runsAll(lu, group)) ? 'nothing' : 'reads and writes'),
  spares: (_state, { view }) => inaccessible(view.storageObject, view.port.portGroup, 'active') === undefined,
});

/** The state of a group as initiators see it. */
const stateOf = (lu: StorageObject, group: Group): number =>
  transitions.of(lu).under.has(numberIn(group, 'tg_pt_gp_id')) ? transitioning : numberIn(group, 'alua_access_state');

/** Whether every command runs behind the ports of a group now. */
const runsAll = (lu: StorageObject, group: Group): boolean =>
  !offersAlua(lu) || (states[stateOf(lu, group)]?.runs ?? 'active') === 'active';

/** A group has another state than it had: everybody is told, now and again when the transition has ended (SPC-4 5.15.2.5). */
export function stateChanged(lu: StorageObject, name: unknown): void {
  reportToAll(lu, sense.asymmetricAccessStateChanged);
  const group = lu.aluaGroups.find((one) => one['name'] === name);
  const delayMs = group ? numberIn(group, 'trans_delay_msecs') : 0;
  if (!group || delayMs === 0) return;
  const id = numberIn(group, 'tg_pt_gp_id');
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

/** NOT READY when a command may not run behind a port of this group now; undefined when it may. */
export function inaccessible(lu: StorageObject, portGroup: number, runsIn: AccessStates): Sense | undefined {
  if (runsIn === 'any' || !offersAlua(lu)) return undefined;
  for (const group of lu.aluaGroups) {
    if (group['tg_pt_gp_id'] !== portGroup) continue;
    const state = states[stateOf(lu, group)];
    if (state && state.runs !== 'active' && state.runs !== runsIn) return state.otherwise;
  }
  return undefined;
}

export const aluaOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0xa3,
    serviceAction: 0x0a,
    name: 'REPORT TARGET PORT GROUPS',
    spec: 'SPC-4 6.37',
    cdb: { format: bits(1, 5, 3), allocation: u32(6) },
    medium: 'none',
    whenReserved: 'allowed',
    runsIn: 'any',
    offered: offersAlua,
    check: (_lu, cdb) => {
      if (cdb.format > 1) throw invalidCdb(1, 7);
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
      if (cdb.length > listBytes(lu.aluaGroups.length)) throw new CheckCondition(sense.parameterListLengthError);
    },
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, _cdb, task) => setPortGroups(lu, task),
  }),
];

const headerBytes = 4;
const descriptorBytes = 4;
const listBytes = (groups: number): number => headerBytes + groups * descriptorBytes;

function portGroups(lu: StorageObject, task: Task, extended: boolean): Uint8Array {
  const own = lu.aluaGroups.find((group) => group['tg_pt_gp_id'] === task.unit!.port.portGroup);
  const header = extended ? [0x10, numberIn(own ?? {}, 'implicit_trans_secs'), 0, 0] : [];
  const body = Buffer.concat([Uint8Array.from(header), ...lu.aluaGroups.map((group) => groupDescriptor(lu, group))]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** A target port group descriptor (SPC-4 6.37). */
function groupDescriptor(lu: StorageObject, group: Group): Uint8Array {
  const id = numberIn(group, 'tg_pt_gp_id');
  const ports = targetPortsOf(lu).filter((port) => port.portGroup === id);
  const bytes = Buffer.alloc(8 + ports.length * 4);
  bytes[0] = stateOf(lu, group) | (numberIn(group, 'preferred') === 1 ? 0x80 : 0);
  for (const [key, bit] of Object.entries(supportBits)) if (numberIn(group, key) === 1) bytes[1]! |= bit;
  bytes.writeUInt16BE(id, 2);
  bytes[5] = numberIn(group, 'alua_access_status');
  bytes[7] = ports.length;
  ports.forEach((port, i) => {
    bytes.writeUInt16BE(port.relativePortId, 10 + i * 4);
  });
  return bytes;
}

/** Every descriptor is checked before the first is applied; the other nexuses are told (SPC-4 5.15.2.9). */
async function setPortGroups(lu: StorageObject, task: Task): Promise<Completion> {
  if (task.dataOutLength === 0) return good;
  const list = parameterList(task.dataOut, task.dataOutLength);
  if ((list.length - headerBytes) % descriptorBytes !== 0) throw new CheckCondition(sense.parameterListLengthError);
  const wanted = new Map<number, number>();
  for (let at = headerBytes; at < list.length; at += descriptorBytes) {
    const state = list[at]! & 0x0f;
    const id = list.readUInt16BE(at + 2);
    const group = lu.aluaGroups.find((one) => one['tg_pt_gp_id'] === id);
    if (!group || (numberIn(group, 'alua_access_type') & explicit) === 0) throw invalidParameter(at + 2);
    const supportedBy = aluaStates[state]?.supportedBy;
    // Transitioning is what happens, not what is asked for.
    if (!supportedBy || numberIn(group, supportedBy) !== 1 || state === transitioning) throw invalidParameter(at, 3);
    wanted.set(id, state);
  }
  const changed = lu.aluaGroups.filter((group) => {
    const state = wanted.get(numberIn(group, 'tg_pt_gp_id'));
    return state !== undefined && state !== numberIn(group, 'alua_access_state');
  });
  for (const group of changed) {
    const [value, aluaGroup] = [wanted.get(numberIn(group, 'tg_pt_gp_id'))!, String(group['name'])];
    await lu.configure({ name: 'alua_access_state', value, aluaGroup });
    stateChanged(lu, aluaGroup);
  }
  withdrawUnitAttention(task.nexus, lu, sense.asymmetricAccessStateChanged);
  return good;
}
