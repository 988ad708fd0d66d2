/**
 * Foreign text never reaches a terminal, a pipe or a question as it is. A saved file in which every string is hostile is loaded, and
 * every command that shows something is asked for it, drawn for a person and for a script. Not here: logs (test/printable.test.ts), and
 * the way of an initiator's names into a session.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { rootNode } from '../../shell/nodes/root.ts';
import { allCommands } from '../../shell/session/common-commands.ts';
import type { Node } from '../../shell/session/node.ts';
import { quoted, type SessionInfo } from '../../src/index.ts';
import { sendTargets } from '../../src/iscsi/discovery.ts';
import { hostile, hostileName, rawIn } from '../support/hostile.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = `iqn.2003-01.org.${hostileName}:t`;
const client = `iqn.2001-04.com.${hostileName}:c`;
/** An object that is hostile in its name alone. */
const plainObject = `${hostileName}-plain`;
const strange = { [`key ${hostile}`]: hostile };

const saved = {
  fabric_modules: [
    { name: 'iscsi', discovery_userid: hostile, discovery_password: hostile, ...strange },
    { name: hostile },
  ],
  storage_objects: [
    {
      ...{ name: hostileName, plugin: 'ramdisk', size: 1 << 20, wwn: hostile, ...strange },
      attributes: { vendor_id: hostile, ...strange },
      alua_tpgs: [
        { name: 'default_tg_pt_gp', tg_pt_gp_id: 0 },
        { name: hostileName, tg_pt_gp_id: 7 },
        { name: hostile },
      ],
    },
    { name: `${hostileName}2`, plugin: 'fileio', dev: `/nowhere/${hostile}`, size: 1 << 20, wwn: 'w' },
    { name: plainObject, plugin: 'ramdisk', size: 1 << 20, wwn: 'p' },
    { name: hostile, plugin: hostile },
    { name: hostile, plugin: 'ramdisk', size: 1 << 20 },
  ],
  targets: [
    {
      ...{ wwn: iqn, fabric: 'iscsi', ...strange },
      tpgs: [
        {
          ...{ tag: 1, enable: true, chap_userid: hostile, chap_password: hostile, ...strange },
          attributes: { redirect: hostile, ...strange },
          parameters: { TargetAlias: hostile, ...strange },
          luns: [{ index: 0, storage_object: `/backstores/ramdisk/${hostileName}`, alias: hostile }],
          portals: [{ ip_address: hostile, port: 3260 }],
          node_acls: [
            {
              ...{ node_wwn: client, tag: hostile.replace('/', ''), chap_userid: hostile },
              mapped_luns: [{ index: 0, tpg_lun: 0, alias: hostile }],
            },
            { node_wwn: `${client}2` },
          ],
        },
      ],
    },
    { wwn: hostile, fabric: hostile },
  ],
};

let shell: TestShell;

beforeEach(async () => {
  const directory = temporaryDirectory(memoryFolder);
  writeFileSync(join(directory, 'saveconfig.json'), JSON.stringify(saved));
  shell = await ownShell({ directory });
});

