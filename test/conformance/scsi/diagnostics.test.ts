/** LOG SENSE, SEND DIAGNOSTIC, buffers, timestamps, and the pages that sg3-utils knows beyond LIO's. No transport is tested. */

import { expect, test } from 'vitest';
import { admitTask, executeTask } from '../../../src/scsi/device-server.ts';
import { statistics } from '../../../src/scsi/statistics.ts';
import { logicalUnitReset } from '../../../src/scsi/task-management.ts';
import { be, logicalUnit, pattern, ScsiInitiator, senseOf } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const logSense = (page: number, subpage = 0, pointer = 0) => [
  0x4d,
  0,
  0x40 | page,
  subpage,
  0,
  ...be(pointer, 2),
  0xff,
  0xff,
];
const cumulative = (page: number) => logSense(page);
const read10 = (blocks: number) => [0x28, 0, 0, 0, 0, 0, 0, ...be(blocks, 2)];
const write10 = (blocks: number) => [0x2a, 0, 0, 0, 0, 0, 0, ...be(blocks, 2)];

function fresh(differing = {}, attributes: Record<string, number> = {}) {
  const { lu, volume } = logicalUnit({ volume: memoryVolume(1024 * 1024, differing), attributes });
  return { lu, volume, a: new ScsiInitiator(lu).login(), b: new ScsiInitiator(lu, 'b').login() };
}

test('SPC-4 7.3.18 LOG SENSE: supported pages, and with FFh their subpages', async () => {
  const { a } = fresh();
  expect((await a.send(logSense(0))).data.toString('hex')).toBe('80000006000d0e10192f');
  expect((await a.send(logSense(0, 0xff))).data.toString('hex')).toBe('c0ff000e000000ff0d000e00100019002f00');
});

test('SPC-4 7.3.6 General Statistics and Performance: commands and blocks are counted', async () => {
  const { a } = fresh();
  await a.send(read10(3));
  await a.send(read10(1));
  await a.send(write10(2), pattern(1024));
  const { data } = await a.send(cumulative(0x19));
  expect(data.toString('hex', 0, 8)).toBe('9900004400010340');
  expect([0, 1, 2, 3].map((i) => Number(data.readBigUInt64BE(8 + 8 * i)))).toEqual([2, 1, 2, 4]);
});

test('SPC-4 7.3.6 General Statistics and Performance: UNMAP is among the write commands', async () => {
  const { lu, a } = fresh({}, { emulate_tpu: 1 });
  const list = Buffer.from([0, 22, 0, 16, 0, 0, 0, 0, ...be(0, 8), ...be(5, 4), 0, 0, 0, 0]);
  expect((await a.send([0x42, 0, 0, 0, 0, 0, 0, 0, list.length], list)).status).toBe(0);
  expect(statistics.of(lu).counters()).toMatchObject({ writeCommands: 1, blocksWritten: 0 });
});

test('SPC-4 7.3.17 Start-Stop Cycle Counter: stops and loads', async () => {
  const { a } = fresh({}, { removable: 1 });
  for (const how of [0, 1, 2, 3]) await a.send([0x1b, 0, 0, 0, how]);
  expect((await a.send(cumulative(0x0e))).data.toString('hex', 4)).toBe('0004030400000001' + '0006030400000001');
});

test('SPC-4 7.3.21 Temperature: FFh, there is no sensor', async () => {
  expect((await fresh().a.send(cumulative(0x0d))).data.toString('hex')).toBe('8d0000060000030200ff');
});

test('SBC-3 6.4.4 Logical Block Provisioning: what is left for all, and what is in use here, in threshold sets, where the unit is thin and the volume can tell', async () => {
  const mebibytes = (available: number, allocated: number) => ({
    space: async () => ({ available: available * 2 ** 20, allocated: allocated * 2 ** 20 }),
  });
  const thin = fresh(mebibytes(7, 3), { emulate_tpu: 1 });
  // A set has 2 MiB; what is left is rounded down, what is taken up.
  expect((await thin.a.send(cumulative(0x0c))).data.toString('hex')).toBe(
    '8c000018' + '000103080000000302000000' + '000203080000000201000000',
  );
  expect((await thin.a.send([0x12, 1, 0xb2, 0, 255])).data[4]).toBe(12);
  // The medium does not say what is left.
  const used = fresh({ space: async () => ({ allocated: 3 * 2 ** 20 }) }, { emulate_tpu: 1 });
  expect((await used.a.send(cumulative(0x0c))).data.toString('hex')).toBe('8c00000c' + '000203080000000201000000');
  expect((await fresh(mebibytes(7, 3)).a.send(cumulative(0x0c))).sense).toBe('5/24/00');
  expect((await fresh({}, { emulate_tpu: 1 }).a.send(cumulative(0x0c))).sense).toBe('5/24/00');
});

