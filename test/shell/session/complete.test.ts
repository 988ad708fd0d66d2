/** The candidates of Tab. Not tested here: their display by a front end (ui/). */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backstores } from '../../../src/index.ts';
import { openShell, removeHome, type TestShell } from '../../support/shell.ts';

const one = 'iqn.2026-01.com.example:one';
const two = 'iqn.2026-01.com.example:two';
const tpg = `/iscsi/${one}/tpg1`;
const guest = 'iqn.1993-08.org.debian:01:guest';
let shell: TestShell;

beforeAll(async () => {
  shell = await openShell();
  await shell.run(
    `/backstores/fileio create disk1 ${shell.directory}/disk1.img 1M`,
    '/backstores/ramdisk create rd1 16M',
    '/backstores/ramdisk create "a+b" 16M',
    `/iscsi create ${one}`,
    `/iscsi create ${two}`,
    `${tpg}/luns create /backstores/fileio/disk1`,
    `${tpg}/acls create ${guest}`,
    `${tpg}/portals create ::1 3261`,
    'bookmarks add here',
  );
  mkdirSync(join(shell.directory, 'files', 'folder'), { recursive: true });
  writeFileSync(join(shell.directory, 'files', 'a b.img'), '');
  writeFileSync(join(shell.directory, 'files', '.hidden'), '');
});
afterAll(async () => {
  await shell.close();
  removeHome(shell.directory);
});

const common = ['bookmarks', 'cd', 'exit', 'get', 'help', 'ls', 'pwd', 'refresh', 'set', 'stats', 'status'];
const ofRoot = [
  'apply',
  'backups',
  'changes',
  'clearconfig',
  'confirm',
  'diff',
  'doctor',
  'export',
  'import',
  'list',
  'redo',
  'try',
  'restoreconfig',
  'saveconfig',
  'sessions',
  'share',
  'top',
  'unshare',
  'undo',
  'version',
  'why',
];
const rootCommands = [...common, ...ofRoot].sort();

