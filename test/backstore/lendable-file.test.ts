/** How much of a file is mapped. What is lent of it, and when not, is in fileio.test.ts and in test/iscsi. */

import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { LendableFile } from '../../src/backstore/lendable-file.ts';
import { IoVector } from '../../src/system/io-vector.ts';
import { needs } from '../support/needs.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

const folder = makeFolder(memoryFolder);
afterAll(() => removeFolder(folder));

test('a file larger than the room is lent in its first part, and the rest is not', needs('koffi'), () => {
  const part = 64 * 1024;
  const path = join(folder, 'file');
  writeFileSync(path, Buffer.alloc(8 * part, 1));
  const fd = openSync(path, 'r+');
  const lends = (file: LendableFile | undefined, position: number) =>
    file?.lend(position, 4096, new IoVector()) ?? 'nothing';
  const places = [0, 3 * part - 4096, 3 * part - 2048, 3 * part, 8 * part - 4096];
  const some = LendableFile.of(fd, 8 * part, true, undefined, 3 * part + 100);
  expect(places.map((place) => lends(some, place))).toEqual([true, true, false, false, false]);
  const none = LendableFile.of(fd, 8 * part, true, undefined, part - 1);
  expect(lends(none, 0)).toBe('nothing');
  // The room of the old mapping counts for the one that takes its place.
  const same = LendableFile.of(fd, 8 * part, true, some, 5 * part);
  expect(places.map((place) => lends(same, place))).toEqual([true, true, true, true, true]);
  some?.close();
  same?.close();
  closeSync(fd);
});
