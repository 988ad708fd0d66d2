// Tools that drive targetcli read its answers in their own ways: row.split(' '), and regular expressions. The lines that they type, and
// all of the answers, are in the transcripts beside this file.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
const iqn = 'iqn.1994-05.com.redhat:data';
const client = 'iqn.1994-05.com.redhat:client1';
const tpg = `/iscsi/${iqn}/tpg1`;

beforeEach(async () => {
  shell = await ownShell({ bareErrors: true });
  await shell.run(
    '/backstores/ramdisk create test1 8M',
    '/backstores/ramdisk create test2 8M',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/test1`,
    `${tpg}/luns create /backstores/ramdisk/test2 5`,
    `${tpg}/acls create ${client}`,
    `${tpg}/portals delete 0.0.0.0 3260`,
    `${tpg}/portals create ip_address=::0 ip_port=3260`,
  );
});

/** Rows of an `ls`, split as Ansible's modules split them. */
const rowsOf = async (path: string) =>
  (await shell.run(`${path} ls`))
    .trimEnd()
    .split('\n')
    .map((row) => row.split(' '));

test('ansible targetcli_iscsi_lun: the number and the storage object of each LUN', async () => {
  const rows = (await rowsOf(`${tpg}/luns`)).filter((row) => row[0] !== 'luns' && row[1] !== 'luns');
  expect(rows.map((row) => [row[3]?.slice(3), row[5]?.slice(1)])).toEqual([
    ['0', 'ramdisk/test1'],
    ['5', 'ramdisk/test2'],
  ]);
});

test('ansible targetcli_iscsi_portal: the address and port', async () => {
  expect((await rowsOf(`${tpg}/portals`)).slice(1).map((row) => row[3])).toEqual(['[::0]:3260']);
});

test('ansible targetcli_iscsi_acl: mapped LUNs and what they are', async () => {
  const rows = (await rowsOf(`${tpg}/acls/${client}`)).slice(1);
  expect(rows.map((row) => [row[3]?.slice(10), row[6]])).toEqual([
    ['0', 'ramdisk/test1'],
    ['5', 'ramdisk/test2'],
  ]);
});

test('Proxmox LIO.pm: /LUN (\\d+)/ of an answer, and the saved file', async () => {
  await shell.run('/backstores/ramdisk create vm-100 8M');
  const number = /LUN (\d+)/.exec(await shell.run(`${tpg}/luns/ create /backstores/ramdisk/vm-100`))?.[1];
  expect(number).toBe('1');
  await shell.run('saveconfig');
  const { targets } = JSON.parse(readFileSync(join(shell.directory, 'saveconfig.json'), 'utf8'));
  const [target] = targets.filter((one: { fabric: string }) => one.fabric === 'iscsi');
  const found = target.tpgs[0].luns.find((lun: { storage_object: string }) => /\/vm-100$/.test(lun.storage_object));
  expect([target.wwn, target.tpgs[0].tag, String(found.index)]).toEqual([iqn, 1, number]);
});

test('Pacemaker iSCSILogicalUnit: grep "Mapped LUNs: 0" of a status', async () => {
  expect(await shell.run(`${tpg}/acls/${client} status`)).not.toMatch(/Mapped LUNs: 0/);
  await shell.run(`${tpg}/luns delete 0`, `${tpg}/luns delete 5`);
  expect(await shell.run(`${tpg}/acls/${client} status`)).toMatch(/Mapped LUNs: 0/);
});

test('scripts: sed "s/.*o- \\([^ ]*\\) .*/\\1/" of ls PATH 1', async () => {
  const names = (await shell.run('ls /iscsi 1'))
    .trimEnd()
    .split('\n')
    .map((row) => row.replace(/.*o- ([^ ]*) .*/, '$1'));
  expect(names).toEqual(['iscsi', iqn]);
});

test('vdsm, democratic-csi: what is asked for and is not there fails', async () => {
  const sink = { write: () => {}, ask: async () => null };
  const ok = async (line: string) => (await shell.session.run(line, sink, new AbortController().signal)).ok;
  expect(await ok(`${tpg}/portals ls [::0]:3260`)).toBe(true);
  expect(await ok(`${tpg}/portals ls 10.0.0.1:3260`)).toBe(false);
  expect(await ok('/backstores/ramdisk/nosuch status')).toBe(false);
});