test.each([
  ['a page that is not there', logSense(0x05)],
  ['a subpage', logSense(0x0d, 1)],
  ['a parameter pointer behind the last', logSense(0x0d, 0, 1)],
  ['threshold values', [0x4d, 0, 0x0d, 0, 0, 0, 0, 0xff, 0xff]],
  ['saving', [0x4d, 0x01, 0x4d, 0, 0, 0, 0, 0xff, 0xff]],
])('SPC-4 6.8 LOG SENSE: %s is refused', async (_what, cdb) => {
  expect((await fresh().a.send(cdb)).sense).toBe('5/24/00');
});

test.each([
  ['the short foreground self-test', 0xa0, 5, ['read 0+512', 'read 1048064+512']],
  ['the extended foreground self-test', 0xc0, 6, ['read 0+1048576']],
])(
  'SPC-4 6.42 SEND DIAGNOSTIC, SPC-4 7.3.16 Self-Test Results: %s reads the medium, and its result is kept',
  async (_name, options, code, calls) => {
    const { a, volume } = fresh();
    expect((await a.send([0x1d, options])).status).toBe(0);
    expect(volume.calls).toEqual(calls);
    const { data } = await a.send(cumulative(0x10));
    expect(data.length).toBe(4 + 20 * 20);
    expect(data.toString('hex', 4, 24)).toBe(
      `00010310${(code << 5).toString(16).padStart(2, '0')}000000${'ff'.repeat(8)}00000000`,
    );
  },
);

test('SPC-4 6.42 SEND DIAGNOSTIC: the default self-test reads the medium, and is not kept', async () => {
  const { a, volume } = fresh();
  expect((await a.send([0x1d, 0x04])).status).toBe(0);
  expect(volume.calls).toEqual(['read 0+512', 'read 1048064+512']);
  expect((await a.send(cumulative(0x10))).data.toString('hex', 8, 24)).toBe('00'.repeat(16));
});

test('SPC-4 7.3.16 Self-Test Results: one that task management ends was aborted', async () => {
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const { lu, a } = fresh({ read: () => gate });
  const task = a.task([0x1d, 0xa0]);
  admitTask(task);
  const result = executeTask(task);
  const reset = logicalUnitReset(a.nexus, 0);
  finish();
  await Promise.all([reset, result]);
  expect(statistics.of(lu).selfTests).toEqual([{ code: 5, result: 2 }]);
});

test('SPC-4 6.42 SEND DIAGNOSTIC: a block that cannot be read fails the self-test, which says where', async () => {
  const broken = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  const { a } = fresh({
    read: (_into: Uint8Array, position: number) => (position ? Promise.reject(broken) : Promise.resolve()),
  });
  expect((await a.send([0x1d, 0xa0])).sense).toBe('4/3e/03');
  expect((await a.send(cumulative(0x10))).data.toString('hex', 8, 24)).toBe('a700000000000000000007ff03110000');
});

test('SPC-4 6.42 SEND DIAGNOSTIC: tests in the background, and tests with parameters, are refused; no test is GOOD', async () => {
  const { a } = fresh();
  expect((await a.send([0x1d, 0x20])).sense).toBe('5/24/00');
  expect((await a.send([0x1d, 0x24])).sense).toBe('5/24/00');
  expect((await a.send([0x1d, 0x04, 0, 0, 4], Buffer.alloc(4))).sense).toBe('5/24/00');
  expect((await a.send([0x1d, 0x10, 0, 0, 4], Buffer.from([0, 0, 0, 0]))).status).toBe(0);
  expect((await a.send([0x1d, 0x10, 0, 0, 4], Buffer.from([0x40, 0, 0, 0]))).sense).toBe('5/26/00');
});

test.each([
  ['a header that is cut', [0], '5/24/00'],
  ['a page that is cut', [0, 0, 0, 3, 0, 0], '5/24/00'],
  ['a page that asks for something', [0, 0, 0, 1, 0], '5/26/00'],
])('SPC-4 6.42 SEND DIAGNOSTIC: %s is refused', async (_what, page, sense) => {
  expect((await fresh().a.send([0x1d, 0x10, 0, 0, page.length], Buffer.from(page))).sense).toBe(sense);
});

test('SPC-4 6.28 RECEIVE DIAGNOSTIC RESULTS: the list of pages', async () => {
  const { a } = fresh();
  expect((await a.send([0x1c, 0x01, 0, 0, 255])).data.toString('hex')).toBe('0000000100');
  expect((await a.send([0x1c, 0x01, 0x40, 0, 255])).sense).toBe('5/24/00');
  expect((await a.send([0x1c, 0x00, 0, 0, 255])).sense).toBe('5/24/00');
});

