/** FORMAT UNIT and SANITIZE. Does not test that other media keep nothing: what a volume's discard leaves is its own test. */

import { expect, test } from 'vitest';
import { admitTask, executeTask } from '../../../src/scsi/device-server.ts';
import { resumeWork } from '../../../src/scsi/format-sanitize.ts';
import { mediumWork } from '../../../src/scsi/medium-work.ts';
import { handOverUnit, takeOverUnit } from '../../../src/scsi/move.ts';
import { abortTask, logicalUnitReset } from '../../../src/scsi/task-management.ts';
import { be, logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

const size = 3 * 1024 * 1024;
const before = pattern(size);
const sanitize = (action: number, length = 0) => [0x48, action, 0, 0, 0, 0, 0, ...be(length, 2)];
const immediate = 0x80;
const exitAllowed = 0x20;
const overwrite = (fill: Buffer, first = 0x01) => Buffer.concat([Buffer.from([first, 0, ...be(fill.length, 2)]), fill]);
const requestSense = [0x03, 0, 0, 0, 18];
const ready = [0x00];

function fresh(differing = {}, attributes: Record<string, number> = {}) {
  const { lu, volume } = logicalUnit({ volume: memoryVolume(size, differing), attributes });
  volume.bytes.set(before);
  return { lu, volume, a: new ScsiInitiator(lu).login(), b: new ScsiInitiator(lu, 'b').login() };
}

/** A volume whose writes wait until they are let go, or fail. */
function slow() {
  let release = () => {};
  let fail = (_error: Error) => {};
  const gate = new Promise<void>((resolve, reject) => {
    release = resolve;
    fail = reject;
  });
  gate.catch(() => {});
  return { ...fresh({ write: () => gate }), release, fail };
}

test('SBC-4 5.30.2.2 SANITIZE OVERWRITE: fills every block with the pattern, as often as asked, and flushes', async () => {
  const { volume, a } = fresh();
  const list = overwrite(Buffer.from([1, 2, 3]), 0x02);
  expect((await a.send(sanitize(0x01, list.length), list)).status).toBe(0);
  const block = Buffer.alloc(512, Buffer.from([1, 2, 3]));
  expect(Buffer.alloc(size, block).equals(volume.bytes)).toBe(true);
  expect(volume.calls.filter((call) => call === 'flush')).toHaveLength(2);
});

test.each([
  [0x82, ['f0', '0f']],
  [0x83, ['0f', 'f0', '0f']],
  [0x02, ['0f', '0f']],
])('SBC-4 5.30.2.2 SANITIZE OVERWRITE: INVERT and count %i write %j, the pattern last', async (first, passes) => {
  const written: string[] = [];
  const write = async (data: Uint8Array, position: number) => {
    if (position === 0) written.push(Buffer.from(data.subarray(0, 1)).toString('hex'));
  };
  const { a } = fresh({ write });
  const list = overwrite(Buffer.from([0x0f]), first);
  expect((await a.send(sanitize(0x01, list.length), list)).status).toBe(0);
  expect(written).toEqual(passes);
});

test('SBC-4 4.11.1 SANITIZE that failed in the restricted mode: AUSE is refused, and FORMAT UNIT does not get out of it', async () => {
  const { lu, a, fail } = slow();
  const list = overwrite(Buffer.from([0]));
  const result = a.send(sanitize(0x01, list.length), list);
  fail(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }));
  await result;
  expect((await a.send(sanitize(exitAllowed | 0x01, list.length), list)).sense).toBe('5/24/00');
  expect((await a.send([0x04])).sense).toBe('3/31/03');
  lu.volume!.write = async () => {};
  expect((await a.send(sanitize(0x01, list.length), list)).status).toBe(0);
  expect((await a.send(ready)).status).toBe(0);
});

