// Configurations that are written to hold up the process that reads them, or to fill its memory. What they say: import.test.ts.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBlocks } from '../../src/import/apache-blocks.ts';
import { importKinds, planImport } from '../../src/import/index.ts';
import { importing } from '../support/importing.ts';

const on = importing();

test('a FIFO or a device is neither imported nor included: it would hold the process up, or fill its memory', async () => {
  const fifo = join(on.directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  for (const path of [fifo, '/dev/zero', on.directory]) {
    await expect(planImport(on.tree(), path)).rejects.toThrow(/^Cannot read \S+: it is no regular file$/);
    // A folder that is included stands for what is in it.
    if (path !== on.directory)
      expect(await on.imported(`default-driver iscsi\ninclude ${path}\n`)).toContain(
        `:2: ${path} cannot be read: it is no regular file`,
      );
  }
});

test('1 MiB holds for all files of a configuration together, and so many includes', async () => {
  mkdirSync(join(on.directory, 'parts'));
  const lines = '# a comment\n'.repeat(10_000);
  for (let part = 0; part < 9; part++) writeFileSync(join(on.directory, `parts/${part}`), lines);
  expect(await on.imported('include @/parts/[0-7]\ninclude @/parts\n')).toMatch(/:1: .* cannot be read: /);
  expect(await on.imported('include @/parts\n')).toContain('parts/8 cannot be read: the configuration has more than');
  expect(await on.imported('include @/config\ninclude @/config\n')).toContain('include one another without end');
  writeFileSync(join(on.directory, 'empty'), '');
  expect(await on.imported('include @/empty\n'.repeat(3000))).toContain('includes more than 4096 files');
});

test('nothing in a configuration of 1 MiB takes longer to read than it is long', () => {
  const much = 1 << 19;
  const texts = [
    `include a${' '.repeat(much)}b`,
    `<a b${' '.repeat(much)}c`,
    `<a b${' '.repeat(much)}c>`,
    `key${' '.repeat(much)}`,
    '\n'.repeat(much),
    ' \n'.repeat(much),
    `target a {\n${'"\\'.repeat(much / 2)}\n}\n`,
    `target a {\nlun 0 { path "${'\\"'.repeat(much / 2)}\n}\n`,
    `Target a\n${'Wthreads 8\n'.repeat(much / 16)}`,
    `<target a>\n${'unknown 8\n'.repeat(much / 16)}</target>`,
  ];
  for (const text of texts)
    for (const kind of importKinds) {
      const start = performance.now();
      kind.recognises(text);
      try {
        kind.read(text, '/nowhere/config');
      } catch {}
      expect(performance.now() - start, text.slice(0, 20)).toBeLessThan(3000);
    }
});

test('a pattern of includes is compared without trying every way', () => {
  const folder = join(on.directory, 'parts');
  mkdirSync(folder);
  for (const name of ['a'.repeat(200), 'one.conf', 'two.con', '.hidden'])
    writeFileSync(join(folder, name), `<target ${name}>\n</target>\n`);
  const named = (pattern: string) =>
    readBlocks(`include ${folder}/${pattern}`, '/config').blocks.map(({ argument }) => argument.slice(0, 8));
  const start = performance.now();
  expect(named(`${'a*'.repeat(60)}b`)).toEqual([]);
  expect(performance.now() - start).toBeLessThan(1000);
  expect(['o*.conf', '*o*.con', 'tw?.c*n', '?', 'aa*', '*.conf*', '?ne.conf?'].map(named)).toEqual([
    ...[['one.conf'], ['two.con'], ['two.con'], [], ['aaaaaaaa'], ['one.conf'], []],
  ]);
});
