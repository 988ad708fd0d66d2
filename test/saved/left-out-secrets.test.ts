// Saved files without secrets: they say what they leave out, take away no secret that is there, and let nobody in without one.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dumpTree } from '../../src/index.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { freePort, iqn } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const client = 'iqn.1994-05.com.redhat:client1';
const secrets = ['of-the-acl-in', 'of-the-acl-out', 'of-the-tpg-itself', 'of-discovery-too', 'of-an-account-1'];

/** A target with every kind of secret, and its file without them. */
async function configured(): Promise<{ shell: TestShell; file: string; port: number }> {
  const shell = await ownShell();
  const port = await freePort();
  const file = join(shell.directory, 'shared.json');
  const said = await shell.run(
    '/ set global auto_add_default_portal=false',
    '/backstores/ramdisk create rd 1M',
    `/iscsi create ${iqn}`,
    `${tpg}/luns create /backstores/ramdisk/rd`,
    `${tpg}/portals create 127.0.0.1 ${port}`,
    `${tpg}/acls create ${client}`,
    `${tpg} set attribute authentication=1 generate_node_acls=1`,
    `${tpg}/acls/${client} set auth userid=a password=${secrets[0]} mutual_userid=m mutual_password=${secrets[1]}`,
    `${tpg} set auth userid=t password=${secrets[2]}`,
    `/iscsi set discovery_auth enable=1 userid=d password=${secrets[3]}`,
  );
  expect(said).not.toContain('E| ');
  await shell.host.root.apply({
    path: '/iscsi',
    verb: 'add_account',
    params: { userid: 'acc', password: secrets[4]! },
  });
  await shell.run(`${tpg} set auth accounts=acc`);
  writeFileSync(file, await shell.run('export lio'));
  return { shell, file, port };
}

test('the file has no secret, and each object says which it leaves out', async () => {
  const { shell, file } = await configured();
  const text = readFileSync(file, 'utf8');
  for (const secret of secrets) expect(text).not.toContain(secret);
  const { fabric_modules: modules, targets } = JSON.parse(text);
  expect(modules[0]).toMatchObject({
    accounts: [{ userid: 'acc', secrets_left_out: ['password'] }],
    discovery_userid: 'd',
    secrets_left_out: ['discovery_password'],
  });
  expect(targets[0].tpgs[0]).toMatchObject({ chap_userid: 't', secrets_left_out: ['chap_password'] });
  expect(targets[0].tpgs[0].node_acls[0].secrets_left_out).toEqual(['chap_password', 'chap_mutual_password']);
  await shell.run(`saveconfig ${file}`);
  expect(await shell.run('export lio secrets=true')).toBe(readFileSync(file, 'utf8'));
});

test('restored where the secrets are, it changes nothing of them: comparing says so, too', async () => {
  const { shell, file } = await configured();
  const before = dumpTree(shell.host.root.tree);
  expect(await shell.run(`diff ${file}`)).toBe(`Nothing differs from ${file}\n`);
  expect(await shell.run(`restoreconfig ${file} clear_existing=true dry_run=true`)).toBe(
    `${file} would change nothing.\n`,
  );
  await shell.run('/backstores/ramdisk create more 1M');
  expect(await shell.run(`restoreconfig ${file} clear_existing=true`)).toContain(
    `Configuration restored from ${file}\n`,
  );
  expect(dumpTree(shell.host.root.tree)).toEqual(before);
  // A secret belongs to a name: under another one it proves nothing.
  await shell.run(`${tpg} set auth userid=other`);
  expect(await shell.run(`restoreconfig ${file} clear_existing=true`)).toContain(
    "E| Could not set tpg 1 attribute 'chap_password': the file leaves secrets out, and there is none here, skipped\n",
  );
});

test('restored where no secrets are, it names each that is missing and lets nobody in', async () => {
  const { shell, file, port } = await configured();
  await shell.run('clearconfig confirm=true');
  const said = await shell.run(`restoreconfig ${file}`);
  expect(said).toContain('Configuration restored, 5 recoverable errors:');
  expect(said).toContain(
    `Could not set nodeacl ${client} attribute 'chap_mutual_password': the file leaves secrets out, and there is none here, skipped`,
  );
  expect(await shell.run('doctor')).toMatch(/\/iscsi requires CHAP|discovery_auth requires CHAP/);
  await shell.host.root.start();
  for (const name of [client, `${client}0`]) await expect(connectInitiator(port, iqn, name)).rejects.toThrow();
  // The tree that is saved next says nothing of it any more: the words were never here.
  expect(JSON.stringify(dumpTree(shell.host.root.tree))).not.toContain('secrets_left_out');
});

test('a value that a stranger writes under the key is reported, and no reason to stop', async () => {
  const shell = await ownShell();
  const file = join(shell.directory, 'odd.json');
  const tpgs = [{ tag: 1, attributes: { authentication: 1 }, secrets_left_out: 'all' }];
  writeFileSync(file, JSON.stringify({ targets: [{ fabric: 'iscsi', wwn: iqn, tpgs }], storage_objects: [] }));
  expect(await shell.run(`restoreconfig ${file}`)).toContain(
    "'secrets_left_out' of Could not set tpg 1 attribute is no list",
  );
});
