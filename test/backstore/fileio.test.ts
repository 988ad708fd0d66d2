/**
 * fileio: new and existing files, refusals, and files that others shrink, fill up or lock. The common behaviour is in
 * volume.suite.ts. Not tested: that durable writes survive a power failure.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { VolumeConfig } from '../../src/backstore/backstore.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { IoVector } from '../../src/system/io-vector.ts';
import { needs } from '../support/needs.ts';
import { makeFile, makeFolder, memoryFolder, mountTinyFolder, removeFolder } from '../support/scratch.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

const folder = makeFolder();
const inMemory = makeFolder(memoryFolder);
afterAll(() => {
  for (const path of [folder, inMemory]) removeFolder(path);
});

const mebibyte = 1024 * 1024;
const at = (name: string) => join(folder, name);
const settle = (create: Record<string, unknown>, others: Record<string, VolumeConfig> = {}) =>
  fileio.settle(create, new Map(Object.entries(others)));
const openNew = async (file_or_dev: string, size: number) => fileio.open((await settle({ file_or_dev, size })).config);

describeVolume('fileio on the disk', {}, () => openNew(at('suite.img'), suiteBytes));
describeVolume('fileio in memory', {}, () => openNew(join(inMemory, 'suite.img'), suiteBytes));

test('a new file is sparse, private and as large as asked; abandoning the creation removes it', async () => {
  const { config, notes, made } = await settle({ file_or_dev: at('new.img'), size: 100 * mebibyte });
  expect(config).toEqual({ dev: at('new.img'), size: 100 * mebibyte, write_back: true, aio: false });
  expect([notes, made]).toEqual([[], true]);
  const stat = statSync(at('new.img'));
  expect([stat.size, stat.blocks, stat.mode & 0o777]).toEqual([100 * mebibyte, 0, 0o600]);
  expect(fileio.created('f1', config, {})).toBe('Created fileio f1 with size 104857600');
  expect(fileio.summary(config, undefined, true)).toBe(`${at('new.img')} (100.0MiB) write-back`);
  await fileio.abandon?.(config);
  expect(existsSync(at('new.img'))).toBe(false);
});

test('sparse=false takes the space at once and says so', async () => {
  const { notes } = await settle({ file_or_dev: at('full.img'), size: 3 * mebibyte, sparse: false });
  expect(notes).toEqual(['Writing 3145728 bytes']);
  expect(statSync(at('full.img')).blocks * 512).toBeGreaterThanOrEqual(3 * mebibyte);
});

test('an existing file keeps its size, whatever was asked', async () => {
  makeFile(at('exist.img'), 30 * mebibyte);
  const { config, notes, made } = await settle({ file_or_dev: at('exist.img'), size: 10, write_back: false });
  expect(config).toMatchObject({ size: 31_457_280, write_back: false });
  expect(notes).toEqual([`${at('exist.img')} exists, using its size (31457280 bytes) instead`]);
  expect(made).toBe(false);
  expect((await settle({ file_or_dev: at('exist.img') })).notes).toEqual([]);
  expect(fileio.attributeDefaults(config, undefined)).toMatchObject({ emulate_write_cache: 0 });
});

test('a relative path is made absolute', async () => {
  const { config } = await settle({ file_or_dev: relative(process.cwd(), at('relative.img')), size: 512 });
  expect(config['dev']).toBe(at('relative.img'));
});

test.each([
  ['no size', { file_or_dev: at('a') }, 'Attempting to create file for new fileio backstore, need a size'],
  ['no bytes', { file_or_dev: at('a'), size: 0 }, 'Could not expand file to 0 bytes'],
  ['no folder', { file_or_dev: at('none/a'), size: 512 }, `Could not open ${at('none/a')}`],
  ['a folder', { file_or_dev: folder, size: 512 }, `Path ${folder} exists but is not a file`],
  ['a device', { file_or_dev: '/dev/null', size: 512 }, 'Path /dev/null exists but is not a file'],
  ['an empty file', { file_or_dev: makeFile(at('empty.img'), 0) }, `File ${at('empty.img')} exists but is empty`],
])('create is refused, and leaves no file behind: %s', async (_, create, line) => {
  const before = readdirSync(folder);
  await expect(settle(create)).rejects.toMatchObject({ name: 'OperatorError', message: line });
  expect(readdirSync(folder)).toEqual(before);
});

test('one file is never two storage objects, under whatever name', async () => {
  const { config } = await settle({ file_or_dev: at('one.img'), size: 4096 });
  symlinkSync(at('one.img'), at('one-by-symlink.img'));
  linkSync(at('one.img'), at('one-by-link.img'));
  for (const path of [at('one.img'), at('one-by-symlink.img'), at('one-by-link.img')])
    await expect(settle({ file_or_dev: path }, { f1: config })).rejects.toThrow(
      `storage object for ${path} already exists: f1`,
    );
});

test('a file that is gone is not made again, empty, behind the operator’s back', async () => {
  const config = { dev: at('gone.img'), size: 4096, write_back: true, aio: false };
  await expect(fileio.open(config)).rejects.toMatchObject({
    message: `Could not open ${at('gone.img')}`,
    hint: 'The file is gone; it had 4096 bytes. Put it back, or delete the storage object.',
  });
  expect(existsSync(at('gone.img'))).toBe(false);
});

test('a file that became shorter while it was not served is refused', async () => {
  const { config } = await settle({ file_or_dev: at('short.img'), size: 8192 });
  truncateSync(at('short.img'), 4096);
  await expect(fileio.open(config)).rejects.toThrow('it has 4096 bytes, but 8192 are expected');
  mkdirSync(at('folder'));
  await expect(fileio.open({ ...config, dev: at('folder') })).rejects.toThrow(`Could not open ${at('folder')}`);
});

test.each(['the disk', 'memory'])(
  'a file on %s that shrinks under us: EIO beyond its end, never zeros',
  async (where) => {
    if (where === 'memory' && !inMemory) return;
    const path = join(where === 'memory' ? inMemory : folder, 'shrunk.img');
    const volume = await openNew(path, 65_536);
    await volume.write(new Uint8Array(65_536).fill(5), 0, false);
    truncateSync(path, 6000);
    for (const position of [4096, 8192, 61_440]) {
      expect(volume.readNow?.(new Uint8Array(4096), position)).toBe(false);
      await expect(volume.read(new Uint8Array(4096), position)).rejects.toMatchObject({
        code: 'EIO',
        position: Math.max(position, 6000),
      });
    }
    const into = new Uint8Array(4096);
    await volume.read(into, 0);
    expect(into.every((byte) => byte === 5)).toBe(true);
    await volume.close();
  },
);

const kindsOfFile = { 'on the disk': () => folder, 'in memory': () => inMemory };

describe.each(Object.entries(kindsOfFile))('a file %s that was cut short', (_where, place) => {
  const fives = (bytes: number) => new Uint8Array(bytes).fill(5);
  let files = 0;
  async function cut(to: number) {
    files += 1;
    const path = join(place(), `cut-${files}.img`);
    const volume = await openNew(path, 65_536);
    await volume.write(fives(65_536), 0, false);
    truncateSync(path, to);
    return { path, volume };
  }

  test('is not made longer again by a write, a discard or zeros behind the cut', async () => {
    const { path, volume } = await cut(6000);
    expect(volume.writeNow?.(fives(4096), 61_440, false)).not.toBe(true);
    const calls = [
      volume.write(fives(4096), 61_440, false),
      volume.write(fives(4096), 4096, true),
      volume.writeZeroes?.(8192, 4096, false),
      volume.discard?.(8192, 4096),
    ];
    for (const call of calls)
      await expect(call ?? Promise.reject({ code: 'EIO' })).rejects.toMatchObject({ code: 'EIO' });
    expect(statSync(path).size).toBe(6000);
    await volume.close();
  });

  test('stays so when others make it longer again: zeros are not what was acknowledged, and no flush is good', async () => {
    const { path, volume } = await cut(6000);
    await expect(volume.read(new Uint8Array(4096), 8192)).rejects.toMatchObject({ code: 'EIO' });
    truncateSync(path, 65_536);
    expect(volume.readNow?.(new Uint8Array(4096), 8192)).toBe(false);
    expect(volume.lend?.(8192, 4096, new IoVector()) ?? false).toBe(false);
    expect(volume.straight?.(8192, 32_768)).toBeUndefined();
    await expect(volume.read(new Uint8Array(4096), 8192)).rejects.toMatchObject({ code: 'EIO', position: 8192 });
    await expect(volume.flush()).rejects.toMatchObject({ code: 'EIO' });
    const before = new Uint8Array(4096);
    await volume.read(before, 0);
    expect(before).toEqual(fives(4096));
    // The operator has looked after it.
    await volume.resize?.(65_536);
    await volume.read(before, 8192);
    expect(before).toEqual(new Uint8Array(4096));
    await volume.flush();
    await volume.close();
  });

  test('while it was being written to: nobody knows where the cut was, and nothing of it is served', async () => {
    const { path, volume } = await cut(65_536);
    // The cut comes between the look at the file and the write, which makes it longer again.
    const written = volume.write(fives(4096), 16_384, false);
    truncateSync(path, 100);
    await expect(written).rejects.toMatchObject({ code: 'EIO' });
    for (const position of [0, 8192, 16_384])
      await expect(volume.read(new Uint8Array(100), position)).rejects.toMatchObject({ code: 'EIO' });
    await volume.close();
  });
});

test('a discard gives the space back, and zeros that may not discard keep it', needs('koffi'), async () => {
  const volume = await openNew(at('space.img'), mebibyte);
  if (!volume.discard || !volume.writeZeroes) throw new Error('no holes');
  const spaceAfter = async (call: Promise<void>) => {
    await call;
    await volume.flush();
    return statSync(at('space.img')).blocks * 512;
  };
  expect(await spaceAfter(volume.write(new Uint8Array(mebibyte).fill(1), 0, false))).toBe(mebibyte);
  expect(await spaceAfter(volume.writeZeroes(0, mebibyte, false))).toBe(mebibyte);
  expect(await spaceAfter(volume.discard(1, mebibyte / 2))).toBe(mebibyte / 2 + 4096);
  expect(await spaceAfter(volume.writeZeroes(0, mebibyte, true))).toBe(0);
  await volume.close();
});

test('hundreds of discards at once wait for one another', needs('koffi'), async () => {
  const volume = await openNew(at('many.img'), 500 * 4096);
  await volume.write(new Uint8Array(500 * 4096).fill(1), 0, false);
  await Promise.all(Array.from({ length: 500 }, (_, i) => volume.discard?.(i * 4096, 4096)));
  expect(await volume.extentAt?.(0, volume.size)).toEqual({ allocated: false, end: volume.size });
  await volume.close();
});

const holding = (name: string, ...parts: [bytes: number, fill: number][]) => {
  writeFileSync(at(name), Buffer.concat(parts.map(([bytes, fill]) => Buffer.alloc(bytes, fill))));
  return at(name);
};
const space = (name: string) => {
  const { size, blocks } = statSync(at(name));
  return { size, taken: blocks * 512 };
};

test('resize: a sparse file stays sparse, one that takes all of its space takes more; until it is kept, it can be taken back', async () => {
  for (const sparse of [true, false]) {
    const name = `grows-${sparse}.img`;
    const { config } = await settle({ file_or_dev: at(name), size: mebibyte, sparse });
    const resized = await fileio.resize(config, 3 * mebibyte, false, false);
    expect(resized).toMatchObject({ config: { ...config, size: 3 * mebibyte }, size: 3 * mebibyte });
    expect(space(name)).toEqual({ size: 3 * mebibyte, taken: sparse ? 0 : 3 * mebibyte });
    await resized.undo?.();
    expect(space(name)).toEqual({ size: mebibyte, taken: sparse ? 0 : mebibyte });
  }
});

test('resize: smaller takes nothing away before it is kept, and is the same when it is done again', async () => {
  const dev = holding('shrinks.img', [8192, 1]);
  const { finish } = await fileio.resize({ dev, size: 8192 }, 4096, true, false);
  expect(space('shrinks.img').size).toBe(8192);
  await finish?.();
  await finish?.();
  expect(space('shrinks.img').size).toBe(4096);
});

test('resize: what a longer file holds is not overwritten without force; a hole needs none', async () => {
  const dev = holding('longer.img', [4096, 1], [8192, 2]);
  const config = { dev, size: 4096 };
  await expect(fileio.resize(config, 8192, false, false)).rejects.toMatchObject({
    message: `${dev} has 12288 bytes, and data in those beyond the 4096 of the storage object`,
    hint: 'What is added reads as zeros; to overwrite what is there: resize 8192 force=true',
  });
  await fileio.resize(config, 8192, true, false);
  expect(Buffer.compare(readFileSync(dev), Buffer.concat([1, 0, 2].map((fill) => Buffer.alloc(4096, fill))))).toBe(0);
  truncateSync(dev, 4096);
  truncateSync(dev, mebibyte);
  expect(await fileio.resize(config, mebibyte, false, false)).toEqual({
    config: { dev, size: mebibyte },
    size: mebibyte,
  });
});

test('resize is refused, and the file as it was: gone, shortened, no folder’s room, no size', async () => {
  const config = { dev: holding('refuses.img', [4096, 1]), size: 8192 };
  await expect(fileio.resize(config, 16_384, false, false)).rejects.toThrow('it has 4096 bytes, but 8192 are expected');
  await expect(fileio.resize({ ...config, size: 4096 }, undefined, false, false)).rejects.toThrow(
    'Missing required parameter size',
  );
  await expect(fileio.resize({ ...config, size: 4096 }, 2 ** 60, false, false)).rejects.toMatchObject({
    message: `Could not expand file to ${2 ** 60} bytes`,
    hint: expect.stringContaining(config.dev),
  });
  expect(space('refuses.img').size).toBe(4096);
  await expect(fileio.resize({ ...config, dev: at('none.img') }, 16_384, false, false)).rejects.toThrow(
    `Could not open ${at('none.img')}`,
  );
});

test('resize: a volume takes no size that its file does not have', async () => {
  const volume = await openNew(at('holds-fewer.img'), 8192);
  await expect(volume.resize?.(16_384)).rejects.toThrow('The file that is served has 8192 bytes, and not 16384');
  expect(volume.size).toBe(8192);
  await volume.close();
});

test(
  'a full file system is ENOSPC, and says so before; writing goes on once there is space',
  needs('mounts'),
  async () => {
    const small = at('small');
    mkdirSync(small);
    mountTinyFolder(small, mebibyte);
    const file_or_dev = join(small, 'disk.img');
    await expect(settle({ file_or_dev, size: 8 * mebibyte, sparse: false })).rejects.toMatchObject({
      message: 'Could not expand file to 8388608 bytes',
      hint: `${file_or_dev}: no space left on device.`,
    });
    expect(existsSync(file_or_dev)).toBe(false);
    const volume = await openNew(file_or_dev, 8 * mebibyte);
    const data = new Uint8Array(2 * mebibyte).fill(1);
    expect(volume.writeNow?.(data, 0, false)).toBe(false);
    await expect(volume.write(data, 0, false)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await volume.space?.()).toEqual({ allocated: mebibyte, available: 0 });
    await volume.discard?.(0, 8 * mebibyte);
    await volume.write(data.subarray(0, 65_536), mebibyte, true);
    expect(await volume.space?.()).toEqual({ allocated: 65_536, available: mebibyte - 65_536 });
    await volume.close();
  },
);

test('close gives back every descriptor', async () => {
  const ours = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === at('descriptors.img');
      } catch {
        return false;
      }
    });
  const volume = await openNew(at('descriptors.img'), 4096);
  expect(ours()).toHaveLength(2);
  await volume.close();
  expect(ours()).toHaveLength(0);
  truncateSync(at('descriptors.img'), 512);
  await fileio.open({ dev: at('descriptors.img'), size: 4096 }).catch(() => undefined);
  expect(ours()).toHaveLength(0);
});

test('two processes never serve one file', needs('flock'), async () => {
  writeFileSync(at('shared.img'), new Uint8Array(4096));
  const config = { dev: at('shared.img'), size: 4096 };
  const takenByOther = () => spawnSync('flock', ['-n', at('shared.img'), 'true']).status === 0;

  const volume = await fileio.open(config);
  expect(takenByOther()).toBe(false);
  await expect(fileio.open(config)).rejects.toMatchObject({
    hint: 'Another storage object of this process has it open.',
  });
  await volume.close();
  expect(takenByOther()).toBe(true);

  const other = spawn('flock', ['-n', at('shared.img'), 'sh', '-c', 'echo locked; cat'], { stdio: 'pipe' });
  try {
    await once(other.stdout, 'data');
    await expect(fileio.open(config)).rejects.toMatchObject({
      message: `Could not open ${at('shared.img')}: it is already in use`,
      hint: expect.stringMatching(new RegExp(`^pid ${other.pid} \\(flock\\)`)),
    });
  } finally {
    other.stdin.end();
    await once(other, 'exit');
  }
});

test('in memory: what is data is lent, and a hole stays one', needs('koffi'), async () => {
  const path = join(inMemory, 'lent.img');
  const volume = await openNew(path, mebibyte);
  const lends = (position: number) => volume.lend?.(position, 4096, new IoVector());
  expect(lends(0)).toBe(false);
  await volume.write(new Uint8Array(131_072).fill(1), 0, false);
  expect([0, 61_440, 65_536, 126_976, 131_072].map(lends)).toEqual([true, true, true, true, false]);
  const discarding = volume.discard?.(65_536, 4096);
  expect(lends(65_536)).toBe(false);
  await discarding;
  expect([0, 65_536, 69_632].map(lends)).toEqual([true, false, false]);
  expect(volume.writeNow?.(new Uint8Array(4096).fill(1), 65_536, false)).toBe(true);
  expect([0, 65_536, 69_632].map(lends)).toEqual([true, true, true]);
  expect(statSync(path).blocks * 512).toBe(131_072);
  truncateSync(path, 2 * mebibyte);
  await volume.resize?.(2 * mebibyte);
  await volume.write(new Uint8Array(65_536).fill(1), 2 * mebibyte - 65_536, false);
  expect([0, mebibyte, 2 * mebibyte - 4096, 2 * mebibyte].map(lends)).toEqual([true, false, true, false]);
  await volume.close();
});
