// Access lists and accounts as they are typed, shown, saved, compared and undone. What they do: test/iscsi/access-list.test.ts.

import { beforeEach, expect, test } from 'vitest';
import { dumpTree } from '../../src/index.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const client = 'iqn.1994-05.com.redhat:client1';
let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
  await shell.run('set global auto_add_default_portal=false', `/iscsi create ${iqn}`, '/ saveconfig');
});

const list = () => shell.host.root.tree.fabrics.get('iscsi')!.targets.get(iqn)!.tpgs.get(1)!.accessList;
const now = () => JSON.stringify(dumpTree(shell.host.root.tree));

test('allow begins a list, disallow may leave an empty one, which is not the same as none', async () => {
  expect(await shell.run(`${tpg} allow 192.0.2.0/24`)).toBe(`192.0.2.0/24 may come to ${tpg}.\n`);
  await shell.run(`${tpg} allow ${client.toUpperCase()}`, `${tpg} allow all`);
  expect(list()).toEqual({ addresses: ['192.0.2.0/24', 'ALL'], names: [client] });
  expect(await shell.run('ls /iscsi')).toContain('only 2 addresses and 1 name');
  expect(await shell.run(`${tpg} info`)).toContain('access_addresses: 192.0.2.0/24, ALL\n');
  await shell.run(`${tpg} disallow 192.0.2.0/24`, `${tpg} disallow ALL`);
  expect(await shell.run(`${tpg} disallow ${client}`)).toContain(`To take the list away: ${tpg} unrestrict`);
  expect(list()).toEqual({ addresses: [], names: [] });
  expect(await shell.run('ls /iscsi')).toContain('only nobody');
  await shell.run(`${tpg} unrestrict`);
  expect(list()).toBeUndefined();
});

test('a rule that would match nobody is refused where it is typed', async () => {
  expect(await shell.run(`${tpg} allow host7`)).toContain("E| 'host7' is no IPv4 or IPv6 address");
  expect(await shell.run(`${tpg} restrict addresses=192.0.2.7/24`)).toContain('bits beyond its prefix');
  expect(await shell.run(`${tpg} disallow 192.0.2.7`)).toContain('is not in the access list');
  expect(list()).toBeUndefined();
});

test('saved beside the keys of LIO, and read back by the next process; what cannot be read lets nobody come', async () => {
  await shell.run(
    '/iscsi add_account fred password=the-secret-of-fred',
    '/iscsi add_account bill password=the-secret-of-bill',
    `${tpg} set auth accounts=fred,bill`,
    '/iscsi set discovery_auth accounts=bill',
    `${tpg} restrict addresses=192.0.2.7 names=${client}`,
  );
  const before = now();
  await shell.run('/ saveconfig');
  await shell.close();
  shell = await ownShell({ directory: shell.directory });
  expect(now()).toBe(before);
  const configuration = JSON.parse(before);
  configuration.targets[0].tpgs[0].access_list = 'ALL';
  const params = { configuration, clear_existing: true };
  const { notes } = await shell.host.root.apply({ path: '/', verb: 'restoreconfig', params });
  expect(notes).toEqual(["'access_list' of TPG 1 is no object; it lets nobody come"]);
  expect(list()).toEqual({ addresses: [], names: [] });
});

test('each change is one that diff shows and undo takes back, without a secret', async () => {
  const states = [now()];
  for (const line of [
    '/iscsi add_account fred password=the-secret-of-fred',
    '/iscsi add_account bill the-secret-of-bill',
    `${tpg} set auth accounts=fred,bill`,
    `${tpg} allow 192.0.2.7`,
    `${tpg} allow ${client}`,
    `${tpg} disallow 192.0.2.7`,
    '/iscsi remove_account fred',
    `${tpg} unrestrict`,
  ]) {
    expect(await shell.run(line)).not.toContain('E| ');
    states.push(now());
  }
  const diff = await shell.run('/ diff');
  expect(diff).toContain('+ /iscsi add_account userid=bill password=***');
  expect(diff).toContain(`~ ${tpg} set auth accounts=bill`);
  for (const state of states.toReversed().slice(1)) {
    expect(await shell.run('/ undo')).not.toContain('the-secret');
    expect(now()).toBe(state);
  }
});

test('an account: its name is one word, it is there once, and its secret is not repeated', async () => {
  await shell.run('/iscsi add_account fred password=the-secret-of-fred');
  expect(await shell.run('/iscsi add_account fred the-other-secret extra')).not.toContain('the-other-secret');
  expect(await shell.run('/iscsi add_account fred password=another-secret')).toContain('There is an account fred');
  expect(await shell.run('/iscsi add_account "a b" password=another-secret')).toContain('no blanks');
  expect(await shell.run(`${tpg} set auth accounts=nobody`)).toContain('E| There is no account nobody');
  expect(await shell.run('/iscsi remove_account nobody')).toContain('Accounts: fred');
});
