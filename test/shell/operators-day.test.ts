// Mistakes of a tired operator, and the words of the answer that say what to type instead. Not here: the commands themselves.

import { beforeEach, expect, test } from 'vitest';
import { ownShell, type TestShell } from '../support/own-shell.ts';

let shell: TestShell;
beforeEach(async () => {
  shell = await ownShell();
});

const tpg = '/iscsi/iqn.2003-01.org.example:disk/tpg1';
const target = ['/ set global auto_add_default_portal=false', '/iscsi create iqn.2003-01.org.example:disk'];

test('a value without its group sets nothing, which is an error that names the group', async () => {
  await shell.run(...target);
  const said = await shell.run(`${tpg} set generate_node_acls=1`);
  expect(said).toMatch(/^E\| .*nothing was set\.\nE\| Did you mean: set attribute generate_node_acls=/);
  expect(await shell.run(`${tpg} get attribute generate_node_acls`)).toContain('generate_node_acls=0');
});

test('an address and a port in one word are told apart for the operator', async () => {
  await shell.run(...target);
  expect(await shell.run(`${tpg}/portals create 127.0.0.1:14101`)).toContain('create 127.0.0.1 14101');
  expect(await shell.run(`${tpg}/portals create [::1]:14102`)).toContain('create [::1] 14102');
});

test('the sign that a target cannot have in its name is named', async () => {
  expect(await shell.run('/iscsi create iqn.2003-01.org.example:Disk_0')).toContain('_ cannot be in it');
});

test.each(['.', '..'])('a storage object that no path could name is not made: %s', async (name) => {
  expect(await shell.run(`/backstores/ramdisk create ${name} 1M`)).toContain(`cannot be called ${name}`);
});

test('words of other shells are understood', async () => {
  expect(await shell.run('clear')).toBe('');
  expect(await shell.run('history')).toBe('(no lines yet)\n');
  expect(await shell.run('help quit')).toContain('Leaves the shell');
});

test('@last is not offered once what it names is gone', async () => {
  await shell.run('/backstores/ramdisk create rd 1M');
  expect(await shell.complete('cd @')).toContain('@last');
  await shell.run('/backstores/ramdisk delete rd');
  expect(await shell.complete('cd @')).not.toContain('@last');
});
