// Descriptions: what is exported gives the same tree again, whatever was there before; what is no description is refused where it stands.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Raw } from '../../src/operations/raw.ts';
import type { Tree } from '../../src/operations/tree.ts';
import { describeTree, planDescription, wishedTree } from '../../src/saved/description.ts';
import { descriptionSchema, faultsIn } from '../../src/saved/description-schema.ts';
import { printDescription, readDescription } from '../../src/saved/description-text.ts';
import { isSameTree, treeOf } from '../../src/saved/rehearsal.ts';
import { dumpTree } from '../../src/saved/saveconfig.ts';
import { transition } from '../../src/saved/transition.ts';
import { trees, treeWith } from '../support/random-trees.ts';

const noSecret = () => Promise.reject(new Error('no secret is asked for'));
const described = (text: string) => readDescription(text, 'FILE', noSecret);
const read = async (text: string) => (await described(text)).given;
const planned = (tree: Tree, given: Raw, prune = false) => planDescription(tree, { given, where: () => 'FILE' }, prune);

test('export, apply: the same tree, from nothing and with prune from any other; what is there already takes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(trees, trees, fc.constantFrom('yaml', 'json'), async (some, others, format) => {
      const [tree, other, empty] = [await treeWith(some), await treeWith(others), (await treeOf({})).tree];
      const described = await describeTree(tree, 'plain');
      expect(faultsIn(described, descriptionSchema)).toEqual([]);
      const given = await read(await printDescription(described, format as 'yaml'));
      for (const from of [empty, tree, other]) {
        const wish = await wishedTree(from, given, from === other);
        if (!isSameTree(wish, tree)) expect(dumpTree(wish)).toEqual(dumpTree(tree));
        expect(isSameTree(wish, tree)).toBe(true);
      }
      expect(transition(tree, await wishedTree(tree, given))).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test('without secrets there is a variable in the place of each, and the same tree where they are set', async () => {
  const { tree } = await treeOf({
    fabric_modules: [{ name: 'iscsi', accounts: [{ userid: 'me', password: 'secret-1' }] }],
    targets: [
      {
        fabric: 'iscsi',
        wwn: 'iqn.2003-01.org.example:t',
        tpgs: [{ tag: 1, chap_userid: 'u', chap_password: 'secret-2' }],
      },
    ],
  });
  const text = await printDescription(await describeTree(tree, 'variables'), 'yaml');
  expect(text).not.toContain('secret-');
  const secrets: Record<string, string> = { TCLI_SECRET_1: 'secret-1', TCLI_SECRET_2: 'secret-2' };
  const { given } = await readDescription(text, 'FILE', async (place) => secrets['env' in place ? place.env : '']!);
  expect(isSameTree(await wishedTree((await treeOf({})).tree, given), tree)).toBe(true);
});

test('objects that are left out stay as they are; with prune they go, but for the names and numbers that an object has', async () => {
  const { tree } = await treeOf({
    storage_objects: [{ plugin: 'ramdisk', name: 'rd0', size: 1 << 20, wwn: 'serial' }],
    targets: ['a', 'b'].map((name) => ({
      fabric: 'iscsi',
      wwn: `iqn.2003-01.org.example:${name}`,
      tpgs: [
        {
          tag: 1,
          attributes: { login_timeout: 20 },
          luns: [{ index: 0, storage_object: '/backstores/ramdisk/rd0', alias: 'abcdef0123' }],
        },
      ],
    })),
  });
  const given = await read(
    'storage_objects: [{plugin: ramdisk, name: rd0}]\n' +
      'targets: [{wwn: IQN.2003-01.org.example:A, tpgs: [{luns: [{index: 0, storage_object: /backstores/ramdisk/rd0}]}]}]\n',
  );
  expect(await planned(tree, given)).toEqual([]);
  expect((await planned(tree, given, true)).map(({ path, verb }) => `${path} ${verb}`)).toEqual([
    '/iscsi delete',
    '/iscsi/iqn.2003-01.org.example:a/tpg1 set',
  ]);
});

test.each([
  [
    'targets:\n  - wwn: iqn.2003-01.org.example:t\n    tpg: []\n',
    /^FILE:3: targets\.0\.tpg is not known here; there are: fabric, wwn, tpgs/,
  ],
  ['# a comment\n---\nstorage_objects: []\n---\ntargets: 7\n', /^FILE:5: targets is to be array, and is integer/],
  ['storage_objects: [{plugin: fileio}]\n', /^FILE:1: storage_objects\.0 lacks 'name'/],
  [
    'storage_objects:\n - {plugin: fileio, name: d, dev: /d,\n    size: 10 GB}\n',
    /^FILE:3: .*size is no size, as 512M or 10G/,
  ],
  ['targets:\n- wwn: x\n  tpgs:\n  - attributes: {authentication: 2}\n', /^FILE:4: .*authentication is to be/],
  ['targets: [\n', /^FILE:2: /],
  ['- 1\n', /^FILE:1: this is to be object, and is array/],
  [
    'targets: [{wwn: x, tpgs: [{chap_password: {variable: X}}]}]',
    /^FILE:1: .*chap_password is a text, {env: NAME} or {file: PATH}/,
  ],
  ['a: 1\nb:\n  c: {d: 1,\n    d: 2}\n', /^FILE:4: 'd' is said twice/],
  ['targets:\n- *none\n', /^FILE:2: /],
])('%j is refused with its line', async (text, reason) => {
  await expect(read(text)).rejects.toThrow(reason);
});

test('several documents are one description', async () => {
  const given = await read('targets: [{wwn: a}]\n---\ntargets: [{wwn: b}]\nstorage_objects: []\n');
  expect(given).toEqual({ targets: [{ wwn: 'a' }, { wwn: 'b' }], storage_objects: [] });
});

test('a file that says nothing is refused, so that prune does not take everything for it; empty lists say that there is nothing', async () => {
  for (const text of ['', '# nothing yet\n', 'null\n', '---\n---\n', '{}'])
    await expect(read(text)).rejects.toThrow('FILE describes nothing');
  const { tree } = await treeOf({ targets: [{ fabric: 'iscsi', wwn: 'iqn.2003-01.org.example:t', tpgs: [] }] });
  expect(await planned(tree, await read('targets: []'), true)).toHaveLength(1);
  const nothing = await printDescription(await describeTree((await treeOf({})).tree, 'plain'), 'yaml');
  expect(await planned(tree, await read(nothing), true)).toHaveLength(1);
});

test('an impossible description is refused whole: a LUN of nothing, a file with a relative name', async () => {
  const { tree } = await treeOf({});
  const target = (tpg: object) => ({ targets: [{ wwn: 'iqn.2003-01.org.example:t', tpgs: [tpg] }] });
  const orphan = target({ luns: [{ index: 0, storage_object: '/backstores/ramdisk/none' }] });
  await expect(planned(tree, orphan)).rejects.toThrow('Could not find matching StorageObject for LUN 0');
  const relative = { storage_objects: [{ plugin: 'fileio', name: 'd', dev: 'd.img', size: '1M' }] };
  await expect(planned(tree, relative)).rejects.toThrow("fileio/d: 'd.img' is no absolute path");
});

test('a loss of data is refused where it stands, with the line to type: a smaller size, a ramdisk that goes or is made anew', async () => {
  const { tree } = await treeOf({
    storage_objects: [
      { plugin: 'ramdisk', name: 'rd0', size: 1 << 20, wwn: 'a' },
      { plugin: 'fileio', name: 'd', dev: '/srv/d.img', size: 2 << 20 },
    ],
  });
  const refusal = async (text: string, prune = false) =>
    planDescription(tree, await described(text), prune).then(String, ({ message, hint }) => `${message}\n${hint}`);
  expect(
    await refusal(
      'storage_objects:\n- {plugin: ramdisk, name: rd0}\n---\nstorage_objects:\n- name: d\n  plugin: fileio\n  size: 1M',
    ),
  ).toBe(
    'FILE:7: /backstores/fileio/d has 2097152 bytes: what lies beyond 1048576 would be lost\n' +
      'If nothing there is needed: /backstores/fileio/d resize 1048576 force=true',
  );
  expect(await refusal('storage_objects:\n- {plugin: ramdisk, name: rd0, wwn: b}')).toBe(
    'FILE:2: /backstores/ramdisk/rd0 would be made anew, and what it holds in memory would be lost\n' +
      'If it is not needed: /backstores/ramdisk delete rd0',
  );
  expect(await refusal('storage_objects: []', true)).toBe(
    'FILE: /backstores/ramdisk/rd0 would go, and what it holds in memory would be lost\n' +
      'If it is not needed: /backstores/ramdisk delete rd0',
  );
});

test.each([
  [
    'in one list',
    'storage_objects:\n- {plugin: ramdisk, name: d}\n- {plugin: ramdisk, name: d}\n',
    'FILE:3: storage_objects.1',
  ],
  ['in two documents', 'targets:\n- wwn: iqn.a\n---\ntargets:\n- wwn: iqn.b\n- wwn: IQN.A\n', 'FILE:6: targets.2'],
  ['with a tag that is understood', 'targets:\n- wwn: x\n  tpgs:\n  - {}\n  - tag: 1\n', 'FILE:5: targets.0.tpgs.1'],
  [
    'an ACL',
    'targets:\n- wwn: x\n  tpgs:\n  - node_acls:\n    - {node_wwn: a, chap_userid: u}\n    - {node_wwn: A}\n',
    'FILE:6: targets.0.tpgs.0.node_acls.1',
  ],
  [
    'an account',
    'fabric_modules:\n- name: iscsi\n  accounts:\n  - {userid: u, password: a}\n  - {userid: u, password: b}\n',
    'FILE:5: fabric_modules.0.accounts.1',
  ],
])('a second description of one thing is refused where it stands: %s', async (_name, text, where) => {
  await expect(read(text)).rejects.toThrow(`${where} is described a second time`);
});

const rows = 'abcdefghi';
test.each([
  ['brackets', `{"targets":\n${'['.repeat(500_000)}`, /^FILE:2: lists and objects stand more than 32 deep/],
  ['lists in a line', `targets:\n  ${'- '.repeat(200_000)}`, /^FILE:2: lists and objects stand more than 32 deep/],
  [
    'lines further and further in',
    Array.from({ length: 1400 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''),
    /^FILE:\d\d: lists and objects stand more than 32 deep/,
  ],
  ['a list in itself', 'targets: &a\n- *a\n', /^FILE:2: \*a stands for nothing that is whole before it/],
  [
    'aliases of aliases',
    `a: &a [${'x,'.repeat(10)}]\n${[...rows.slice(1)].map((row, at) => `${row}: &${row} [${`*${rows[at]},`.repeat(10)}]\n`).join('')}`,
    /^FILE:5: with its aliases this stands for more than 100000 values/,
  ],
  [
    'aliases, each in the next',
    `a0: &a0 []\n${Array.from({ length: 40 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}]\n`).join('')}`,
    /^FILE:33: lists and objects stand more than 32 deep/,
  ],
  ['many values', `targets: [\n${' 1,\n'.repeat(200_000)}]`, /^FILE:\d+: there is too much from here on/],
  [
    'many names',
    `{${Array.from({ length: 15_000 }, (_, at) => `"k${at}":1`).join()}}`,
    /^FILE:1: k0 is not known here/,
  ],
  ['a long text', `# ${'x'.repeat(1 << 20)}`, /^FILE has more than 1048576 bytes/],
])('the worst texts are refused at once, with their line: %s', async (_name, text, reason) => {
  const before = performance.now();
  await expect(read(text)).rejects.toThrow(reason);
  // A few hundred milliseconds at most, on a machine that does much else; it took minutes.
  expect(performance.now() - before).toBeLessThan(10_000);
});