const buffer = (code: number, mode: number, offset: number, length: number, id = 0) => [
  code,
  mode,
  id,
  ...be(offset, 3),
  ...be(length, 3),
];

test('SPC-4 6.49 WRITE BUFFER, SPC-4 6.18 READ BUFFER(10): data at an offset is read back, by every nexus', async () => {
  const { a, b } = fresh();
  expect((await a.send(buffer(0x3b, 0x02, 100, 16), pattern(16))).status).toBe(0);
  expect((await b.send(buffer(0x3c, 0x02, 98, 20))).data).toEqual(
    Buffer.concat([Buffer.alloc(2), pattern(16), Buffer.alloc(2)]),
  );
  expect((await a.send(buffer(0x3c, 0x03, 0, 4))).data.toString('hex')).toBe('00010000');
  expect((await a.send(buffer(0x3c, 0x03, 0, 4, 1))).data.toString('hex')).toBe('00000000');
});

test('SPC-4 6.49 WRITE BUFFER: each nexus has an echo of its own', async () => {
  const { a, b } = fresh();
  await a.send(buffer(0x3b, 0x0a, 0, 8), pattern(8));
  expect((await a.send(buffer(0x3c, 0x0a, 0, 4096))).data).toEqual(pattern(8));
  expect((await b.send(buffer(0x3c, 0x0a, 0, 4096))).sense).toBe('5/2c/00');
  expect((await a.send(buffer(0x3c, 0x0b, 0, 4))).data.toString('hex')).toBe('00001000');
});

test.each([
  ['more than there is', buffer(0x3b, 0x02, 65530, 8)],
  ['more echo than there is', buffer(0x3b, 0x0a, 0, 4097)],
  ['microcode', buffer(0x3b, 0x05, 0, 8)],
  ['another buffer', buffer(0x3b, 0x02, 0, 8, 1)],
  ['an offset behind the end', buffer(0x3c, 0x02, 65537, 1)],
  ['vendor specific data', buffer(0x3c, 0x01, 0, 8)],
])('SPC-4 6.49 WRITE BUFFER, SPC-4 6.18 READ BUFFER(10): %s is refused', async (_what, cdb) => {
  expect((await fresh().a.send(cdb, pattern(8))).sense).toBe('5/24/00');
});

const reportTimestamp = [0xa3, 0x0f, 0, 0, 0, 0, 0, 0, 0, 12];
const setTimestamp = [0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 12];

test('SPC-4 6.38 REPORT TIMESTAMP: the clock, until SET TIMESTAMP sets another time, of which the others are told', async () => {
  const { lu, a, b } = fresh();
  lu.clock.now = () => 1_000_000;
  expect((await a.send(reportTimestamp)).data.toString('hex')).toBe('000a03000000000f42400000');
  expect((await a.send(setTimestamp, Buffer.from([0, 0, 0, 0, ...be(5000, 6), 0, 0]))).status).toBe(0);
  lu.clock.now = () => 1_000_250;
  expect((await a.send(reportTimestamp)).data.toString('hex')).toBe('000a02000000000014820000');
  expect((await b.send([0x00])).sense).toBe('6/2a/10');
});

test('SPC-4 6.38 REPORT TIMESTAMP: behind its highest value a timestamp begins again', async () => {
  const { lu, a } = fresh();
  lu.clock.now = () => 1_000_000;
  await a.send(setTimestamp, Buffer.from([0, 0, 0, 0, ...new Array(6).fill(0xff), 0, 0]));
  lu.clock.now = () => 1_000_003;
  expect((await a.send(reportTimestamp)).data.toString('hex')).toBe('000a02000000000000020000');
  lu.clock.now = () => 999_990;
  expect((await a.send(reportTimestamp)).data.toString('hex')).toBe('000a0200fffffffffff50000');
});

test('SPC-4 6.46 SET TIMESTAMP: another length is refused', async () => {
  expect((await fresh().a.send([0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 8], Buffer.alloc(8))).sense).toBe('5/1a/00');
});

test.each([
  ['SPC-4 7.8.9 Mode Page Policy', 0x87, '3fff0000'],
  ['SPC-4 7.8.10 Power Condition', 0x8a, `0101${'00'.repeat(12)}`],
])('%s: VPD page %i', async (_name, page, body) => {
  expect((await fresh().a.send([0x12, 1, page, 0, 255])).data.toString('hex', 4)).toBe(body);
});