test('SBC-4 5.30 SANITIZE waits for nobody, as a head of queue task', async () => {
  const { lu, a, b, volume } = fresh();
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  volume.readNow = () => false;
  volume.read = () => gate;
  const verify = b.send([0x2f, 0, 0, 0, 0, 0, 0, 0, 1], undefined, { attribute: 'ordered' });
  const list = overwrite(Buffer.from([0]));
  expect((await a.send(sanitize(immediate | 0x01, list.length), list)).status).toBe(0);
  expect(mediumWork.of(lu).work).toBeDefined();
  finish();
  await verify;
});

test.each([
  ['no pattern', sanitize(0x01, 4), Buffer.from([1, 0, 0, 0]), '5/24/00'],
  ['a pattern that is longer than a block', sanitize(0x01, 517), overwrite(Buffer.alloc(513)), '5/24/00'],
  ['a count of 0', sanitize(0x01, 8), overwrite(Buffer.alloc(4), 0), '5/26/00'],
  ['TEST', sanitize(0x01, 8), overwrite(Buffer.alloc(4), 0x21), '5/26/00'],
  ['a length that is not that of the pattern', sanitize(0x01, 8), Buffer.from([1, 0, 0, 3, 0, 0, 0, 0]), '5/26/00'],
  ['BLOCK ERASE with a list', sanitize(0x02, 8), Buffer.alloc(8), '5/24/00'],
  ['EXIT FAILURE MODE with a list', sanitize(0x1f, 8), Buffer.alloc(8), '5/24/00'],
  ['CRYPTOGRAPHIC ERASE: nothing is encrypted here', sanitize(0x03), Buffer.alloc(0), '5/24/00'],
])('SBC-4 5.30 SANITIZE refuses %s, and nothing changes', async (_what, cdb, list, sense) => {
  const { lu, volume, a } = fresh({}, { emulate_tpu: 1 });
  expect((await a.send(cdb, list)).sense).toBe(sense);
  expect([mediumWork.of(lu).work, before.equals(volume.bytes)]).toEqual([undefined, true]);
});

test('SBC-4 5.30.2.3 SANITIZE BLOCK ERASE: deallocates, and VPD page B1h says that reads succeed then', async () => {
  const { volume, a } = fresh({}, { emulate_tpu: 1 });
  expect((await a.send([0x12, 1, 0xb1, 0, 64])).data[7]).toBe(0x40);
  expect((await a.send(sanitize(0x02))).status).toBe(0);
  expect(volume.calls).toEqual([`discard 0+${size}`, 'flush']);
});

test('SBC-4 5.30.2.3 SANITIZE BLOCK ERASE: not offered by a thick unit, nor where a discard leaves anything', async () => {
  expect((await fresh().a.send(sanitize(0x02))).sense).toBe('5/24/00');
  expect((await fresh({ discardLeavesAnything: true }, { emulate_tpu: 1 }).a.send(sanitize(0x02))).sense).toBe(
    '5/24/00',
  );
  expect((await fresh().a.send([0x12, 1, 0xb1, 0, 64])).data[7]).toBe(0);
});

test('SBC-4 4.11.2 while a SANITIZE goes on others are NOT READY, with its progress; INQUIRY and the like run', async () => {
  const { lu, a, b, release } = slow();
  const list = overwrite(Buffer.from([0]));
  expect((await a.send(sanitize(immediate | 0x01, list.length), list)).status).toBe(0);
  for (const cdb of [ready, [0x28, 0, 0, 0, 0, 0, 0, 0, 1], [0x1b, 0, 0, 0, 1], [0x1a, 0, 0x3f, 0, 4], sanitize(0x1f)])
    expect((await b.send(cdb)).sense).toBe('2/04/1b');
  mediumWork.of(lu).progress.done = size / 2;
  const { data } = await b.send(requestSense);
  expect(data.toString('hex', 12)).toBe('041b00808000');
  expect((await b.send([0x12, 0, 0, 0, 96])).status).toBe(0);
  expect((await b.send([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64])).status).toBe(0);
  release();
  while (mediumWork.of(lu).work) await new Promise(setImmediate);
  expect((await b.send(ready)).status).toBe(0);
});

