/** MODE SELECT, and what the modes change. Does not test MODE SENSE's layout: identity.test.ts. */

import { expect, test } from 'vitest';
import { controlMode } from '../../../src/scsi/control-mode.ts';
import { informationalExceptions } from '../../../src/scsi/informational-exceptions.ts';
import { packStates, resetStates } from '../../../src/scsi/unit-state.ts';
import { be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';

const control = (differing: Record<number, number> = {}) =>
  Object.assign([0x0a, 0x0a, 0x02, 0x10, 0, 0x40, 0, 0, 0xff, 0xff, 0, 0x1e], differing);
const caching = (wce: number) => [0x08, 0x12, wce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0];
const select6 = (initiator: ScsiInitiator, ...list: number[]) =>
  initiator.send([0x15, 0x10, 0, 0, list.length], Uint8Array.from(list));
const header = [0, 0, 0, 0];

function fresh() {
  const { lu } = logicalUnit();
  return { lu, initiator: new ScsiInitiator(lu).login(), other: new ScsiInitiator(lu, 'b').login() };
}

// Current values, and bits that can change: WCE; D_SENSE, SWP, TAS; DEXCPT, TEST, MRIE.
test.each([
  ['SBC-3 6.5.8 Read-Write Error Recovery', 0x01, 0x00, '010a', '', ''],
  ['SBC-3 6.5.5 Caching', 0x08, 0x00, '0812', '0400000000000000000020', '04'],
  ['SPC-4 7.5.8 Control', 0x0a, 0x00, '0a0a', '021000400000ffff001e', '04000840'],
  ['SPC-4 7.5.9 Control Extension', 0x0a, 0x01, '4a01001c', '07', ''],
  ['SPC-4 7.5.13 Power Condition', 0x1a, 0x00, '1a26', '', ''],
  ['SPC-4 7.5.11 Informational Exceptions Control', 0x1c, 0x00, '1c0a', '', '0c0f'],
])('%s: current and changeable values', async (_name, code, subpage, pageHeader, current, changeable) => {
  const { initiator } = fresh();
  const bytes = Number.parseInt(pageHeader.slice(-2), 16);
  for (const [control, values] of [
    [0x00, current],
    [0x40, changeable],
  ] as const) {
    const { data } = await initiator.send([0x1a, 0x08, control | code, subpage, 252]);
    expect(data.toString('hex', 4)).toBe(pageHeader + values.padEnd(2 * bytes, '0'));
  }
});

test('SPC-4 6.13 MODE SENSE(6): default values are those before anybody changed them', async () => {
  const { lu, initiator } = fresh();
  const defaults = async () => (await initiator.send([0x1a, 0x08, 0xbf, 0xff, 252])).data.toString('hex');
  const before = await defaults();
  expect(before).toBe((await initiator.send([0x1a, 0x08, 0x3f, 0xff, 252])).data.toString('hex'));
  const informational = [0x1c, 0x0a, 0x04, 0x06, 0, 0, 0, 0, 0, 0, 0, 0];
  const list = [...header, ...caching(0), ...control({ 2: 0x06, 4: 0x08, 5: 0 }), ...informational];
  expect((await select6(initiator, ...list)).status).toBe(0);
  expect(controlMode.of(lu)).toEqual({ descriptorSense: true, softwareWriteProtect: true });
  expect(informationalExceptions.of(lu).test).toBe(true);
  // The header's WP and DPOFUA have no default.
  expect((await defaults()).slice(8)).toBe(before.slice(8));
});

test('SPC-4 6.11 MODE SELECT(6): who selects what is there already changes nothing that others have to hear of', async () => {
  const { initiator, other } = fresh();
  await select6(initiator, ...header, ...caching(0x04), ...control());
  expect((await other.send([0x00])).status).toBe(0);
});

test('SPC-4 6.11 MODE SELECT(6): WCE switches the write cache, and the other nexuses are told', async () => {
  const { lu, initiator, other } = fresh();
  expect((await select6(initiator, ...header, ...caching(0))).status).toBe(0);
  expect(lu.attributes.values.emulate_write_cache).toBe(0);
  expect((await initiator.send([0x00])).status).toBe(0);
  expect((await other.send([0x00])).sense).toBe('6/2a/01');
});

test('SPC-4 6.12 MODE SELECT(10): D_SENSE switches sense data to descriptor format', async () => {
  const { initiator } = fresh();
  const list = [0, 0, 0, 0, 0, 0, 0, 0, ...control({ 2: 0x06 })];
  await initiator.send([0x55, 0x10, 0, 0, 0, 0, 0, 0, list.length], Uint8Array.from(list));
  const { senseData } = await initiator.send([0x28, 0x20]);
  expect(senseData.toString('hex')).toBe('7205240000000008' + '02060000cd000100');
});

test('SPC-4 7.5.5 MODE SELECT(10): LONGLBA makes the block descriptor long', async () => {
  const { initiator } = fresh();
  const select = (longLba: number, descriptor: number[]) => {
    const list = [0, 0, 0, 0, longLba, 0, 0, descriptor.length, ...descriptor, ...control()];
    return initiator.send([0x55, 0x10, 0, 0, 0, 0, 0, 0, list.length], Uint8Array.from(list));
  };
  expect((await select(1, [...be(2048, 8), 0, 0, 0, 0, ...be(512, 4)])).status).toBe(0);
  expect((await select(0, [...be(2048, 8), 0, 0, 0, 0, ...be(512, 4)])).sense).toBe('5/26/00');
  expect((await select(1, [...be(2048, 4), 0, ...be(512, 3)])).sense).toBe('5/26/00');
});

test('SPC-4 7.5.8 Control: SWP write protects until a reset', async () => {
  const { lu, initiator } = fresh();
  await select6(initiator, ...header, ...control({ 4: 0x08 }));
  expect((await initiator.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], pattern(512))).sense).toBe('7/27/02');
  resetStates(lu);
  expect((await initiator.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], pattern(512))).status).toBe(0);
});