test('SPC-4 7.8.14 SCSI Ports: every target port by its name', async () => {
  const { data } = await fresh().a.send([0x12, 1, 0x88, 0, 255]);
  expect(data.toString('hex', 4, 20)).toBe('00000001000000000000002c53980028');
  expect(data.toString('latin1', 20)).toBe('iqn.2026-01.com.example:scsi,t,0x0001\0\0\0');
});

test('SPC-4 7.8.17 Third-party Copy: there where EXTENDED COPY is, ascending, whole descriptors, the operating parameters', async () => {
  const { a } = fresh();
  const { data } = await a.send([0x12, 1, 0x8f, 0, 255]);
  const { data: limits } = await a.send([0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255]);
  expect(data.readUInt16BE(2)).toBe(data.length - 4);
  const descriptors: [type: number, value: Buffer][] = [];
  for (let at = 4; at < data.length; at += 4 + data.readUInt16BE(at + 2)) {
    expect(data.readUInt16BE(at + 2) % 4).toBe(0);
    descriptors.push([data.readUInt16BE(at), data.subarray(at + 4, at + 4 + data.readUInt16BE(at + 2))]);
  }
  const value = new Map(descriptors);
  expect([...value.keys()]).toEqual([0x0001, 0x0004, 0x0008, 0x000c, 0x8001]);
  // SUPPORTED COMMANDS: EXTENDED COPY(LID1); RECEIVE COPY STATUS(LID1), RECEIVE COPY OPERATING PARAMETERS.
  expect(value.get(0x0001)!.toString('hex')).toBe('0783010084020003');
  const parameters = value.get(0x0004)!;
  expect([parameters.length, parameters.subarray(4, 12)]).toEqual([28, limits.subarray(8, 16)]);
  const types = value.get(0x0008)!;
  expect(types.subarray(0, 1 + types[0]!)).toEqual(limits.subarray(43));
  expect(value.get(0x000c)!.readUInt16BE(0)).toBe(0);
  const general = value.get(0x8001)!;
  expect([general.length, general.readUInt32BE(0), general.readUInt32BE(4)]).toEqual([
    32,
    limits.readUInt16BE(34),
    limits[36],
  ]);
  expect([general.readUInt32BE(8), general[12]]).toEqual([limits.readUInt32BE(16), limits[37]]);
  expect((await fresh({}, { emulate_3pc: 0 }).a.send([0x12, 1, 0x8f, 0, 255])).sense).toBe('5/24/00');
});

test('SPC-4 7.5.9 Control Extension: alone and among all', async () => {
  const { a } = fresh();
  const page = `4a01001c07${'00'.repeat(27)}`;
  expect((await a.send([0x1a, 0x08, 0x0a, 0x01, 255])).data.toString('hex', 4)).toBe(page);
  expect((await a.send([0x1a, 0x08, 0x3f, 0xff, 255])).data.toString('hex')).toContain(page);
  expect((await a.send([0x1a, 0x08, 0x3f, 0, 255])).data.toString('hex')).not.toContain('4a01');
});

test('SPC-4 7.5.11 Informational Exceptions Control, SPC-4 7.3.8 Informational Exceptions: TEST with MRIE 6h tells of a failure that is none', async () => {
  const { a } = fresh();
  const list = (test: number, mrie: number) =>
    Buffer.from([0, 0, 0, 0, 0x1c, 0x0a, test, mrie, ...new Array(8).fill(0)]);
  expect((await a.send([0x15, 0x10, 0, 0, 16], list(0x04, 6))).status).toBe(0);
  expect(senseOf((await a.send([0x03, 0, 0, 0, 18])).data)).toBe('0/5d/ff');
  expect((await a.send(cumulative(0x2f))).data.toString('hex', 8)).toBe('5dffff00');
  expect((await a.send([0x15, 0x10, 0, 0, 16], list(0x08, 6))).status).toBe(0);
  expect(senseOf((await a.send([0x03, 0, 0, 0, 18])).data)).toBe('0/00/00');
  expect((await a.send([0x15, 0x10, 0, 0, 16], list(0x04, 3))).sense).toBe('5/26/00');
});

test.each([
  ['SECURITY PROTOCOL IN', 0xa2],
  ['SECURITY PROTOCOL OUT', 0xb5],
])('SPC-4 6.40 %s is not offered', async (_name, code) => {
  expect((await fresh().a.send([code])).sense).toBe('5/20/00');
});

test('SAM-5 5.8.2 NACA is refused, and so is the ACA task attribute', async () => {
  const { a } = fresh();
  expect((await a.send([0x00, 0, 0, 0, 0, 0x04])).sense).toBe('5/24/00');
  expect((await a.send([0x00], Buffer.alloc(0), { attribute: 'aca' })).sense).toBe('5/49/00');
});