test('SBC-4 4.11.2 neither ABORT TASK nor a reset stops a SANITIZE, and neither waits for it', async () => {
  const { lu, a, release } = slow();
  const list = overwrite(Buffer.from([0]));
  const task = a.task(sanitize(0x01, list.length));
  admitTask(task);
  task.dataOut = list;
  const result = executeTask(task);
  expect(await abortTask(a.nexus, 0, task.tag)).toBe(true);
  await logicalUnitReset(a.nexus, 0);
  await result;
  expect(mediumWork.of(lu).work).toBeDefined();
  release();
});

/** The unit in the next event loop or process, with another volume. */
async function next(left: ReturnType<typeof fresh>['lu']) {
  const { lu, volume, a } = fresh();
  takeOverUnit(lu, await handOverUnit(left));
  return { lu, volume, a };
}

test('SBC-4 4.11.2 a SANITIZE whose volume is closed has not failed: it goes on where the volume is opened, from the beginning', async () => {
  const { lu, a, fail } = slow();
  const list = overwrite(Buffer.from([7]));
  const result = a.send(sanitize(0x01, list.length), list);
  await new Promise(setImmediate);
  const later = await next(lu);
  fail(Object.assign(new Error('EBADF: bad file descriptor, write'), { code: 'EBADF' }));
  expect((await result).sense).toBe('2/04/01');
  expect((await later.a.send(ready)).sense).toBe('2/04/1b');
  expect(await resumeWork(later.lu)).toBe(true);
  while (mediumWork.of(later.lu).work) await new Promise(setImmediate);
  expect(Buffer.alloc(size, 7).equals(later.volume.bytes)).toBe(true);
  expect((await later.a.send(ready)).status).toBe(0);
});

test('SBC-4 4.11.2 a SANITIZE that failed is a failure wherever the volume is opened, except with another medium', async () => {
  const { lu, a, fail } = slow();
  const list = overwrite(Buffer.from([7]));
  const result = a.send(sanitize(0x01, list.length), list);
  fail(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }));
  await result;
  const later = await next(lu);
  expect(await resumeWork(later.lu)).toBe(false);
  expect((await later.a.send(ready)).sense).toBe('3/31/03');
  later.lu.config = { ...later.lu.config, dev: 'another' };
  expect(await resumeWork(later.lu)).toBe(false);
  expect((await later.a.send(ready)).status).toBe(0);
});

test('SBC-4 4.11.2 a SANITIZE is kept before the medium is touched and forgotten after; what cannot be kept is not begun', async () => {
  const { lu, volume, a } = fresh();
  const kept: unknown[] = [];
  lu.keep = async (_subject, work) => {
    kept.push(work);
    if (work) expect(volume.calls).toEqual([]);
  };
  const list = overwrite(Buffer.from([7]), 0x82);
  expect((await a.send(sanitize(exitAllowed | 0x01, list.length), list)).status).toBe(0);
  const work = { does: 'overwrite', count: 2, invert: true, pattern: '07', exit: true, failed: false };
  expect(kept).toEqual([{ ...work, medium: lu.config }, undefined]);
  volume.bytes.set(before);
  lu.keep = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
  expect((await a.send([0x04])).sense).toBe('4/44/00');
  expect(before.equals(volume.bytes)).toBe(true);
  expect((await a.send(ready)).status).toBe(0);
});

test('SBC-4 5.30.2.5 SANITIZE EXIT FAILURE MODE: after a failure only what mends it runs, and this where AUSE allowed it', async () => {
  for (const [option, exit] of [
    [0, '5/24/00'],
    [exitAllowed, ''],
  ] as const) {
    const { a, fail } = slow();
    const list = overwrite(Buffer.from([0]));
    const result = a.send(sanitize(option | 0x01, list.length), list);
    fail(Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }));
    expect((await result).sense).toBe('3/31/03');
    expect((await a.send([0x28, 0, 0, 0, 0, 0, 0, 0, 1])).sense).toBe('3/31/03');
    expect((await a.send(sanitize(0x1f))).sense).toBe(exit);
    expect((await a.send([0x28, 0, 0, 0, 0, 0, 0, 0, 1])).sense).toBe(exit === '' ? '' : '3/31/03');
  }
});

