/** REPORT and SET TARGET PORT GROUPS, and what runs in which state. Not tested: clocks. */

import { expect, test } from 'vitest';
import type { Attribute } from '../../../src/attribute.ts';
import { standShared } from '../../../src/scsi/alua.ts';
import { aluaGroup, aluaGroupTable } from '../../../src/scsi/alua-group.ts';
import type { TargetPort } from '../../../src/scsi/logical-unit.ts';
import { opcodes } from '../../../src/scsi/opcode-table.ts';
import { clearUnitAttentions } from '../../../src/scsi/unit-attention.ts';
import { cdbOf } from '../../support/cdb.ts';
import { be, logicalUnit, pattern, port, ScsiInitiator } from '../../support/logical-unit.ts';
import { sharedBy } from '../../support/shared-unit.ts';

const reportGroups = [0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 0, 255];
const second: TargetPort = { ...port, portName: `${port.targetName},t,0x0002`, relativePortId: 2 };

function fresh() {
  const { lu } = logicalUnit();
  return { lu, a: new ScsiInitiator(lu).login(), b: new ScsiInitiator(lu, 'b', { port: second }).login() };
}
const set = (initiator: ScsiInitiator, state: number, group = 0) =>
  initiator.send([0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8], Uint8Array.of(0, 0, 0, 0, state, 0, 0, group));

test('SPC-4 6.37 REPORT TARGET PORT GROUPS: as LIO gives it, a default group with two ports', async () => {
  const { data } = await fresh().a.send(reportGroups);
  expect(data.toString('hex')).toBe('0000001000cf0000000000020000000100000002');
});

test.each([
  ['length only', 0x0a],
  ['extended', 0x2a],
])(
  'SPC-4 6.37 REPORT TARGET PORT GROUPS: whole groups with all their ports, and a short ALLOCATION LENGTH cuts that, wherever (%s header)',
  async (_header, format) => {
    const { lu, a } = fresh();
    lu.aluaGroups = [lu.aluaGroups[0]!, aluaGroup('second', 16), aluaGroup('empty', 17)];
    lu.ports = () => [1, 2, 3].map((id) => ({ ...port, relativePortId: id, portGroup: id === 3 ? 16 : 0 }));
    const report = async (allocation: number) => (await a.send([0xa3, format, 0, 0, 0, 0, ...be(allocation, 4)])).data;
    const whole = await report(0xffffffff);
    expect(whole.readUInt32BE(0)).toBe(whole.length - 4);
    const groups: [id: number, active: boolean, ports: number[]][] = [];
    for (let at = format === 0x2a ? 8 : 4; at < whole.length; at += 8 + 4 * whole[at + 7]!) {
      const ports = Array.from({ length: whole[at + 7]! }, (_, i) => whole.readUInt16BE(at + 10 + 4 * i));
      groups.push([whole.readUInt16BE(at + 2), (whole[at]! & 0x0f) < 2, ports]);
    }
    expect(groups).toEqual([
      [0, true, [1, 2]],
      [16, true, [3]],
      [17, true, []],
    ]);
    for (let allocation = 0; allocation < whole.length; allocation++)
      expect(await report(allocation)).toEqual(whole.subarray(0, allocation));
  },
);

test('SPC-4 6.37 REPORT TARGET PORT GROUPS: extended header with the implicit transition time', async () => {
  const { lu, a } = fresh();
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, implicit_trans_secs: 7, preferred: 1 }));
  const { data } = await a.send([0xa3, 0x2a, ...reportGroups.slice(2)]);
  expect(data.toString('hex', 0, 12)).toBe('000000141007000080cf0000');
  expect((await a.send([0xa3, 0x4a, ...reportGroups.slice(2)])).sense).toBe('5/24/00');
});

test('SPC-4 6.45 SET TARGET PORT GROUPS: the state changes, the status says who did it, the others are told', async () => {
  const { lu, a, b } = fresh();
  expect((await set(a, 1)).status).toBe(0);
  expect((await a.send(reportGroups)).data.toString('hex', 4, 12)).toBe('01cf000000010002');
  expect((await b.send([0x00])).sense).toBe('6/2a/06');
  expect(lu.aluaGroups[0]).toMatchObject({ alua_access_state: 1 });
});

test.each([
  ['an unknown group', 0, 9],
  ['an unknown state', 7, 0],
  ['transitioning', 0xf, 0],
])('SPC-4 6.45 SET TARGET PORT GROUPS: %s is refused', async (_what, state, group) => {
  expect((await set(fresh().a, state, group)).sense).toBe('5/26/00');
});

test('SPC-4 6.45 SET TARGET PORT GROUPS: a group that is implicit only refuses, and so does a state it does not support', async () => {
  const { lu, a } = fresh();
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, alua_support_standby: 0 }));
  expect((await set(a, 2)).sense).toBe('5/26/00');
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, alua_access_type: 1 }));
  expect((await set(a, 1)).sense).toBe('5/26/00');
});

/**
 * The commands that run in every state (SPC-4 5.15.2.4, 5.15.2.5); READ CAPACITY as in LIO, so that a disk has its size when it is found
 * by way of a standby port; and commands that tell of the unit and of the time, which no state has to keep back.
 */
const anyState = [
  ...['INQUIRY', 'READ BUFFER(10)', 'REPORT LUNS', 'REPORT TARGET PORT GROUPS', 'REQUEST SENSE'],
  ...['SET TARGET PORT GROUPS', 'WRITE BUFFER'],
  ...['REPORT SUPPORTED OPERATION CODES', 'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS'],
  ...['REPORT TIMESTAMP', 'SET TIMESTAMP'],
];
const standby = [
  ...['LOG SENSE', 'MODE SELECT(6)', 'MODE SELECT(10)', 'MODE SENSE(6)', 'MODE SENSE(10)'],
  ...['PERSISTENT RESERVE IN', 'PERSISTENT RESERVE OUT', 'RECEIVE DIAGNOSTIC RESULTS', 'SEND DIAGNOSTIC'],
  ...['READ CAPACITY(10)', 'READ CAPACITY(16)'],
];
const named = (names: readonly string[]) => (name: string) =>
  names.some((one) => name === one || name.startsWith(`${one} `));

