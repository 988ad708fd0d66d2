// Copies from mapped files to other memory: what happens when a page is gone. Reads of a guest that use them: test/vhost/device.test.ts.

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { foreignMemory } from '../../src/system/foreign-memory.ts';
import { mapFile } from '../../src/system/memory-map.ts';
import { PipeCopy } from '../../src/system/pipe-copy.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

const bytes = 1 << 20;

it('copies pieces into others, and is refused pages that somebody has cut off, without a rest for the next copy', () => {
  const folder = makeFolder(memoryFolder);
  const fd = openSync(join(folder, 'pages'), 'w+');
  writeSync(fd, Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 12)) & 0xff)));
  const map = mapFile(fd, bytes, true)!;
  const memory = foreignMemory(bytes);
  const copy = new PipeCopy();
  onTestFinished(() => {
    copy.close();
    map.unmap();
    memory.release();
    closeSync(fd);
    removeFolder(folder);
  });
  const at = (position: number, length: number) =>
    Buffer.from(Array.from({ length }, (_, i) => ((position + i) * 7 + ((position + i) >> 12)) & 0xff));
  const take = (position: number, length: number, into: readonly [number, number][]) => {
    expect(copy.mayTake(position, length, into.length) && copy.takes(position, length, into.length)).toBe(true);
    copy.from.add(map.address + position, length);
    for (const [place, part] of into) copy.into.add(memory.address + place, part);
    copy.added(position, length);
  };
  const has = (place: number, length: number) => Buffer.from(memory.bytes, place, length);

  take(4096 - 512, 1024, [
    [0, 700],
    [2000, 324],
  ]);
  take(131_072, 65_536, [[8192, 65_536]]);
  expect(copy.copy()).toBe(true);
  expect(Buffer.concat([has(0, 700), has(2000, 324)])).toEqual(at(4096 - 512, 1024));
  expect(has(8192, 65_536)).toEqual(at(131_072, 65_536));

  ftruncateSync(fd, 65_536);
  take(0, 4096, [[0, 4096]]);
  take(131_072, 4096, [[4096, 4096]]);
  expect(copy.copy()).toBe(false);
  take(8192, 512, [[0, 512]]);
  expect(copy.copy()).toBe(true);
  expect(has(0, 512)).toEqual(at(8192, 512));
  // A pipe of 1 MiB does not take what fills it, and more.
  expect(copy.mayTake(0, 2 * bytes, 1)).toBe(false);
});
