// changes, backups, undo, redo, diff since: what people and programs read. That undo leads back from anywhere is tested in test/root/history.

import { beforeEach, expect, test } from 'vitest';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
let time: Date;
const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const client = 'iqn.1994-05.com.redhat:client1';
const alice = { via: 'shell', user: 'root', login: 'alice', terminal: 'pts/3', address: '10.0.0.7' } as const;
const bob = { via: 'shell', user: 'bob', terminal: 'pts/4' } as const;

const open = (directory?: string) =>
  ownShell({ by: alice, now: () => time, ...(directory !== undefined && { directory }) });

beforeEach(async () => {
  time = new Date(Date.now() - 3 * 3_600_000);
  shell = await open();
  await shell.run('set global auto_add_default_portal=false');
});

const later = (minutes: number) => {
  time = new Date(time.getTime() + minutes * 60_000);
};
/** Without what chance and the clock made. */
const plain = (text: string) =>
  text
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME')
    .replace(/saveconfig-[\d:-]+-json/g, 'saveconfig-N-json')
    .replace(/\b[0-9a-f]{8}\b/g, 'CHANGE')
    .replaceAll(shell.directory, 'HOME');
const data = async (line: string) => JSON.parse(await shell.run(`${line} --json`)).data;

test('changes: who, from where, which line, in this home since ever; secrets are not kept; what was taken back says so', async () => {
  await shell.run(`/iscsi create ${iqn}`, '/ saveconfig');
  later(60);
  await shell
    .another({ by: bob })
    .run(`${tpg}/acls create ${client}`, `${tpg}/acls/${client} set auth password=verysecret`);
  later(60);
  await shell.host.root.apply({ path: tpg, verb: 'disable', params: {} });
  await shell.run('undo');
  await shell.close();
  shell = await open(shell.directory);
  const [root, other] = ['root (alice) pts/3 from 10.0.0.7', 'bob pts/4'];
  expect(plain(await shell.run('changes'))).toBe(
    [
      `TIME  CHANGE  ${root}  /iscsi create ${iqn}`,
      `TIME  CHANGE  ${other}  ${tpg}/acls create ${client}`,
      `TIME  CHANGE  ${other}  ${tpg}/acls/${client} set auth password=***`,
      `TIME  CHANGE  unknown  ${tpg} disable [was taken back]`,
      `TIME  CHANGE  ${root}  undo [takes back CHANGE]`,
      '',
    ].join('\n'),
  );
  expect(JSON.stringify(await data('changes'))).not.toContain('verysecret');
});

test('changes: by time, by user, terminal and address, by path, and the last of them', async () => {
  await shell.run(`/iscsi create ${iqn}`);
  later(90);
  await shell.another({ by: bob }).run(`${tpg}/acls create ${client}`, '/backstores/ramdisk create rd0 1M');
  const lines = async (words: string) => (await data(`changes ${words}`)).map(({ line }: { line: string }) => line);
  const [target, acl, disk] = [
    `/iscsi create ${iqn}`,
    `${tpg}/acls create ${client}`,
    '/backstores/ramdisk create rd0 1M',
  ];
  expect(await lines('since=2h')).toEqual([acl, disk]);
  expect(await lines('since=4h who=alice')).toEqual([target]);
  expect(await lines('who=pts/4')).toEqual([acl, disk]);
  expect(await lines('who=10.0.0.7')).toEqual([target]);
  expect(await lines(`path=${tpg}/acls/${client}`)).toEqual([acl]);
  expect(await lines('path=/backstores')).toEqual([disk]);
  expect(await lines(`path=${tpg}`)).toEqual([target, acl]);
  expect(await lines('last=1')).toEqual([disk]);
  expect(await shell.run('changes last=1')).toContain('2 before these: changes last=0');
  expect(await shell.run('changes since=soon')).toContain('is no time, as 2h (ago), today');
  expect((await data('changes last=1'))[0]).toEqual({
    change: expect.stringMatching(/^[0-9a-f]{8}$/),
    at: time.toISOString(),
    by: bob,
    line: disk,
    did: expect.arrayContaining([expect.stringMatching(/^\/backstores\/ramdisk create name=rd0 size=1M wwn=/)]),
  });
});

