// The output of commands as data (docs/json.md). The output as text is tested with each command.

import { readFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { rootNode } from '../../../shell/nodes/root.ts';
import { allCommands } from '../../../shell/session/common-commands.ts';
import type { Node } from '../../../shell/session/node.ts';
import { ownShell, type TestShell } from '../../support/own-shell.ts';

let shell: TestShell;
const iqn = 'iqn.2003-01.org.example:t1';

beforeEach(async () => {
  shell = await ownShell();
  await shell.run('/backstores/ramdisk create rd0 16M', `/iscsi create ${iqn}`);
});

const json = async (line: string) => JSON.parse(await shell.run(line));

test('--json, wherever it stands, and | json at the end are the same', async () => {
  const answer = { tcli: 1, command: 'pwd', path: '/iscsi', data: '/iscsi' };
  for (const line of [
    '/iscsi pwd --json',
    '/iscsi --json pwd',
    '--json /iscsi pwd',
    '/iscsi pwd | json',
    '/iscsi pwd |json',
    '--json /iscsi pwd --json | json',
  ])
    expect(await json(line), line).toEqual(answer);
  expect((await json('ls --json / 1')).data.children).not.toEqual([]);
  expect(await shell.run('--json')).toBe('');
  expect(await shell.run('--json nosuch')).toContain('  --json nosuch\nE|          ^^^^^^');
  // In quotes it is a value like any other.
  expect(await shell.run('ls "--json"')).toMatch(/^E\| No such path/);
});

test('several nodes are several objects', async () => {
  const answers = (await shell.run('cd /iscsi', '* pwd --json')).split(/^(?=\{)/m);
  expect(answers.map((one) => JSON.parse(one).path)).toEqual([`/iscsi/${iqn}`]);
});

test('set without a value, and help', async () => {
  expect((await json('set --json')).data).toEqual(['global']);
  const { data } = await json('/backstores/ramdisk/rd0 set attribute --json');
  expect([data.block_size.value, data.hw_queue_depth]).toEqual(['512', undefined]);
  expect(await shell.run('set global prompt_length=1 --json')).toMatch(/^E\| Only set without a value/);
  expect(await shell.run('get global prompt_length')).toBe('prompt_length=30 \n');
  expect((await json('/iscsi help --json')).data.create).toMatchObject({ syntax: 'create [wwn]' });
  expect((await json('/iscsi help create --json')).data.parameters[0]).toMatchObject({ name: 'wwn', required: false });
});

test('ls is a tree, as deep as was asked for', async () => {
  const { data } = await json('ls /backstores/ramdisk 1 --json');
  expect(data).toEqual({
    name: 'ramdisk',
    path: '/backstores/ramdisk',
    status: 'Storage Objects: 1',
    healthy: null,
    children: [
      {
        ...{ name: 'rd0', path: '/backstores/ramdisk/rd0', status: '(16.0MiB) deactivated', healthy: true },
        object: expect.objectContaining({ size: 16 << 20, luns: [] }),
      },
    ],
  });
});

test('get: groups, all settings of one, or those that are named', async () => {
  expect((await json('/backstores/ramdisk/rd0 get --json')).data).toEqual(['global', 'attribute']);
  const { data } = await json('/backstores/ramdisk/rd0 get attribute block_size hw_queue_depth --json');
  expect(data).toMatchObject({
    block_size: { value: '512', type: 'number', read_only: false },
    hw_queue_depth: { read_only: true },
  });
  expect(Object.keys((await json('get global --json')).data)).toContain('color_mode');
});

test('info, status, bookmarks, sessions and version', async () => {
  expect((await json('/backstores/ramdisk/rd0 info --json')).data).toMatchObject({ name: 'rd0', size: 16 << 20 });
  expect((await json(`/iscsi/${iqn}/tpg1 status --json`)).data).toEqual({
    text: 'no-gen-acls, no-auth',
    healthy: null,
  });
  expect((await json('bookmarks show --json')).data).toEqual({ last: `/iscsi/${iqn}/tpg1` });
  expect((await json('sessions --json')).data).toEqual([]);
  expect((await json('version --json')).data).toEqual({ version: expect.stringMatching(/^\d/) });
});

test('an error is text on standard error; a command that shows nothing has no JSON form', async () => {
  expect(await shell.run('ls /nosuch --json')).toMatch(/^E\| No such path \/nosuch/);
  expect(await shell.run('/backstores/ramdisk create rd1 1M --json')).toMatch(/^E\| create has no JSON form/);
  expect(await shell.run('/backstores/ramdisk ls')).not.toContain('rd1');
  expect(await shell.run('pwd | less')).toMatch(/^E\| Syntax error near \|/);
});

test('every command that has a JSON form is in docs/json.md', () => {
  const kinds = (node: Node): Node[] => [node, ...node.children().flatMap(kinds)];
  const names = kinds(rootNode(shell.host)).flatMap((node) =>
    Object.entries(allCommands(node)).flatMap(([name, command]) => (command.json ? name : [])),
  );
  const documented = readFileSync('docs/json.md', 'utf8');
  expect([...new Set(names)].filter((name) => !documented.includes(`| \`${name}`))).toEqual([]);
});