/** Colours as the shell paints them, which no saved file can have here: one number each. */
const withoutColors = (text: string): string => text.replace(/\x1b\[\d+m/g, '');

function* nodesBelow(node: Node): Generator<Node> {
  yield node;
  for (const child of node.children()) yield* nodesBelow(child);
}

const showing = ['ls', 'info', 'status', 'stats', 'pwd', 'get', 'set', 'help', 'bookmarks show', 'diff'];
const ofTheRoot = [
  'sessions',
  'sessions detail',
  'sessions kill 1',
  'sessions kill x',
  'undo dry_run=true',
  'restoreconfig dry_run=true',
];

const hostileSession: SessionInfo = {
  ...{ id: 1, fabric: 'iscsi', targetWwn: iqn, tpgTag: 1, type: 'Normal', state: 'LOGGED_IN', authenticated: false },
  ...{ acl: true, initiatorWwn: client, initiatorAlias: hostile, parameters: { InitiatorAlias: hostile } },
  connections: [{ cid: 0, state: hostile, address: hostile, portal: hostile, transport: 'TCP' }],
};

test('every node shows itself, in plain text, in colour and as JSON, without a raw character', async () => {
  // Something to take back, and to be different from the file.
  await shell.run(`/backstores/ramdisk delete ${quoted(plainObject)}`);
  const seen: string[] = [];
  const nodes = [...nodesBelow(rootNode(shell.host))];
  // The hostile ones are there: a saved file that was served goes on being served.
  expect(nodes.filter(({ path }) => path.includes(hostileName)).length).toBeGreaterThan(10);
  shell.host.root.sessions = () => [hostileSession];
  for (const color of [false, true]) {
    shell.session.setTerminal({ columns: 132, color, interactive: color });
    for (const node of nodes) {
      const path = quoted(node.path);
      const known = showing.filter((line) => Object.hasOwn(allCommands(node), line.split(' ')[0]!));
      const groups = node
        .groups()
        .flatMap(({ name, settings }) => [`get ${name}`, `get ${name} ${settings()[0]?.name}`]);
      const own = node.path === '/' ? ofTheRoot : [];
      for (const line of [...own, ...known, ...groups, 'nosuch', 'ls nosuch', 'set nosuch x=1'])
        for (const form of color ? [''] : ['', ' --json']) seen.push(await shell.run(`${path} ${line}${form}`));
      await shell.run(`cd ${path}`);
      expect(shell.session.state.path).toBe(node.path);
      seen.push(shell.session.state.prompt);
    }
  }
  expect(seen.map(withoutColors).map(rawIn).filter(Boolean)).toEqual([]);
  expect(seen.join('')).toContain('x\\u001b[31;1m');
});

test('warnings of the start, questions, suggestions and their help have none', async () => {
  const path = `/backstores/ramdisk/${hostileName}`;
  shell.host.root.sessions = () => [hostileSession];
  shell.session.setTerminal({ columns: 80, color: false, interactive: true });
  await shell.run('cd', `/backstores/ramdisk delete ${quoted(hostileName)}`, `/iscsi delete ${quoted(iqn)}`);
  const completions = await Promise.all(
    [
      '',
      '/backstores/ramdisk/',
      '/iscsi/',
      `${quoted(path)} `,
      'cd /backstores/ramdisk/',
      '/backstores/ramdisk delete ',
      'sessions kill ',
    ].map((line) => shell.session.complete(line, line.length)),
  );
  const texts = [
    ...shell.host.warnings,
    ...shell.questions.flatMap((one) => [
      one.message,
      ...(one.kind === 'select' ? one.choices.map(({ label }) => label) : []),
    ]),
    ...completions.flatMap(({ candidates, note = '' }) => [
      note,
      ...candidates.flatMap(({ text, help }) => [text, help]),
    ]),
  ];
  expect(shell.questions.map(({ kind }) => kind)).toContain('select');
  expect(texts.map((text) => [rawIn(text), text.includes('\n')]).filter(([raw, lines]) => raw || lines)).toEqual([]);
  expect(texts.filter((text) => text.includes('\\u001b')).length).toBeGreaterThan(5);
});

test('the candidate for such a name can be typed; the object can be deleted, undone, saved and restored', async () => {
  const [, offered] = await shell.complete('/backstores/ramdisk delete ');
  expect(offered).toBe(quoted(plainObject));
  const there = () => shell.host.root.tree.storageObject(`/backstores/ramdisk/${plainObject}`) !== undefined;
  const seen = [there()];
  for (const line of [`/backstores/ramdisk delete ${offered}`, 'undo', 'restoreconfig clear_existing=true']) {
    await shell.run(line);
    seen.push(there());
  }
  expect(seen).toEqual([true, false, true, true]);
  await shell.run('saveconfig');
  await shell.close();
  shell = await ownShell({ directory: shell.directory });
  expect(there()).toBe(true);
});

test('RFC 7143 6.1: an initiator is not told of a target whose name is no text', async () => {
  await shell.run('/iscsi create iqn.2003-01.org.example:seen');
  const asker = {
    date: 0,
    initiatorName: client,
    address: '192.0.2.2',
    localAddress: '192.0.2.1',
    boundPort: () => 3260,
  };
  const told = sendTargets(shell.host.root.tree.fabrics.get('iscsi')!, asker, 'All', undefined);
  expect(told?.[0]).toEqual(['TargetName', 'iqn.2003-01.org.example:seen']);
  expect(rawIn(JSON.stringify(told))).toBe('');
});

test('a new object with such a name is refused: one rule, in every door', async () => {
  const word = quoted(hostileName);
  const lines = [
    `/backstores/ramdisk create ${word} 1M`,
    `/backstores/ramdisk create good 1M wwn=${word}`,
    `/iscsi create ${quoted(`iqn.2003-01.org.example:${hostileName}`)}`,
    '/iscsi create iqn.2003-01.org.example:t',
    `/iscsi/iqn.2003-01.org.example:t/tpg1/acls create ${quoted(`iqn.2003-01.org.example:${hostileName}`)}`,
    '/iscsi/iqn.2003-01.org.example:t/tpg1/acls create iqn.2003-01.org.example:c',
    `/iscsi/iqn.2003-01.org.example:t/tpg1/acls tag iqn.2003-01.org.example:c ${word}`,
    `/iscsi/iqn.2003-01.org.example:t/tpg1 set auth userid=${word}`,
    `/iscsi/iqn.2003-01.org.example:t/tpg1 set parameter TargetAlias=${word}`,
    '/backstores/ramdisk create other 1M',
    `/backstores/ramdisk/other/alua create ${word} 5`,
    `bookmarks add ${word}`,
  ];
  const said: string[] = [];
  for (const line of lines) said.push((await shell.run(line)).split('\n', 1)[0]!);
  const shown = quoted(hostileName);
  const refused = (what: string) => `E| ${what} has characters that cannot be seen: ${shown}`;
  expect(said).toEqual([
    refused('name'),
    refused('wwn'),
    expect.stringMatching(/^E\| wwn has characters that cannot be seen: "iqn/),
    'Created target iqn.2003-01.org.example:t.',
    expect.stringMatching(/^E\| wwn has characters that cannot be seen: "iqn/),
    'Created Node ACL for iqn.2003-01.org.example:c',
    refused('tag'),
    'E| userid has characters that cannot be seen',
    'E| TargetAlias has characters that cannot be seen',
    'Created ramdisk other with size 1M.',
    refused('name'),
    expect.stringMatching(/^E\| '.*' cannot be a bookmark/),
  ]);
});
