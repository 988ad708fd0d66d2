/** fileio where koffi cannot be had: the same volumes, without what only system calls of our own can do. */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fileio } from '../../src/backstore/fileio.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

process.env['TCLI_FFI'] = 'off';
const folder = makeFolder();
const inMemory = makeFolder(memoryFolder);
afterAll(() => {
  for (const path of [folder, inMemory]) removeFolder(path);
});

const settle = (file_or_dev: string, size: number, sparse = true) =>
  fileio.settle({ file_or_dev, size, sparse }, new Map());
const openNew = async (path: string) => fileio.open((await settle(path, suiteBytes)).config);

describeVolume('fileio on the disk', {}, () => openNew(join(folder, 'suite.img')));
describeVolume('fileio in memory', {}, () => openNew(join(inMemory, 'suite.img')));

test('abilities that need foreign calls are absent', async () => {
  const volume = await openNew(join(folder, 'absent.img'));
  expect([volume.discard, volume.writeZeroes, volume.extentAt]).toEqual([undefined, undefined, undefined]);
  await volume.close();
});

test('sparse=false writes zeros', async () => {
  await settle(join(folder, 'full.img'), 3_000_000, false);
  const { size, blocks } = statSync(join(folder, 'full.img'));
  expect(size).toBe(3_000_000);
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
});
