// A virtio-scsi device as a driver uses it: real rings in shared memory, real eventfds, a front-end of our own. Not tested here:
// a guest (test/e2e-linux), what the messages of a hostile front-end do (front-end.test.ts).

import { expect, test } from 'vitest';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { F, usualFeatures } from '../support/vhost-front-end.ts';
import { vhostTarget } from '../support/vhost-target.ts';

const read10 = (lba: number, blocks: number) => [0x28, 0, 0, 0, lba >> 8, lba & 0xff, 0, blocks >> 8, blocks & 0xff, 0];
const write10 = (lba: number, blocks: number) => [
  0x2a,
  0,
  0,
  0,
  lba >> 8,
  lba & 0xff,
  0,
  blocks >> 8,
  blocks & 0xff,
  0,
];

test('the first command is told of the power on, and what follows is served', async () => {
  const { connect } = await vhostTarget();
  const driver = await (await connect()).start();
  expect(await driver.command([0])).toMatchObject({ response: 0, status: 2, sense: '6/29/00' });
  expect(await driver.command([0x12, 0, 0, 0, 36, 0], { dataIn: 36 })).toMatchObject({
    response: 0,
    status: 0,
    residual: 0,
  });
});

test.each([
  ['in one piece', {}],
  ['in pieces', { piece: 512 }],
  ['in pieces that end within a block', { piece: 700 }],
  ['behind an indirect descriptor', { piece: 4096, indirect: true }],
])('what is written %s is read again', async (_, options) => {
  const { driver: start, lu } = await vhostTarget();
  const driver = await start();
  const data = Buffer.from(Array.from({ length: 16 * 512 }, (_, i) => (i * 7) & 0xff));
  expect(await driver.command(write10(3, 16), { dataOut: data, ...options })).toMatchObject({ status: 0, residual: 0 });
  const answer = await driver.command(read10(3, 16), { dataIn: data.length, ...options });
  expect(answer).toMatchObject({ response: 0, status: 0, residual: 0 });
  expect(answer.data.equals(data)).toBe(true);
  expect(lu.volume?.size).toBe(1024 * 1024);
});