test('undo goes back over saveconfig and a restart, secrets and all; redo makes it again until something else is changed', async () => {
  await shell.run(
    `/iscsi create ${iqn}`,
    `${tpg}/acls create ${client}`,
    `${tpg}/acls/${client} set auth password=verysecret`,
  );
  await shell.run('/ saveconfig', `${tpg}/acls delete ${client}`, '/ saveconfig');
  await shell.close();
  shell = await open(shell.directory);
  const password = () => shell.run(`${tpg}/acls/${client} get auth password`);
  const said = await shell.run('undo');
  expect(said).toMatch(/^Last change \([\da-f]{8}\):\n/);
  expect(said).toContain(`:\n  ${tpg}/acls delete wwn=${client}\n`);
  expect(said).not.toContain('verysecret');
  expect(await password()).toBe('password=verysecret \n');
  expect(await shell.run('redo')).toBe(
    [
      'Taken back last:',
      `  ${tpg}/acls delete wwn=${client}`,
      'To make it again:',
      `  ${tpg}/acls delete wwn=${client}`,
      'The change was made again.',
      '',
    ].join('\n'),
  );
  expect(await password()).toContain('No such path');
  await shell.run('undo', 'undo');
  expect(await password()).toBe('password= \n');
  await shell.run(`${tpg} disable`);
  expect(await shell.run('redo')).toMatch(/^E\| Nothing to redo/);
});

test('undo takes the name of a change that is not the last; later ones stay', async () => {
  await shell.run(`/iscsi create ${iqn}`, `${tpg} set attribute login_timeout=20`, '/backstores/ramdisk create rd0 1M');
  const [, { change }] = await data('changes');
  await shell.run(`undo ${change}`);
  expect(await shell.run(`${tpg} get attribute login_timeout`)).toBe('login_timeout=15 \n');
  expect(shell.host.root.tree.storageObject('/backstores/ramdisk/rd0')).toBeDefined();
  expect(await shell.run(`undo ${change}`)).toContain(`There is no change ${change} that could be taken back.`);
});

test('diff since: what differs from what was there then, saved or not; where the journal ends, from what was saved then', async () => {
  await shell.run(`/iscsi create ${iqn}`);
  later(60);
  await shell.run('/backstores/ramdisk create rd0 1M', '/ saveconfig');
  later(60);
  await shell.run(`${tpg} disable`, '/ saveconfig');
  expect(await shell.run('diff since=150m')).toBe(
    `+ /backstores/ramdisk create name=rd0 size=1048576\n- ${tpg} disable\n`,
  );
  expect(await shell.run('diff since=90m')).toBe(`- ${tpg} disable\n`);
  expect(await shell.run('diff since=30m')).toMatch(/^Nothing differs from what was there at /);
  for (let times = 0; times < 4; times += 1) await shell.host.history.shorten();
  expect(await shell.run('diff since=90m')).toBe(`- ${tpg} disable\n`);
  expect(await shell.run('diff since=5d')).toMatch(
    /^E\| What was there at .* is not known any more\.\nE\| How far back/,
  );
});

test('backups: when each was saved, by whom, with how many changes', async () => {
  expect(await shell.run('backups')).toMatch(/^No backups in /);
  await shell.run(`/iscsi create ${iqn}`, '/ saveconfig');
  later(30);
  await shell.another({ by: bob }).run(`${tpg}/acls create ${client}`, `${tpg} disable`, '/ saveconfig');
  later(30);
  await shell.run(`${tpg} enable`, '/ saveconfig');
  expect(plain(await shell.run('backups'))).toBe(
    [
      'TIME  root (alice) pts/3 from 10.0.0.7  1 change  HOME/backup/saveconfig-N-json.gz',
      'TIME  bob pts/4  2 changes  HOME/backup/saveconfig-N-json.gz',
      '',
    ].join('\n'),
  );
  expect(await data('backups')).toMatchObject([
    { by: alice, changes: 1 },
    { by: bob, changes: 2 },
  ]);
});