test('SPC-4 6.11 MODE SELECT(6): what MODE SENSE gave is accepted as it is', async () => {
  const { initiator } = fresh();
  const { data } = await initiator.send([0x1a, 0, 0x3f, 0, 252]);
  data[0] = 0;
  data[2] = 0;
  expect((await select6(initiator, ...data)).status).toBe(0);
});

test.each([
  ['a field that cannot change', [...header, ...control({ 3: 0x00 })], '5/26/00'],
  ['a page that is not there', [...header, 0x02, 0x0a, ...new Array(10).fill(0)], '5/26/00'],
  ['a page of another length', [...header, 0x0a, 0x02, 0x02, 0x10], '5/26/00'],
  ['a page that is cut', [...header, ...control().slice(0, 8)], '5/1a/00'],
  ['a header that is cut', [0, 0], '5/1a/00'],
  ['another block length', [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x10, 0, ...control()], '5/26/00'],
  ['a failure that is tested and not reported', [...header, 0x1c, 0x0a, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0], '5/26/00'],
  ['two block descriptors', [0, 0, 0, 16, ...new Array(16).fill(0), ...control()], '5/26/00'],
  ['another capacity', [0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0x02, 0, ...control()], '5/26/00'],
])('SPC-4 6.11 MODE SELECT(6): %s is refused, and nothing changes', async (_what, list, sense) => {
  const { lu, initiator } = fresh();
  const modes = () => structuredClone(packStates(lu));
  const before = modes();
  expect((await select6(initiator, ...list)).sense).toBe(sense);
  expect(modes()).toEqual(before);
});

test('SPC-4 6.11 MODE SELECT(6): saving pages is refused, there being no place for them', async () => {
  const { initiator } = fresh();
  expect((await initiator.send([0x15, 0x11, 0, 0, 0])).sense).toBe('5/24/00');
});

test.each([
  ['SPC-4 6.11 MODE SELECT(6)', [0x15, 0x10, 0, 0, 16], [...header, ...control({ 4: 0x08 })]],
  ['SPC-4 6.12 MODE SELECT(10)', [0x55, 0x10, 0, 0, 0, 0, 0, 0, 20], [0, 0, 0, 0, ...header, ...control({ 4: 0x08 })]],
  ['SPC-4 6.45 SET TIMESTAMP', [0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 12], new Array(12).fill(1)],
  ['SPC-4 6.45 SET TARGET PORT GROUPS', [0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 8], [0, 0, 0, 0, 1, 0, 0, 0]],
])('%s: changes what all share, so an initiator whose LUN is write protected may not', async (_name, cdb, list) => {
  const { lu } = logicalUnit();
  lu.aluaGroups = lu.aluaGroups.map((group) => ({ ...group, alua_access_type: 3 }));
  const reader = new ScsiInitiator(lu, 'reader', { writeProtected: true }).login();
  const before = [{ ...controlMode.of(lu) }, packStates(lu), lu.aluaGroups];
  expect((await reader.send(cdb, Uint8Array.from(list))).sense).toBe('7/27/00');
  expect([controlMode.of(lu), packStates(lu), lu.aluaGroups]).toEqual(before);
});

test('SPC-4 7.5.8 SWP: what an initiator has protected for all, it can open again', async () => {
  const { lu, initiator } = fresh();
  await select6(initiator, ...header, ...control({ 4: 0x08 }));
  expect(controlMode.of(lu).softwareWriteProtect).toBe(true);
  expect((await select6(initiator, ...header, ...control())).status).toBe(0);
  expect(controlMode.of(lu).softwareWriteProtect).toBe(false);
});