test.each<[line: string, ...candidates: string[]]>([
  ['', 'backstores/', 'iscsi/', 'loopback/', 'vhost/', '/', '@last', '@here', '*', ...rootCommands],
  ['b', 'backstores/', 'backups', 'bookmarks'],
  ['/', '/backstores/', '/iscsi/', '/loopback/', '/vhost/', ...[...ofRoot, 'stats'].sort().map((name) => `/ ${name}`)],
  ['@', '@last', '@here'],
  ['/backstores/', ...backstores.map(({ name }) => `/backstores/${name}/`).sort()],
  ['backstores/r', 'backstores/ramdisk/'],
  [
    '/backstores/ramdisk/',
    '"/backstores/ramdisk/a+b/"',
    '/backstores/ramdisk/rd1/',
    '/backstores/ramdisk/ create',
    '/backstores/ramdisk/ delete',
  ],
  ['/backstores/ramdisk/cr', '/backstores/ramdisk/ create'],
  ['/backstores/ramdisk cr', 'create'],
  ['/backstores/ramdisk ', ...[...common, 'create', 'delete'].sort()],
  ['cd ', '<', '>', '@last', '@here', 'backstores/', 'iscsi/', 'loopback/', 'vhost/', 'path='],
  ['cd iscsi/iqn.2026-01.com.example:o', `iscsi/${one}/`],
  ['cd path=isc', 'path=iscsi/'],
  ['ls / ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'depth='],
  ['get ', 'global', 'group='],
  [`${tpg} set `, 'global', 'parameter', 'attribute', 'auth', 'group='],
  ['set global auto_c', 'auto_cd_after_create='],
  ['set global auto_cd_after_create=', 'auto_cd_after_create=true', 'auto_cd_after_create=false'],
  ['set global auto_cd_after_create=f', 'auto_cd_after_create=false'],
  ['get global tree_s', 'tree_show_root', 'tree_status_mode'],
  [`${tpg}/ set parameter InitialR2T=`, 'InitialR2T=Yes', 'InitialR2T=No'],
  [`${tpg}/ set attribute gen`, 'generate_node_acls='],
  [`${tpg}/ set attribute generate_node_acls=1 t10`, 't10_pi='],
  [`${tpg}/ set attribute generate_node_acls=`, 'generate_node_acls=0', 'generate_node_acls=1'],
  [`${tpg}/ get attribute default_`, 'default_cmdsn_depth', 'default_erl'],
  [`${tpg}/ set auth `, 'mutual_password=', 'mutual_userid=', 'password=', 'userid='],
  ['help cle', 'clearconfig'],
  ['bookmarks ', 'add', 'del', 'go', 'show', 'action=', 'bookmark='],
  ['bookmarks go ', 'last', 'here', 'bookmark='],
  ['bookmarks add ', 'bookmark='],
  ['sessions ', 'list', 'detail', 'kill', 'action=', 'sid=', 'fence='],
  ['clearconfig ', 'true', 'false', 'confirm='],
  ['/backstores/ramdisk create ', 'name=', 'size=', 'nullio=', 'wwn='],
  ['/backstores/ramdisk create x 1M ', 'true', 'false', 'nullio=', 'wwn='],
  ['/backstores/ramdisk create x 1M nullio=', 'nullio=true', 'nullio=false'],
  ['/backstores/fileio delete ', 'disk1', 'name=', 'save='],
  ['iscsi/ create ', 'wwn='],
  ['iscsi/ delete iqn', one, two],
  [`iscsi/${one}/ delete `, '1', 'tag='],
  [
    `${tpg}/luns/ create `,
    '/backstores/fileio/disk1',
    '/backstores/ramdisk/rd1',
    '/backstores/ramdisk/a+b',
    'storage_object=',
    'lun=',
    'add_mapped_luns=',
  ],
  [`${tpg}/luns/ delete `, '0', 'lun='],
  [`${tpg}/acls/ delete `, guest, 'wwn=', 'fence='],
  [`${tpg}/acls/${guest} create 1 lun`, 'lun0'],
  [`${tpg}/acls/${guest} delete `, '0', 'mapped_lun='],
  [`${tpg}/portals/ delete `, '0.0.0.0', '::1', 'ip_address=', 'ip_port='],
  [`${tpg}/portals/ delete ::1 `, '3261', 'ip_port='],
  [`${tpg}/portals/ create 0.0`, '0.0.0.0'],
  ['* ', ...rootCommands],
  ['/backstores/* l', 'ls'],
  // Nothing to offer, and nothing thrown.
  ['nosuch '],
  ['/nosuch/'],
  ['/nosuch ls '],
  ['# l'],
  ['set auth password=a|'],
])('%j', async (line, ...candidates) => {
  expect(await shell.complete(line)).toEqual(candidates);
});

describe('files', () => {
  test('folders end in a slash, a blank is quoted, what is hidden is left out until it is begun', async () => {
    const folder = join(shell.directory, 'files');
    expect(await shell.complete(`/backstores/fileio create x ${folder}/`)).toEqual([
      `"${folder}/a b.img"`,
      `${folder}/folder/`,
    ]);
    expect(await shell.complete(`saveconfig savefile=${folder}/.`)).toEqual([`savefile=${folder}/.hidden`]);
    expect(await shell.complete(`saveconfig "${folder}/a b`)).toEqual([`"${folder}/a b.img"`]);
    expect(await shell.complete(`/backstores/block create x ${folder}/`)).toEqual([`${folder}/folder/`]);
    expect(await shell.complete('saveconfig /nosuch/')).toEqual([]);
  });
});

test('a candidate replaces the word it completes, says what it is, and whether a blank may follow', async () => {
  const line = `${tpg}/ set attribute generate_node_acls=`;
  const { from, candidates } = await shell.session.complete(`${line}xyz`, line.length);
  expect(line.slice(from)).toBe('generate_node_acls=');
  expect(candidates[0]).toMatchObject({ text: 'generate_node_acls=0', kind: 'parameter', help: '', final: true });
  const [attribute] = (await shell.session.complete(line, line.length - 1)).candidates;
  expect(attribute).toMatchObject({
    kind: 'keyword',
    final: false,
    help: 'Demo mode: admit initiators without an ACL.',
  });
  const [command] = (await shell.session.complete('pw', 2)).candidates;
  expect(command).toMatchObject({ text: 'pwd', kind: 'command', help: 'Shows the path of the node.', final: true });
  const [path] = (await shell.session.complete('is', 2)).candidates;
  expect(path).toMatchObject({ text: 'iscsi/', kind: 'path', help: 'Targets: 2', final: false });
});
