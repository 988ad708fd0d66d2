/** ramdisk: sizes, sparseness, nullio. The common behaviour is in volume.suite.ts. Not tested: a machine that is really out of memory. */

import { expect, test, vi } from 'vitest';
import { ramdisk } from '../../src/backstore/ramdisk.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

describeVolume('ramdisk', {}, () => ramdisk.open({ size: suiteBytes }));

const settle = (create: Record<string, unknown>) => ramdisk.settle(create, new Map());

test('a size is rounded up to whole pages, one at least', async () => {
  const sizes = await Promise.all(['0', '100', '16M', '4097'].map(async (size) => (await settle({ size })).config));
  expect(sizes.map(({ size }) => size)).toEqual([4096, 4096, 16_777_216, 8192]);
});

test('the line after a creation repeats the size as it was typed', async () => {
  const size = ramdisk.parameters[0]!.type.parse('16M');
  const { config } = await settle({ size });
  expect(ramdisk.created('r1', config, { size })).toBe('Created ramdisk r1 with size 16M.');
  expect(ramdisk.summary(config, undefined, false)).toBe('(16.0MiB)');
});

test('a size that is none is refused in targetcli’s words', async () => {
  const { type } = ramdisk.parameters[0]!;
  expect(['bogus', '1.5M', '-5M', '1E', ''].map((text) => type.parse(text))).toEqual(Array(5).fill(undefined));
  expect(type.refusal?.('bogus')).toBe('Cannot interpret size, wrong format: bogus');
  await expect(settle({ size: '1.5M' })).rejects.toThrow('Cannot interpret size, wrong format: 1.5M');
});

test('more than the machine’s memory is refused, unless nothing is kept', async () => {
  await expect(settle({ size: '4096T' })).rejects.toThrow(/^A ramdisk of 4503599627370496 bytes .* does not fit/);
  const { config } = await settle({ size: '1T', nullio: true });
  expect(config).toEqual({ size: 2 ** 40, nullio: true });
  expect(ramdisk.summary(config, undefined, false)).toBe('nullio (1.0TiB)');
});

test('nullio: writes vanish, reads give zeros, everywhere and with flushes', async () => {
  const volume = await ramdisk.open({ size: 2 ** 40, nullio: true });
  const far = 2 ** 40 - 4096;
  expect(volume.writeNow?.(new Uint8Array(4096).fill(1), far, false)).toBe(true);
  await volume.write(new Uint8Array(4096).fill(1), far, true);
  await volume.flush();
  await volume.discard?.(0, 2 ** 40);
  const into = new Uint8Array(4096).fill(9);
  await volume.read(into, far);
  expect(into.every((byte) => byte === 0)).toBe(true);
  expect(await volume.extentAt?.(0, 2 ** 40)).toEqual({ allocated: false, end: 2 ** 40 });
  expect(volume.space).toBeUndefined();
  await volume.close();
});

test('memory is committed by writes and given back by discards', async () => {
  const size = 2 ** 30;
  const volume = await ramdisk.open({ size });
  await volume.write(new Uint8Array(512).fill(1), size / 2, false);
  expect(await volume.extentAt?.(size / 2, size)).toEqual({ allocated: true, end: size / 2 + 65_536 });
  await volume.discard?.(size / 2 + 512, 512);
  expect((await volume.extentAt?.(size / 2, size))?.allocated).toBe(true);
  await volume.discard?.(0, size);
  expect(await volume.extentAt?.(0, size)).toEqual({ allocated: false, end: size });
  await volume.close();
});

test('resize: whole pages, within memory; what is cut off comes back as zeros', async () => {
  const config = { size: 131_072 };
  expect(await ramdisk.resize(config, 5000, false, false)).toEqual({ config: { size: 8192 }, size: 8192 });
  await expect(ramdisk.resize(config, 2 ** 52, false, false)).rejects.toThrow(/does not fit/);
  await expect(ramdisk.resize(config, undefined, false, false)).rejects.toThrow('Missing required parameter size');
  const volume = await ramdisk.open(config);
  await volume.write(new Uint8Array(131_072).fill(1), 0, false);
  await volume.resize?.(8192);
  volume.cut?.();
  expect((await volume.space?.())?.allocated).toBe(65_536);
  await volume.resize?.(131_072);
  const into = new Uint8Array(131_072);
  await volume.read(into, 0);
  expect([into.indexOf(0), into.lastIndexOf(1)]).toEqual([8192, 8191]);
});

test('when the machine has no memory left a write is ENOSPC, and what is there stays', async () => {
  const volume = await ramdisk.open({ size: 2 ** 30 });
  const memory = vi.spyOn(process, 'availableMemory').mockReturnValue(200 * 2 ** 20);
  try {
    // 128 MiB are the machine's.
    expect(await volume.space?.()).toEqual({ allocated: 0, available: 72 * 2 ** 20 });
    memory.mockReturnValue(0);
    expect(await volume.space?.()).toEqual({ allocated: 0, available: 0 });
    const data = new Uint8Array(512).fill(1);
    expect(volume.writeNow?.(data, 0, false)).toBe(false);
    await expect(volume.write(data, 0, false)).rejects.toMatchObject({ code: 'ENOSPC' });
  } finally {
    vi.restoreAllMocks();
  }
  await volume.write(new Uint8Array(512).fill(2), 0, false);
  await volume.close();
});
