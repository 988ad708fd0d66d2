/** Reading ahead: of whom, how far, and that the page cache has it. Not tested: what that is worth (docs/performance.md). */

import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { block } from '../../src/backstore/block.ts';
import { ReadAhead } from '../../src/backstore/read-ahead.ts';
import { isCached } from '../../src/system/page-cache.ts';
import { needs } from '../support/needs.ts';
import { attachLoopDevice, detachLoopDevice, makeFile, makeFolder, removeFolder } from '../support/scratch.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const piece = 128 * KiB;
const size = 64 * MiB;

/** The ranges that a volume fetches for these reads, as positions and ends. */
function fetched(reads: readonly number[], bytes = size): [number, number][] {
  const all: [number, number][] = [];
  const ahead = new ReadAhead((position, length) => void all.push([position, position + length]));
  for (const position of reads) ahead.saw(position, piece, bytes);
  return all;
}
const run = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at * piece);

test('a run of reads is fetched ahead of, each byte once and in order, and at most 4 MiB ahead', () => {
  const all = fetched(run(0, 128));
  expect(all.length).toBeGreaterThan(20);
  for (const [at, [from]] of all.entries()) if (at > 0) expect(from).toBe(all[at - 1]![1]);
  expect(all.at(-1)![1]).toBeLessThanOrEqual(128 * piece + 4 * MiB);
  expect(all.at(-1)![1]).toBeGreaterThan(128 * piece + 3 * MiB);
});

test('nothing is fetched for reads here and there, nor for two in a row', () => {
  const random = Array.from({ length: 500 }, (_, at) => ((at * 7919) % 509) * piece);
  expect(fetched([...random, ...run(0, 2)])).toEqual([]);
});

test('a run is seen among reads elsewhere, and beside a second run', () => {
  const elsewhere = (at: number) => 32 * MiB + ((at * 7919) % 251) * piece;
  const mixed = run(0, 64).flatMap((position, at) => [
    position,
    elsewhere(at),
    elsewhere(at + 100),
    position + 16 * MiB,
  ]);
  const ends = fetched(mixed).map(([, end]) => end);
  expect(Math.max(...ends.filter((end) => end < 16 * MiB))).toBeGreaterThan(8 * MiB + 3 * MiB);
  expect(Math.max(...ends)).toBeGreaterThan(24 * MiB + 3 * MiB);
});

test('nothing is fetched behind the end of the volume, and its last bytes are', () => {
  const bytes = 4 * MiB + 7 * 512;
  expect(fetched(run(0, 32), bytes).at(-1)![1]).toBe(bytes);
});

describe.each(['io_uring', 'threads'])('%s', (way) => {
  const folder = makeFolder();
  const devices: string[] = [];
  afterAll(() => {
    vi.unstubAllEnvs();
    for (const device of devices) detachLoopDevice(device);
    removeFolder(folder);
  });

  test(
    'the page cache of a device that the kernel does not read ahead of is filled',
    needs('loop devices'),
    async () => {
      vi.stubEnv('TCLI_IO_URING', way === 'threads' ? 'off' : undefined);
      const device = attachLoopDevice(makeFile(join(folder, 'device.img'), 16 * MiB));
      devices.push(device);
      execFileSync('blockdev', ['--setra', '0', device]);
      execFileSync('blockdev', ['--flushbufs', device]);
      const volume = await block.open((await block.settle({ dev: device }, new Map())).config);
      const fd = openSync(device, 'r');
      try {
        expect(isCached(fd, 8 * piece, MiB)).toBe(false);
        for (const position of run(0, 8)) await volume.read(new Uint8Array(piece), position);
        await expect.poll(() => isCached(fd, 8 * piece, MiB)).toBe(true);
      } finally {
        closeSync(fd);
        await volume.close();
      }
    },
  );
});
