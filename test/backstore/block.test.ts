/**
 * block: real devices, so most of it needs root and loop devices. The common behaviour is in volume.suite.ts. Not
 * tested: swap space, arrays, and devices without a command for zeros.
 */

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { block } from '../../src/backstore/block.ts';
import { spaceOfDevice } from '../../src/backstore/device-space.ts';
import { fileio } from '../../src/backstore/fileio.ts';
import { discardBlocks, zeroBlocks } from '../../src/system/block-ioctl.ts';
import { needs } from '../support/needs.ts';
import { attachLoopDevice, detachLoopDevice, makeFile, makeFolder, removeFolder } from '../support/scratch.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

const folder = makeFolder();
const devices: string[] = [];
afterAll(() => {
  devices.forEach(detachLoopDevice);
  removeFolder(folder);
});

/** A new loop device over a new file. */
function device(bytes: number, ...options: string[]): string {
  const path = attachLoopDevice(makeFile(join(folder, `${devices.length}.img`), bytes), ...options);
  devices.push(path);
  return path;
}

const settle = (create: Record<string, unknown>) => block.settle(create, new Map());

describeVolume(
  'block',
  needs('loop devices'),
  async () => block.open((await settle({ dev: device(suiteBytes) })).config),
  512,
);

test.each([
  ['/dev/nosuch', 'Could not open /dev/nosuch'],
  ['/dev/null', 'Device /dev/null is not a TYPE_DISK block device'],
  [makeFile(join(folder, 'file'), 512), `Device ${join(folder, 'file')} is not a TYPE_DISK block device`],
])('create is refused: %s', async (dev, line) => {
  await expect(settle({ dev })).rejects.toMatchObject({ name: 'OperatorError', message: line });
});

const mebibyte = 2 ** 20;

/** A device as sysfs would show it. */
function shown(name: string, facts: Readonly<Record<string, string>>): string {
  for (const [path, value] of Object.entries(facts)) {
    mkdirSync(join(folder, name, dirname(path)), { recursive: true });
    writeFileSync(join(folder, name, path), `${value}\n`);
  }
  return join(folder, name);
}

test('a disk has all of its bytes from the start, unless it calls itself thin; an NVMe namespace says what is in use of it, and a partition takes no more than its size', async () => {
  expect(spaceOfDevice(shown('sda', { size: '2048', 'device/model': 'a disk' }))).toBe('whole');
  const thin = { 'device/scsi_disk/2:0:0:1/thin_provisioning': '1' };
  expect(spaceOfDevice(shown('sdb', { size: '2048', ...thin }))).toBe('unknown');
  expect(spaceOfDevice(shown('zd0', { size: '2048' }))).toBe('unknown');
  const namespace = { size: '4096', nuse: '256', 'queue/logical_block_size': '4096', 'device/model': 'a controller' };
  const said = async (path: string) => {
    const space = spaceOfDevice(path);
    return typeof space === 'function' && (await space());
  };
  expect(await said(shown('nvme0n1', namespace))).toEqual({ allocated: mebibyte });
  expect(await said(shown('nvme0n1/nvme0n1p1', { partition: '1', size: '1024' }))).toEqual({ allocated: mebibyte / 2 });
});