test('SBC-4 4.11.2 a write whose data comes after the SANITIZE began is not written onto the clean medium', async () => {
  const { a, b, volume, lu } = fresh();
  const late = b.task([0x2a, 0, 0, 0, 0, 0, 0, 0, 1]);
  admitTask(late);
  const list = overwrite(Buffer.from([0]));
  await a.send(sanitize(immediate | 0x01, list.length), list);
  late.dataOut = pattern(512);
  expect(await executeTask(late)).toMatchObject({ status: 2 });
  while (mediumWork.of(lu).work) await new Promise(setImmediate);
  expect(volume.bytes[100]).toBe(0);
});

test('SBC-4 5.30 a write protected unit is not sanitized', async () => {
  const { a } = fresh({}, { read_only: 1 });
  const list = overwrite(Buffer.from([0]));
  expect((await a.send(sanitize(0x01, list.length), list)).sense).toBe('7/27/00');
  expect((await a.send([0x04])).sense).toBe('7/27/00');
});

test.each([
  ['zeros by the volume', {}, `zeroes 0+${size}`],
  ['zeros written', { writeZeroes: undefined }, 'write 0+1048576'],
])('SBC-4 5.4 FORMAT UNIT: fills the medium with zeros, %s', async (_how, differing, first) => {
  const { a, volume } = fresh(differing);
  expect((await a.send([0x04])).status).toBe(0);
  expect(volume.calls[0]).toBe(first);
  expect(volume.bytes.every((byte) => byte === 0)).toBe(true);
});

test('SBC-4 5.4 FORMAT UNIT: after a failure the medium is unreadable until one succeeds', async () => {
  const { lu, a } = fresh({
    writeZeroes: () => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })),
  });
  expect((await a.send([0x04])).sense).toBe('3/31/01');
  expect((await a.send(ready)).sense).toBe('3/31/01');
  lu.volume!.writeZeroes = async () => {};
  expect((await a.send([0x04])).status).toBe(0);
  expect((await a.send(ready)).status).toBe(0);
});

test('SBC-4 5.4 FORMAT UNIT: with IMMED it answers first; meanwhile the unit is NOT READY, FORMAT IN PROGRESS', async () => {
  const { a, b, lu } = fresh();
  expect((await a.send([0x04, 0x10], Buffer.from([0, 0x82, 0, 0]))).status).toBe(0);
  expect((await b.send(ready)).sense).toBe('2/04/04');
  while (mediumWork.of(lu).work) await new Promise(setImmediate);
  expect((await b.send(ready)).status).toBe(0);
});

test.each([
  ['protection information in the CDB', [0x04, 0x80], [], '5/24/00'],
  ['protection information in the list', [0x04, 0x10], [1, 0, 0, 0], '5/26/00'],
  ['an initialization pattern', [0x04, 0x10], [0, 0x88, 0, 0], '5/26/00'],
  ['options without FOV', [0x04, 0x10], [0, 0x20, 0, 0], '5/26/00'],
  ['a defect list', [0x04, 0x10], [0, 0, 0, 8], '5/26/00'],
  ['a long defect list', [0x04, 0x30], [0, 0, 0, 0, 0, 0, 0, 8], '5/26/00'],
  ['a protection interval', [0x04, 0x30], [0, 0, 0, 1, 0, 0, 0, 0], '5/26/00'],
])('SBC-4 5.4 FORMAT UNIT: %s is refused', async (_what, cdb, list, sense) => {
  const { a, volume } = fresh();
  expect((await a.send(cdb, Uint8Array.from(list))).sense).toBe(sense);
  expect(volume.calls).toEqual([]);
});
