// Errors that say what to type instead. Not here: what a tired operator types besides (operators-day), where in a line a slip is
// marked (session/session).

import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { freePort } from '../support/tcli.ts';

let shell: TestShell;
const iqn = 'iqn.2003-01.org.example:disk';
const tpg = `/iscsi/${iqn}/tpg1`;

beforeEach(async () => {
  shell = await ownShell();
  await shell.run(
    '/ set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    '/backstores/ramdisk create rd0 1M',
    `${tpg}/luns create /backstores/ramdisk/rd0`,
  );
});

const person = () => shell.another({});
const asPerson = (line: string) => {
  const one = person();
  one.session.setTerminal({ columns: 132, color: false, interactive: true });
  return one.run(line);
};

test.each([
  ['/backstores/ramdisk create x 1X', 'wrong format: 1X', 'A size is digits and k, m, g or t: 500M, 10G, 2T.'],
  ['/backstores/ramdisk create x 999999T', 'too large: 999999T', '8191T is the most'],
  [
    `${tpg} create`,
    'Command not found create',
    'create is a command of acls: acls/ create and luns: luns/ create and portals: portals/ create',
  ],
  [`${tpg} help create`, 'Cannot find help topic create', 'create is a command of acls: acls/ create'],
  [`${tpg}/luns/lun0 delete`, 'Command not found delete', `${tpg}/luns: ${tpg}/luns/ delete 0\n`],
  ['/backstores/ramdisk/rd0 delete', 'Command not found delete', '/backstores/ramdisk/ delete rd0\n'],
  ['/ share size=5G', 'What is to be shared?', 'share /srv/disk.img size=5G'],
  ['/ why from 192.0.2.7', 'stands in front of from', 'why INITIATOR from ADDRESS'],
  [`/ why iqn.x ${iqn} somewhere`, "'somewhere' is no address", 'from 192.0.2.7'],
  [`${tpg} rename x`, 'Command not found rename', `${tpg.replace('/tpg1', '')}/ rename WWN\n`],
  [`${tpg} delete`, 'Command not found delete', `${tpg.replace('/tpg1', '')}/ delete 1\n`],
  [`${tpg} craete`, 'Command not found craete', 'Did you mean acls/ create?'],
  [`${tpg}/luns create rd0`, 'storage object or path not valid', 'did you mean /backstores/ramdisk/rd0?'],
  ['/backstores/fileio create name=f file=/x', 'Missing required parameter file_or_dev', 'Did you mean file_or_dev=?'],
  ['/ list', 'Missing required parameter kind', 'It is one of: disks, luns, initiators, targets, portals.'],
  ['/ export', 'Missing required parameter format', 'It is one of: yaml, json, schema, tgt, lio.'],
  [`${tpg}/portals delete 127.0.0.1 99`, 'No such NetworkPortal', 'This TPG has no portals.'],
])('%s: says what to type', async (line, first, hint) => {
  const said = await shell.run(line);
  expect(said).toContain(first);
  expect(said).toContain(hint);
});

test('a quote that is not closed is marked', async () => {
  expect(await shell.run('ls "/iscsi')).toBe('E| Syntax error, " is not closed\nE|   ls "/iscsi\nE|      ^\n');
});

test('a portal that cannot be opened: the addresses that there are, and who has the port', async () => {
  await shell.host.root.start();
  const port = await freePort();
  expect(await shell.run(`${tpg}/portals create 192.0.2.77 ${port}`)).toMatch(
    /address not available.*\nE\| Addresses of this machine: 0\.0\.0\.0 \(all\), .*127\.0\.0\.1\n/,
  );
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const taken = (other.address() as AddressInfo).port;
  expect(await shell.run(`${tpg}/portals create 127.0.0.1 ${taken}`)).toContain(
    `Who has the port: ss -ltnp 'sport = :${taken}'.`,
  );
  await shell.run(`${tpg}/portals create 0.0.0.0 ${port}`);
  expect(await shell.run(`${tpg}/portals delete 127.0.0.1 ${port}`)).toContain(`Portals here: 0.0.0.0:${port}`);
  expect(await shell.run(`${tpg}/portals create 127.0.0.1 ${port}`)).toContain(
    `${tpg}/portals/0.0.0.0:${port} and this one would take each other's connections; delete it first.`,
  );
});

test('people are not told of a configfs that is not here; programs hear what LIO says', async () => {
  const line = `${tpg}/portals delete 127.0.0.1 99`;
  expect(await shell.run(line)).toContain('in configfs: /sys/kernel/config/target/iscsi');
  expect(await asPerson(line)).toContain(`No such NetworkPortal: ${tpg}/portals/127.0.0.1:99`);
  expect(await asPerson(`/iscsi create ${iqn}`)).toMatch(/^E\| .*This Target already exists\n/m);
  expect(await shell.run(`/iscsi create ${iqn}`)).toContain('This Target already exists in configFS');
});

test('CHAP that admits nobody is said where it is set, and shown as what it is', async () => {
  expect(await asPerson(`${tpg} set attribute authentication=1 generate_node_acls=1`)).toContain(
    `${tpg} requires CHAP and has no userid and password: nobody gets in. To change it: ${tpg} set auth userid=NAME password=@ask\n`,
  );
  expect(await shell.run(`${tpg} status`)).toContain('tpg-auth, admits nobody');
  expect(await asPerson('/iscsi set discovery_auth enable=1')).toContain('/iscsi set discovery_auth userid=NAME');
  expect(await shell.run('/iscsi status')).toContain('disc auth admits nobody');
  expect(await asPerson(`${tpg} set auth userid=me password=short`)).toContain('password has fewer than 12 bytes');
  expect(await shell.run(`${tpg} set auth password=shorts`)).toBe("Parameter password is now '***'.\n");
  expect(await shell.run(`${tpg} status`)).toContain('1-way auth');
});

test('a restore that is only shown names the media and addresses that are not here, and fails as it would', async () => {
  const [file, other] = [join(shell.directory, 'saved.json'), await ownShell()];
  const medium = join(other.directory, 'disk.img');
  await other.run(
    `/backstores/fileio create esx1 ${medium} 1M`,
    `/iscsi create ${iqn}`,
    `${tpg}/portals create 192.0.2.77 3271`,
    `saveconfig ${file}`,
  );
  rmSync(medium);
  let ok = true;
  const written: string[] = [];
  const sink = { write: (text: string) => void written.push(text), ask: async () => null };
  ({ ok } = await shell.session.run(
    `restoreconfig ${file} clear_existing=true dry_run=true`,
    sink,
    new AbortController().signal,
  ));
  expect(written.join('')).toContain(
    `StorageObject esx1: Could not open ${medium}: no such file or directory, would be skipped`,
  );
  expect(written.join('')).toContain('NetworkPortal 192.0.2.77: address not available; this machine has ');
  expect(ok).toBe(false);
});

test('saveconfig says that it made the folder of its file, as targetcli makes it without a word', async () => {
  const folder = join(shell.directory, 'no', 'such');
  expect(await shell.run(`saveconfig ${folder}/x.json`)).toBe(
    `Configuration saved to ${folder}/x.json\nThe folder ${folder} was not there; it was made.\n`,
  );
  expect(existsSync(`${folder}/x.json`)).toBe(true);
  expect(await shell.run(`saveconfig ${folder}/y.json`)).toBe(`Configuration saved to ${folder}/y.json\n`);
});
