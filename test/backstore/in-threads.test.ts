/** Files and devices where io_uring is not wanted: threads wait, and the volumes do the same. */

import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { block } from '../../src/backstore/block.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { wayOfWaiting } from '../../src/system/waiting-io.ts';
import { needs } from '../support/needs.ts';
import { attachLoopDevice, detachLoopDevice, makeFile, makeFolder, removeFolder } from '../support/scratch.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

process.env['TCLI_IO_URING'] = 'off';
const folder = makeFolder();
const devices: string[] = [];
afterAll(() => {
  for (const device of devices) detachLoopDevice(device);
  removeFolder(folder);
});

const openNew = async (name: string) =>
  fileio.open((await fileio.settle({ file_or_dev: join(folder, name), size: suiteBytes }, new Map())).config);

describeVolume('fileio', {}, () => openNew('suite.img'));
describeVolume(
  'block',
  needs('loop devices'),
  async () => {
    const device = attachLoopDevice(makeFile(join(folder, 'device.img'), suiteBytes));
    devices.push(device);
    return block.open((await block.settle({ dev: device }, new Map())).config);
  },
  512,
);

test('status says that I/O goes through threads while a volume is open', async () => {
  expect(wayOfWaiting()).toBeUndefined();
  const volume = await openNew('one.img');
  expect(wayOfWaiting()).toBe('threads, as TCLI_IO_URING=off says');
  await volume.close();
  expect(wayOfWaiting()).toBeUndefined();
});