test.each([
  [0x0, () => true, ''],
  [0x1, () => true, ''],
  [0x2, named([...anyState, ...standby]), '2/04/0b'],
  [0x3, named(anyState), '2/04/0c'],
  [0xe, named(anyState), '2/04/0c'],
  [0xf, named(anyState), '2/04/0a'],
])('SPC-4 5.15.2 state %i: every opcode runs, or says why not', async (state, runs, refusal) => {
  const { lu } = logicalUnit({ attributes: { emulate_tpu: 1, emulate_tpws: 1 } });
  const a = new ScsiInitiator(lu).login();
  Object.assign(lu.volume!, { atomicWriteBytesMax: 1 << 20 });
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, alua_access_state: state }));
  for (const row of opcodes) {
    // A reserved bit, so that nothing runs: it is looked at next.
    const reserved = row.settable.findLastIndex((bits) => bits !== 0xff);
    const cdb = cdbOf(row).map((byte, at) => (at === reserved ? 0xff : byte));
    const { sense } = await a.send(cdb);
    expect(`${row.name} ${sense}`).toBe(`${row.name} ${runs(row.name) ? '5/24/00' : refusal}`);
  }
});

test('SPC-4 5.15.2.5 Transitioning: for as long as trans_delay_msecs says, and the others are told twice', async () => {
  const { lu, a, b } = fresh();
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, trans_delay_msecs: 500 }));
  const waiting: [number, () => void][] = [];
  lu.clock.after = (ms, what) => void waiting.push([ms, what]);
  expect((await set(a, 1)).status).toBe(0);
  expect((await a.send(reportGroups)).data[4]).toBe(0x0f);
  expect((await a.send([0x00])).sense).toBe('2/04/0a');
  expect((await b.send([0x00])).sense).toBe('6/2a/06');
  expect((await set(a, 0)).status).toBe(0);
  expect(waiting.map(([ms]) => ms)).toEqual([500, 500]);
  // The first transition is no more: the second one took over.
  waiting[0]?.[1]();
  expect((await a.send(reportGroups)).data[4]).toBe(0x0f);
  waiting[1]?.[1]();
  expect((await a.send([0x00])).sense).toBe('6/2a/06');
  expect((await a.send([0x00])).status).toBe(0);
  expect((await a.send(reportGroups)).data[4]).toBe(0x00);
});

test('SPC-4 5.15.2 a state is of a group: a port in another group is not concerned', async () => {
  const { lu } = logicalUnit();
  lu.aluaGroups = [...lu.aluaGroups, { ...lu.aluaGroups[0]!, name: 'g1', tg_pt_gp_id: 1, alua_access_state: 2 }];
  const a = new ScsiInitiator(lu).login();
  const b = new ScsiInitiator(lu, 'b', { port: { ...second, portGroup: 1 } }).login();
  const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1];
  expect((await a.send(write, pattern(512))).status).toBe(0);
  expect((await b.send(write, pattern(512))).sense).toBe('2/04/0b');
});

test.each([0, 1, 2, 3])('SPC-4 6.6.2 INQUIRY: TPGS says what alua_access_type %i of the port allows', async (type) => {
  const { lu, a } = fresh();
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, alua_access_type: type }));
  expect((await a.send([0x12, 0, 0, 0, 96])).data[5]).toBe(0x88 | (type << 4));
});

const settings = Object.entries<Attribute>(aluaGroupTable).filter(([, { readOnly }]) => !readOnly);
test.each(settings)(
  'SPC-4 5.15 %s: is seen where its record says, or nowhere',
  async (name, { default: value, effect, only }) => {
    const view = async (setting: unknown) => {
      const { lu, a } = fresh();
      lu.clock.after = () => {};
      lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, [name]: setting }));
      const seen = [await a.send([0x12, 0, 0, 0, 96]), await a.send([0xa3, 0x2a, ...reportGroups.slice(2)])];
      seen.push(await set(a, 1), await a.send([0x00]));
      return seen.map(({ status, sense, data }) => [status, sense, data.toString('hex')]);
    };
    const other = only?.find((one) => one !== value) ?? (value === 0 ? 1 : 0);
    const same = effect.startsWith('none');
    expect(JSON.stringify(await view(other)) === JSON.stringify(await view(value))).toBe(same);
  },
);

test('SPC-4 6.47 TEST UNIT READY: a unit of several gateways is on standby between two owners, as the report has it, while others are told of the transition', async () => {
  const { lu, a } = fresh();
  standShared(lu, sharedBy(lu, { standing: 'transition' }));
  clearUnitAttentions(a.nexus);
  expect((await a.send([0, 0, 0, 0, 0, 0])).sense).toBe('2/04/0b');
  expect((await a.send([0x28, 0, 0, 0, 0, 0, 0, 0, 1])).sense).toBe('2/04/0a');
});

test('SPC-4 6.37 alua_support 0 takes the commands and the states away', async () => {
  const { lu } = logicalUnit({ attributes: { alua_support: 0 } });
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, alua_access_state: 2 }));
  const a = new ScsiInitiator(lu).login();
  expect((await a.send(reportGroups)).status).toBe(2);
  expect((await a.send([0x00])).status).toBe(0);
  expect((await a.send([0x12, 0, 0, 0, 96])).data[5]).toBe(0x88);
});
