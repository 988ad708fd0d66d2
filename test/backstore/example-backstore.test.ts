/** The backstore that docs/backstore.md shows: the page has the file as it is, and it does what every volume does. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buffer } from './example-backstore.ts';
import { describeVolume, suiteBytes } from './volume.suite.ts';

describeVolume('buffer', {}, () => buffer.open({ size: suiteBytes }));

test('docs/backstore.md has it as it would stand in src/backstore', () => {
  const source = readFileSync(join(import.meta.dirname, 'example-backstore.ts'), 'utf8');
  const inPlace = source.replaceAll('../../src/backstore/', './').replaceAll('../../src/', '../');
  const page = readFileSync(join(import.meta.dirname, '../../docs/backstore.md'), 'utf8');
  expect(/```ts\n(.*?)```/s.exec(page)?.[1]).toBe(inPlace);
});

test('settle refuses what cannot be a size, and says what can', async () => {
  await expect(buffer.settle({ size: 100 }, new Map())).rejects.toMatchObject({
    hint: 'Give a multiple of 512 bytes.',
  });
  expect(await buffer.settle({ size: 1024 }, new Map())).toEqual({ config: { size: 1024 }, notes: [], made: false });
});
