/** START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL, read-only and removable units. Does not test what SANITIZE keeps away. */

import { expect, test } from 'vitest';
import { resetStates } from '../../../src/scsi/unit-state.ts';
import { logicalUnit, pattern, ScsiInitiator, senseOf } from '../../support/logical-unit.ts';

const load = [0x1b, 0, 0, 0, 0x03];
const eject = [0x1b, 0, 0, 0, 0x02];
const start = [0x1b, 0, 0, 0, 0x01];
const stop = [0x1b, 0, 0, 0, 0x00];
const ready = [0x00];
const prevent = (how: number) => [0x1e, 0, 0, 0, how];

function removable() {
  const { lu, volume } = logicalUnit({ attributes: { removable: 1 } });
  return { lu, volume, a: new ScsiInitiator(lu).login(), b: new ScsiInitiator(lu, 'b').login() };
}

function fixed() {
  const { lu, volume } = logicalUnit();
  return { lu, volume, a: new ScsiInitiator(lu).login() };
}

test('SPC-4 6.6.2 RMB is the attribute removable', async () => {
  expect((await removable().a.send([0x12, 0, 0, 0, 96])).data[1]).toBe(0x80);
  expect((await fixed().a.send([0x12, 0, 0, 0, 96])).data[1]).toBe(0);
});

test('SBC-3 5.25 START STOP UNIT: LOEJ ejects after a flush, and MEDIUM NOT PRESENT answers every command that needs the medium', async () => {
  const { volume, a, b } = removable();
  expect((await a.send(eject)).status).toBe(0);
  expect(volume.calls).toContain('flush');
  for (const cdb of [ready, [0x28, 0, 0, 0, 0, 0, 0, 0, 1], [0x25], [0x35]])
    expect((await b.send(cdb)).sense).toBe('2/3a/00');
  expect((await b.send([0x03, 0, 0, 0, 18])).data.toString('hex', 12, 14)).toBe('3a00');
});

test('SBC-3 5.25 START STOP UNIT: LOEJ loads again, and the other nexuses are told', async () => {
  const { a, b } = removable();
  await a.send(eject);
  expect((await a.send(load)).status).toBe(0);
  expect((await a.send(ready)).status).toBe(0);
  expect((await b.send(ready)).sense).toBe('6/28/00');
  expect((await b.send(ready)).status).toBe(0);
});

test('SBC-3 5.25 START STOP UNIT: LOEJ is refused where the medium is not removable', async () => {
  const { sense, senseData } = await fixed().a.send(eject);
  expect(sense).toBe('5/24/00');
  expect(senseData.toString('hex', 15)).toBe('c90004');
});

test('SBC-3 5.10 PREVENT ALLOW MEDIUM REMOVAL: one nexus keeps the medium in, or out, for all', async () => {
  const { a, b } = removable();
  await a.send(prevent(1));
  expect((await b.send(eject)).sense).toBe('5/53/02');
  await a.send(prevent(0));
  await b.send(eject);
  await b.send(prevent(1));
  expect((await a.send(load)).sense).toBe('5/53/02');
});

test.each([
  ['the loss of its nexus', async ({ a }: ReturnType<typeof removable>) => a.logout()],
  ['a logical unit reset', async ({ lu }: ReturnType<typeof removable>) => resetStates(lu)],
])('SBC-3 5.10 PREVENT ALLOW MEDIUM REMOVAL: %s ends it', async (_what, end) => {
  const units = removable();
  await units.a.send(prevent(1));
  await end(units);
  expect((await units.b.send(eject)).status).toBe(0);
});

test('SBC-3 5.25 START STOP UNIT: STOP flushes and enters standby: a unit that others use stays ready', async () => {
  const { volume, a } = fixed();
  expect((await a.send(stop)).status).toBe(0);
  expect(volume.calls).toEqual(['flush']);
  expect((await a.send([0x03, 0, 0, 0, 18])).data.toString('hex', 12, 14)).toBe('5e04');
  expect((await a.send(ready)).status).toBe(0);
  expect((await a.send([0x1b, 0, 0, 0, 0x04])).status).toBe(0);
  expect(volume.calls).toEqual(['flush']);
  expect((await a.send(start)).status).toBe(0);
  expect(senseOf((await a.send([0x03, 0, 0, 0, 18])).data)).toBe('0/00/00');
});

