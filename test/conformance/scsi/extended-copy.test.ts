/** EXTENDED COPY(LID1): its parameter list, its results, its operating parameters. What segments copy: copy-segment.test.ts. */

import { expect, test } from 'vitest';
import { controlMode } from '../../../src/scsi/control-mode.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';
import {
  copyList as list,
  blockSegment as segment,
  sendCopy as send,
  copyTarget as target,
} from '../../support/copy-list.ts';
import { logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';

function two() {
  const source = logicalUnit({ wwn: '11111111-53cb-4030-8133-a895f2f05d13' });
  const destination = logicalUnit({ name: 'disk1', wwn: '22222222-53cb-4030-8133-a895f2f05d13' });
  const luns = new Map([
    [0, source.lu],
    [1, destination.lu],
  ]);
  return { source, destination, initiator: new ScsiInitiator(luns).login() };
}

test("SPC-4 6.22 RECEIVE COPY RESULTS(LID1) OPERATING PARAMETERS: LIO's, and segments of any number of bytes", async () => {
  const { data } = await two().initiator.send([0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8]);
  expect(data.toString('hex')).toBe(
    `0000002b01000000000200010000040010000000${'00'.repeat(12)}0000000101000909000000${'03020ae4'}`,
  );
});

test('SPC-4 6.5 EXTENDED COPY(LID1): copies blocks from one logical unit to another, in bounded pieces', async () => {
  const { source, destination, initiator } = two();
  source.volume.bytes.set(pattern(1500 * 512), 3 * 512);
  const answer = await send(initiator, list([target(source.lu), target(destination.lu)], [segment(0, 1, 1500, 3, 10)]));
  expect(answer.status).toBe(0);
  expect(destination.volume.calls).toEqual(['write 5120+768000']);
  expect(Buffer.compare(destination.volume.bytes.subarray(5120, 5120 + 768000), pattern(1500 * 512))).toBe(0);
});

test('SPC-4 6.5 EXTENDED COPY(LID1): within one logical unit; nothing to copy is no error', async () => {
  const { source, initiator } = two();
  source.volume.bytes.set(pattern(512));
  expect((await send(initiator, list([target(source.lu)], [segment(0, 0, 1, 0, 9)]))).status).toBe(0);
  expect(Buffer.compare(source.volume.bytes.subarray(9 * 512, 10 * 512), pattern(512))).toBe(0);
  expect((await send(initiator, [])).status).toBe(0);
});

const { source, destination } = two();
const [s, d] = [target(source.lu), target(destination.lu)];
const other = target(logicalUnit({ wwn: '33333333-53cb-4030-8133-a895f2f05d13' }).lu);
test.each([
  ['three targets', list([s, d, s], [segment(0, 1, 1)]), '5/26/06'],
  ['two segments', list([s, d], [segment(0, 1, 1), segment(0, 1, 1)]), '5/26/08'],
  ['another kind of target', list([[0xe0, ...s.slice(1)]], [segment(0, 0, 1)]), '5/26/07'],
  ['another kind of segment', list([s], [[0x03, ...segment(0, 0, 1).slice(1)]]), '5/26/09'],
  ['a target index that is not there', list([s], [segment(0, 1, 1)]), 'a/0d/02'],
  ['a logical unit that the initiator does not reach', list([s, other], [segment(0, 1, 1)]), 'a/0d/02'],
  ['a range behind the end', list([s, d], [segment(0, 1, 2, 0, 2047)]), 'a/0d/02'],
  ['a list that is cut', list([s, d], [segment(0, 1, 1)]).slice(0, 100), '5/1a/00'],
  ['a device type that is not there', list([target(source.lu, 0x01), d], [segment(0, 1, 1)]), 'a/0d/02'],
  ['a designator of another kind', list([Object.assign([...s], { 5: 1 }), d], [segment(0, 1, 1)]), 'a/0d/02'],
  ['a list identifier usage that is reserved', Object.assign(list([s, d], [segment(0, 1, 1)]), { 1: 0x08 }), '5/26/00'],
  ['an identifier where none is used', Object.assign(list([s, d], [segment(0, 1, 1)]), { 1: 0x18 }), '5/26/00'],
  ['inline data', Object.assign(list([s, d], [segment(0, 1, 1)]), { 15: 1 }), '5/26/00'],
])('SPC-4 6.5 EXTENDED COPY(LID1): %s is refused', async (_what, bytes, sense) => {
  const { initiator, destination } = two();
  expect((await send(initiator, bytes)).sense).toBe(sense);
  expect(destination.volume.calls).toEqual([]);
});

test('SPC-4 6.5 EXTENDED COPY(LID1): a reservation of the destination and write protection hold here too', async () => {
  const { source, destination, initiator } = two();
  const bytes = list([target(source.lu), target(destination.lu)], [segment(0, 1, 1)]);
  controlMode.set(destination.lu, { softwareWriteProtect: true });
  expect((await send(initiator, bytes)).sense).toBe('7/27/00');
  reservations.set(destination.lu, { reserved: new ScsiInitiator(destination.lu, 'b').nexus });
  expect((await send(initiator, bytes)).status).toBe(0x18);
});

test('SPC-4 6.25 RECEIVE COPY RESULTS(LID1) COPY STATUS: the result of a copy by its list identifier, once', async () => {
  const { source, initiator } = two();
  const status = [0x84, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255];
  expect((await initiator.send(status)).sense).toBe('5/24/00');
  await send(initiator, list([target(source.lu)], [segment(0, 0, 1, 0, 9)]));
  expect((await initiator.send(status)).data.toString('hex')).toBe('000000080100010000000200');
  expect((await initiator.send(status)).sense).toBe('5/24/00');
  await send(initiator, list([target(source.lu)], [segment(0, 1, 1)]));
  expect((await initiator.send(status)).data[4]).toBe(2);
});

test('SPC-4 6.25 RECEIVE COPY RESULTS(LID1) COPY STATUS: a copy that goes on is in progress, and its identifier is taken', async () => {
  const { source, destination, initiator } = two();
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  Object.assign(destination.volume, { writeNow: () => false, write: () => gate });
  const bytes = list([target(source.lu), target(destination.lu)], [segment(0, 1, 1)]);
  const first = send(initiator, bytes);
  const status = async () => (await initiator.send([0x84, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255])).data[4];
  expect([await status(), await status()]).toEqual([0, 0]);
  expect((await send(initiator, bytes)).sense).toBe('5/00/16');
  finish();
  expect((await first).status).toBe(0);
  expect(await status()).toBe(1);
  await send(initiator, Object.assign(bytes, { 1: 0x10 }));
  expect(await status()).toBeUndefined();
});

test('SPC-4 5.16.7.2 EXTENDED COPY(LID1): half a block of the destination is an inexact segment', async () => {
  const { source, destination, initiator } = two();
  Object.assign(destination.lu.attributes.values, { block_size: 1024 });
  const bytes = (blocks: number) => {
    const copy = segment(0, 1, blocks);
    return list([target(source.lu), target(destination.lu)], [Object.assign(copy, { 1: 0 })]);
  };
  expect((await send(initiator, bytes(3))).sense).toBe('a/26/0a');
  expect((await send(initiator, bytes(2))).status).toBe(0);
});

test('SPC-4 6.5 EXTENDED COPY(LID1): a unit that takes no writes may still manage a copy to another', async () => {
  const { source, destination, initiator } = two();
  Object.assign(source.lu.attributes.values, { read_only: 1 });
  const bytes = list([target(source.lu), target(destination.lu)], [segment(0, 1, 1)]);
  expect((await send(initiator, bytes)).status).toBe(0);
});

test('SPC-4 6.5 emulate_3pc 0 takes it away, and the unit is no end of a copy that another one manages', async () => {
  const { source, destination, initiator: both } = two();
  destination.lu.attributes.set('emulate_3pc', 0);
  const bytes = list([target(source.lu), target(destination.lu)], [segment(0, 1, 1)]);
  expect((await send(both, bytes)).sense).toBe('a/0d/02');
  const { lu } = logicalUnit({ attributes: { emulate_3pc: 0 } });
  const initiator = new ScsiInitiator(lu).login();
  expect((await send(initiator, [])).sense).toBe('5/20/00');
  expect((await initiator.send([0x12, 0, 0, 0, 96])).data[5]).toBe(0xb0);
});
