/**
 * direct=true: files and devices past the page cache, by io_uring and by threads. What every volume does is in volume.suite.ts;
 * what is promised to be stable in test/e2e/durability.test.ts. Not tested: devices without direct I/O.
 */

import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { VolumeConfig } from '../../src/backstore/backstore.ts';
import { block } from '../../src/backstore/block.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { readCached } from '../../src/system/page-cache.ts';
import { wayOfWaiting } from '../../src/system/waiting-io.ts';
import { type Need, needs } from '../support/needs.ts';
import {
  attachLoopDevice,
  detachLoopDevice,
  makeFile,
  makeFolder,
  memoryFolder,
  removeFolder,
} from '../support/scratch.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

const folder = makeFolder();
const inMemory = makeFolder(memoryFolder);
const devices: string[] = [];
let files = 0;
afterAll(() => {
  devices.forEach(detachLoopDevice);
  for (const path of [folder, inMemory]) removeFolder(path);
});

function newPath(): string {
  files += 1;
  return join(folder, `${files}.img`);
}

function device(bytes: number, sector = 512): string {
  const image = makeFile(newPath(), bytes);
  const path = attachLoopDevice(image, '--sector-size', String(sector), '--direct-io=on');
  devices.push(path);
  return path;
}

async function settleFile(size: number, path = newPath()): Promise<VolumeConfig> {
  return (await fileio.settle({ file_or_dev: path, size, direct: true }, new Map())).config;
}

const openDevice = async (path: string) =>
  block.open((await block.settle({ dev: path, direct: true }, new Map())).config);

const ways: [string, string | undefined, Need[]][] = [
  ['io_uring', undefined, ['io_uring']],
  ['threads', 'off', []],
];

describe.each(ways)('by %s', (way, setting, needed) => {
  beforeAll(() => void vi.stubEnv('TCLI_IO_URING', setting));
  afterAll(() => void vi.unstubAllEnvs());

  describeVolume('a file', needs('temporary files on a disk', ...needed), async () =>
    fileio.open(await settleFile(suiteBytes)),
  );
  describeVolume('a device', needs('loop devices', ...needed), () => openDevice(device(suiteBytes)));

  test(
    'writers of the sectors of one block, all at once with one of the whole block, lose nothing of one another',
    needs('loop devices', ...needed),
    async () => {
      const volume = await openDevice(device(1 << 20, 4096));
      expect(volume.physicalBlockSize).toBe(4096);
      expect(wayOfWaiting()).toMatch(way);
      for (let round = 1; round <= 20; round += 1) {
        const sectors = Array.from({ length: 16 }, (_, at) => Buffer.alloc(512, round * 16 + at));
        await Promise.all([
          volume.write(Buffer.alloc(8192, round), 0, round % 2 === 0),
          ...sectors.map((bytes, at) => volume.write(bytes, at * 512, at % 3 === 0)),
        ]);
        const after = Buffer.alloc(8192);
        await volume.read(after, 0);
        expect(Buffer.compare(after, Buffer.concat(sectors))).toBe(0);
      }
      await volume.close();
    },
  );
});

test(
  'the page cache has nothing of a file in direct use',
  needs('temporary files on a disk', 'reads that never wait'),
  async () => {
    const config = await settleFile(1 << 20);
    const volume = await fileio.open(config);
    await volume.write(Buffer.alloc(1 << 20, 5), 0, false);
    await volume.read(Buffer.alloc(1 << 20), 0);
    const fd = openSync(String(config['dev']), 'r');
    const inCache = (position: number) => readCached(fd, Buffer.alloc(4096), position);
    expect([0, 512 << 10, (1 << 20) - 4096].map(inCache)).toEqual([false, false, false]);
    expect(readFileSync(String(config['dev'])).every((byte) => byte === 5)).toBe(true);
    expect(inCache(0)).toBe(true);
    closeSync(fd);
    expect(volume.readNow?.(Buffer.alloc(512), 0)).toBe(false);
    expect(volume.writeNow?.(Buffer.alloc(512), 0, false)).toBe(false);
    await volume.close();
  },
);

test('direct is a key of the saved form, there only when true, and ls says it', async () => {
  const config = await settleFile(1 << 20);
  expect(config).toMatchObject({ direct: true });
  expect(fileio.summary(config, 1 << 20, true)).toBe(`${config['dev']} (1.0MiB) write-back direct`);
  const without = await fileio.settle(
    { file_or_dev: join(folder, 'without.img'), size: 1 << 20, direct: false },
    new Map(),
  );
  expect(without.config).not.toHaveProperty('direct');
});

test('direct is refused on a file system in memory, and a file that was made for it is removed', async () => {
  const path = join(inMemory, 'disk.img');
  await expect(settleFile(1 << 20, path)).rejects.toMatchObject({
    name: 'OperatorError',
    message: `${path} lies in memory`,
  });
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test('a size whose last bytes are no block is refused, also later', needs('temporary files on a disk'), async () => {
  const path = join(folder, 'odd.img');
  await expect(settleFile((1 << 20) + 100, path)).rejects.toMatchObject({
    message: `${path} has 1048676 bytes, which cannot all be written directly`,
    hint: expect.stringMatching(/multiple of (512|4096)/),
  });
  const config = await settleFile(1 << 20);
  const volume = await fileio.open(config);
  await expect(volume.resize?.((1 << 20) - 100)).rejects.toMatchObject({ name: 'OperatorError' });
  expect(volume.size).toBe(1 << 20);
  await volume.close();
});