test.each([
  ['IDLE', 0x20, '0/5e/03'],
  ['STANDBY', 0x30, '0/5e/04'],
  ['FORCE_IDLE_0', 0xa0, '0/5e/03'],
  ['FORCE_STANDBY_0', 0xb0, '0/5e/04'],
  ['ACTIVE', 0x10, '0/00/00'],
  ['LU_CONTROL', 0x70, '0/00/00'],
])('SPC-4 5.11 %s is polled by REQUEST SENSE, and a read makes the unit active', async (_name, condition, code) => {
  const { a } = fixed();
  expect((await a.send([0x1b, 0, 0, 0, condition | 2])).status).toBe(0);
  expect((await a.send(ready)).status).toBe(0);
  expect(senseOf((await a.send([0x03, 0, 0, 0, 18])).data)).toBe(code);
  await a.send([0x28, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(senseOf((await a.send([0x03, 0, 0, 0, 18])).data)).toBe('0/00/00');
});

test('SBC-3 5.25 START STOP UNIT: a power condition with LOEJ ejects nothing, also one that is reserved', async () => {
  const { lu, a } = removable();
  for (let condition = 1; condition < 16; condition++) await a.send([0x1b, 0, 0, 0, (condition << 4) | 2]);
  expect(lu.ejected).toBe(false);
});

test('SBC-3 5.25 START STOP UNIT: power condition modifiers do not exist here', async () => {
  expect((await fixed().a.send([0x1b, 0, 0, 1, 0x20])).sense).toBe('5/24/00');
});

test('SBC-3 table 13: a reservation keeps others from ejecting and preventing, not from starting and allowing', async () => {
  const { a, b } = removable();
  await a.send([0x16]);
  expect((await b.send(eject)).status).toBe(0x18);
  await a.send([0x17]);
  const key = [...new Array(15).fill(0), 1, ...new Array(8).fill(0)];
  await a.send([0x5f, 0x06, 0, 0, 0, 0, 0, 0, 24], Uint8Array.from(key));
  await a.send([0x5f, 0x01, 3, 0, 0, 0, 0, 0, 24], Uint8Array.from([...key.slice(8, 16), ...new Array(16).fill(0)]));
  const answers = await Promise.all([eject, prevent(1), start, prevent(0)].map((cdb) => b.send(cdb)));
  expect(answers.map(({ status }) => status)).toEqual([0x18, 0x18, 0, 0]);
});

test('SBC-3 6.5.1 read_only: MODE SENSE says WP, and writes end with WRITE PROTECTED', async () => {
  const { lu } = logicalUnit({ attributes: { read_only: 1 } });
  const a = new ScsiInitiator(lu).login();
  expect((await a.send([0x1a, 0, 0x3f, 0, 4])).data[2]! & 0x80).toBe(0x80);
  expect((await a.send([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], pattern(512))).sense).toBe('7/27/00');
  expect((await a.send([0x28, 0, 0, 0, 0, 0, 0, 0, 1])).status).toBe(0);
});

test('SBC-3 5.16.2 physical_block_size gives the exponent and the granularity of transfers', async () => {
  const { lu } = logicalUnit({ attributes: { physical_block_size: 4096 } });
  const a = new ScsiInitiator(lu).login();
  expect((await a.send([0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32])).data[13]).toBe(3);
  expect((await a.send([0x12, 1, 0xb0, 0, 64])).data.readUInt16BE(6)).toBe(8);
});

test('SPC-4 6.6.2 identification: vendor, product and revision are what the operator says', async () => {
  const { lu } = logicalUnit({ name: 'disk0' });
  Object.assign(lu.attributes.values, {
    vendor_id: 'ACME',
    product_id: 'FASTDISK',
    revision: '7',
    company_id: '00abcd',
  });
  const a = new ScsiInitiator(lu).login();
  expect((await a.send([0x12, 0, 0, 0, 96])).data.toString('latin1', 8, 36)).toBe('ACME    FASTDISK        7   ');
  expect((await a.send([0x12, 1, 0x83, 0, 24])).data.toString('hex', 8, 12)).toBe('600abcdc');
});

test.each([
  ['vendor_id', 'too long for it'],
  ['product_id', 'umlaut ä'],
  ['revision', '12345'],
  ['company_id', 'xyz'],
])('%s refuses what INQUIRY has no room for: %s', (name, value) => {
  const { lu } = logicalUnit();
  expect(() => lu.attributes.check(name, value, 'attribute')).toThrow('Invalid argument');
});

test('SBC-3 5.43 WRITE SAME of no blocks goes to the end where its length has no limit', async () => {
  const { lu, volume } = logicalUnit({ attributes: { max_write_same_len: 0 } });
  const a = new ScsiInitiator(lu).login();
  expect((await a.send([0x12, 1, 0xb0, 0, 64])).data[4]).toBe(0);
  expect((await a.send([0x41, 0, 0, 0, 0, 1, 0, 0, 0], pattern(512))).status).toBe(0);
  expect(Buffer.from(volume.bytes.subarray(volume.size - 512))).toEqual(pattern(512));
  expect(volume.bytes[0]).toBe(0);
});
