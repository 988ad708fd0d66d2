/** Reads from the page cache that never wait. Not tested: that they take no time. */

import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isInMemory, readCached } from '../../src/system/page-cache.ts';
import { needs } from '../support/needs.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

const folder = makeFolder();
const fd = openSync(join(folder, 'file'), 'w+');
const content = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
writeSync(fd, content, 0, content.length, 0);
afterAll(() => {
  closeSync(fd);
  removeFolder(folder);
});

const neverWait = needs('reads that never wait');

test('cached data is read into views of any size and alignment', neverWait, () => {
  for (const length of [1, 3, 63, 64, 65, 4096, 65_535])
    for (const offset of [0, 1, 7]) {
      const whole = new Uint8Array(length + 9).fill(0xee);
      expect(readCached(fd, whole.subarray(offset, offset + length), 1)).toBe(true);
      expect(Buffer.compare(whole.subarray(offset, offset + length), content.subarray(1, 1 + length))).toBe(0);
      expect([whole[offset - 1] ?? 0xee, whole[offset + length]]).toEqual([0xee, 0xee]);
    }
});

/** posix_fadvise(POSIX_FADV_DONTNEED), which Node does not have; the kernel may keep pages that were used just now. */
function evict(into: Uint8Array): void {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    spawnSync('dd', [`if=${join(folder, 'file')}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
    if (!readCached(fd, into, 8192)) return;
  }
  throw new Error('the page cache keeps the file');
}

test(
  'data that is not cached, or not there, is not read',
  needs('reads that never wait', 'temporary files on a disk', 'dd'),
  () => {
    const into = new Uint8Array(4096);
    expect(readCached(fd, into, 65_536)).toBe(false);
    fsyncSync(fd);
    evict(into);
    readSync(fd, into, 0, 4096, 8192);
    expect(readCached(fd, into, 8192)).toBe(true);
  },
);

test('a file in memory is known as such', needs('temporary files on a disk'), () => {
  const inMemory = makeFolder(memoryFolder);
  const other = openSync(join(inMemory, 'file'), 'w+');
  expect([isInMemory(other), isInMemory(fd)]).toEqual([true, false]);
  closeSync(other);
  removeFolder(inMemory);
});

test("a device's node lies in memory, and what is behind it does not", () => {
  const device = openSync('/dev/null', 'r');
  expect(isInMemory(device)).toBe(false);
  closeSync(device);
});