describe('on loop devices', needs('loop devices'), () => {
  const busy = (dev: string) => `Cannot configure StorageObject because device ${dev} is already in use`;

  test('a device says its own size, block size and limits', async () => {
    const dev = device(8 * 1024 * 1024, '--sector-size', '4096');
    const { config, notes } = await settle({ dev });
    expect([config, notes]).toEqual([{ dev, readonly: false, write_back: false }, []]);
    const volume = await block.open(config);
    expect([volume.size, volume.logicalBlockSize]).toEqual([8 * 1024 * 1024, 4096]);
    expect(block.summary(config, volume.size, false)).toBe(`${dev} (8.0MiB) write-thru`);
    expect(block.created('b1', config, {})).toBe(`Created block storage object b1 using ${dev}.`);
    expect(block.attributeDefaults(config, volume)).toMatchObject({
      block_size: 4096,
      hw_block_size: 4096,
      max_unmap_block_desc_count: 1,
      unmap_granularity: 1,
      unmap_granularity_alignment: 0,
    });
    await volume.close();
  });

  test('a device of 0 bytes is not there yet: it is not held, so that it can be set up, and then it is served', async () => {
    const dev = device(65_536);
    const backing = join(folder, `${devices.length - 1}.img`);
    const { config } = await settle({ dev });
    const becomes = (bytes: number) => {
      truncateSync(backing, bytes);
      execFileSync('losetup', ['--set-capacity', dev]);
    };
    becomes(0);
    await expect(block.open(config)).rejects.toThrow(`Could not open ${dev}: it has 0 bytes`);
    await expect(block.resize(config, undefined, false, false)).rejects.toThrow('it has 0 bytes');
    await expect(settle({ dev })).rejects.toMatchObject({
      message: `Could not open ${dev}: it has 0 bytes`,
      hint: 'Nothing is set up behind the device yet (losetup, mdadm, nbd-client …).',
    });
    closeSync(openSync(dev, constants.O_RDWR | constants.O_EXCL));
    becomes(65_536);
    const volume = await block.open(config);
    expect(volume.size).toBe(65_536);
    await volume.close();
  });

  test('a discard reaches the device and gives its space back', async () => {
    const dev = device(1024 * 1024);
    const backing = join(folder, `${devices.length - 1}.img`);
    const volume = await block.open((await settle({ dev })).config);
    await volume.write(new Uint8Array(1024 * 1024).fill(1), 0, true);
    expect(statSync(backing).blocks * 512).toBe(1024 * 1024);
    await volume.discard?.(512, 1024 * 1024 - 512);
    expect(statSync(backing).blocks * 512).toBe(4096);
    const into = new Uint8Array(1024);
    await volume.read(into, 0);
    expect([into[511], into[512], into[1023]]).toEqual([1, 0, 0]);
    await volume.close();
  });

  test('BLKDISCARD and BLKZEROOUT reach a device that has no better way', async () => {
    const dev = device(65_536);
    const fd = openSync(dev, 'r+');
    writeSync(fd, new Uint8Array(65_536).fill(1), 0, 65_536, 0);
    fsyncSync(fd);
    await discardBlocks(fd, 4096, 8192);
    await zeroBlocks(fd, 32_768, 512);
    await expect(zeroBlocks(fd, 1, 512)).rejects.toMatchObject({ code: 'EINVAL' });
    const into = new Uint8Array(65_536);
    readSync(fd, into, 0, into.length, 0);
    closeSync(fd);
    expect([4095, 4096, 12_287, 12_288, 32_767, 32_768, 33_280].map((at) => into[at])).toEqual([1, 0, 0, 1, 1, 0, 1]);
  });

  test('a durable write waits for the device', async () => {
    const volume = await block.open((await settle({ dev: device(65_536) })).config);
    expect(volume.writeNow?.(new Uint8Array(4096), 0, true)).toBe(false);
    await volume.close();
  });

  test('a read-only device is served read-only', async () => {
    const dev = device(65_536, '--read-only');
    const { config } = await settle({ dev });
    expect(config['readonly']).toBe(true);
    const volume = await block.open(config);
    expect(volume.readOnly).toBe(true);
    expect(volume.discard).toBeUndefined();
    expect(volume.writeNow?.(new Uint8Array(512), 0, false)).toBe(false);
    await expect(volume.write(new Uint8Array(512), 0, false)).rejects.toMatchObject({ code: 'EBADF' });
    expect(block.summary(config, volume.size, false)).toBe(`${dev} (64.0KiB) ro write-thru`);
    await volume.close();
  });

  test('resize: the device says its size; open volumes follow', async () => {
    const file = makeFile(join(folder, 'grows.img'), 65_536);
    const dev = attachLoopDevice(file);
    try {
      const { config } = await settle({ dev });
      const volume = await block.open(config);
      truncateSync(file, 131_072);
      execFileSync('losetup', ['--set-capacity', dev]);
      await expect(block.resize(config, 65_536, true, false)).rejects.toMatchObject({
        message: `${dev} has 131072 bytes, not 65536`,
        hint: 'The size of a device is its own: change it there (lvextend, parted …), and then: resize',
      });
      const resized = await block.resize(config, undefined, false, false);
      expect(resized).toEqual({ config, size: 131_072 });
      expect(await fileio.resize({ dev, size: 65_536 }, undefined, false, false)).toEqual({
        config: { dev, size: 131_072 },
        size: 131_072,
      });
      await volume.resize?.(resized.size);
      await volume.write(new Uint8Array(4096).fill(1), 126_976, true);
      await volume.close();
    } finally {
      detachLoopDevice(dev);
    }
  });

  test('a loop device takes what its file takes, as long as the file is found', async () => {
    const file = makeFile(join(folder, 'space.img'), 8 * mebibyte);
    const dev = attachLoopDevice(file);
    try {
      const volume = await block.open((await settle({ dev })).config);
      const taken = async () => (await volume.space?.())?.allocated;
      expect(await taken()).toBe(0);
      await volume.write(new Uint8Array(2 * mebibyte).fill(1), 4 * mebibyte, true);
      expect(await taken()).toBe(statSync(file).blocks * 512);
      expect((await volume.space?.())?.available).toBeGreaterThan(0);
      renameSync(file, `${file}.moved`);
      expect(await taken()).toBe(2 * mebibyte);
      rmSync(`${file}.moved`);
      makeFile(`${file}.moved (deleted)`, mebibyte);
      await expect(taken()).rejects.toThrow('means something else');
      await volume.close();
    } finally {
      detachLoopDevice(dev);
    }
  });

  test('a device that is served already is refused, as block and as fileio', async () => {
    const dev = device(65_536);
    const { config } = await settle({ dev });
    await expect(block.settle({ dev }, new Map([['b1', config]]))).rejects.toMatchObject({
      message: busy(dev),
      hint: 'It is storage object b1.',
    });
    const volume = await block.open(config);
    await expect(settle({ dev })).rejects.toThrow(busy(dev));
    const { config: other, notes } = await fileio.settle({ file_or_dev: dev, size: 512 }, new Map());
    expect(notes).toEqual(['Block device, size parameter ignored', 'Note: block backstore preferred for best results']);
    await expect(fileio.open(other)).rejects.toThrow(busy(dev));
    await volume.close();
    await (await fileio.open(other)).close();
  });

  test('a mounted device is refused, with the command that frees it', needs('mounts', 'mkfs.ext4'), async () => {
    const dev = device(4 * 1024 * 1024);
    const where = join(folder, 'mounted here');
    mkdirSync(where);
    execFileSync('mkfs.ext4', ['-q', dev], { stdio: 'pipe' });
    execFileSync('mount', [dev, where], { stdio: 'pipe' });
    try {
      await expect(settle({ dev })).rejects.toMatchObject({
        message: busy(dev),
        hint: expect.stringContaining(`It is mounted on ${where}: umount ${where}`),
      });
    } finally {
      execFileSync('umount', [where]);
    }
    await settle({ dev });
  });

  test('a device that is gone is refused', async () => {
    await expect(block.open({ dev: '/dev/nosuch', readonly: false })).rejects.toThrow('Could not open /dev/nosuch');
  });
});
