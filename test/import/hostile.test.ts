// Configurations that are written to hold up the process that reads them, or to fill its memory. What they say: import.test.ts.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBlocks } from '../../src/import/apache-blocks.ts';
import { importKinds, planImport } from '../../src/import/index.ts';
import { importing, iqn, left } from '../support/importing.ts';

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

test.each([
  [
    "tgt's",
    `<target ${iqn}>\nincominguser u SECRET one\nincomingusr u SECRET\noutgoinguser u SECRET more\nchappass SECRET\nSECRET\n<SECRET1/ x>\n</SECRET1/>\n<other SECRET>\n</other>\n<backing-store @/a>\nusr SECRET\n</backing-store>\n</target>\nincomingdiscoveryuser u SECRET x`,
    ['incominguser', 'incomingusr', 'outgoinguser', 'chappass', 'usr', 'incomingdiscoveryuser', 'a block <other>'],
  ],
  [
    "IET's",
    `IncomingUser u SECRET x\nTarget ${iqn}\nIncomingUser u SECRET x\nIncomingUsr u SECRET\noutgoinguser u SECRET x\nLun 0 Path=@/a,pass=SECRET\nSECRET`,
    ['IncomingUser', 'IncomingUsr', 'outgoinguser', 'LUN 0: pass'],
  ],
  [
    "FreeBSD's",
    `auth-group ag {\nchap u SECRET x\nchp u SECRET\nchap-mutual u SECRET m\nchap-mutual u SECRET m "" \n}\nSECRET\ntarget ${iqn} {\nauth-group ag\nchap SECRET\nuser SECRET\nlun 0 { path @/a; pass SECRET }\n}`,
    ['chap', 'chp', 'chap-mutual', 'user', 'pass'],
  ],
])(
  'of lines of %s that are not taken over the keyword is shown alone, and a broken account lets nobody in',
  async (_, text, keywords) => {
    const said = await on.imported(text);
    expect(said).not.toContain('SECRET');
    expect(said).not.toContain('mutual_password');
    expect(left(said).map((line) => line.replace(/^\d+ /, ''))).toEqual(
      expect.arrayContaining([
        ...keywords,
        'a line that is not understood',
        expect.stringContaining('nobody is let in'),
      ]),
    );
    expect(on.tpgOf().accessList).toEqual({ addresses: [], names: [] });
  },
);

test('a line of a file that is none of a configuration is not shown', async () => {
  writeFileSync(join(on.directory, 'shadow'), 'root:$y$SECRET:20000::\nSECRET\n-----BEGIN SECRET KEY-----\n');
  expect(await on.imported('include @/shadow\n')).not.toContain('SECRET');
  for (const line of ['<password>SECRET</password>', '<a SECRET', '<a SECRET>']) {
    writeFileSync(join(on.directory, 'shadow'), line);
    const said = await on.imported('include @/shadow\n');
    expect(said).toContain('shadow:1: ');
    expect(said).not.toContain('SECRET');
  }
});

test('an account that is there with another secret is not taken for none', async () => {
  await on.run('/iscsi add_account fred another-secret');
  await on.imported(`<target ${iqn}>\nincominguser fred the-secret-of-fred\n</target>`);
  expect([on.tpgOf().accounts, on.tpgOf().attribute('authentication')]).toEqual([[], 1]);
});
