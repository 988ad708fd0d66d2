// Lines whose words were once passed over: what is typed is done, or refused with what to type instead. Not here: the words of the program
// (test/shell/process/program.test.ts).

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { TypedLine } from '../../shell/channel/client-file.ts';
import type { SessionInfo } from '../../src/target/service.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = 'iqn.2003-01.org.example:t1';
const tpg = `/iscsi/${iqn}/tpg1`;
const portal = `${tpg}/portals/127.0.0.1:3260`;
const client = 'iqn.1994-05.com.redhat:client1';
const local = '/vhost/naa.5001405000000001/tpg1';
let shell: TestShell;

beforeEach(async () => {
  shell = await ownShell();
  const said = await shell.run(
    'set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    `${tpg}/portals create 127.0.0.1 3260`,
    `${tpg}/portals create 127.0.0.1 3261`,
    `${tpg}/acls create ${client}`,
    '/vhost create naa.5001405000000001',
    `${local}/acls create naa.5001405000000002`,
    '/ saveconfig',
  );
  expect(said).not.toContain('E| ');
  const discovery = { id: 5, fabric: 'iscsi', targetWwn: '', tpgTag: 0, initiatorWwn: client, type: 'Discovery' };
  shell.host.root.sessions = () => [{ ...discovery, acl: false, connections: [] } as unknown as SessionInfo];
});

test.each([
  [`${local}/acls delete naa.5001405000000002 fence=10m`, `Initiators do not log in to ${local}`],
  ['sessions kill 5 fence=10m', 'this is a session of discovery'],
  ['sessions list fence=10m', 'fence stands behind kill'],
  ['sessions list fence=10m --json', 'fence stands behind kill'],
  [`${portal} drain to=refuse`, `To refuse them: ${portal} drain`],
  [`${portal} drain to=127.0.0.1:3260`, 'is this portal itself'],
  [
    `${tpg} drain`,
    'drain is a command of portals/127.0.0.1:3260: portals/127.0.0.1:3260/ drain and portals/127.0.0.1:3261',
  ],
])('%s is refused, and nothing is changed', async (line, says) => {
  expect(await shell.run(line)).toMatch(/^E\| /);
  expect(await shell.run(line)).toContain(says);
  expect(await shell.run('diff')).toMatch(/^Nothing differs from /);
});

test('a portal that was drained to an address, and is advertised by it since, comes back with undo', async () => {
  const lines = [`${portal} set attribute drain=192.0.2.9`, `${portal} set attribute advertised=192.0.2.9:3260`];
  const said = await shell.run(...lines, `${portal} set attribute drain=`, 'undo');
  expect(said).not.toContain('E| ');
  expect([...shell.host.root.tree.tpgs()][0]!.portals[0]!.drain).toBe('192.0.2.9');
});

test('nobody is asked for a secret that could not be set', async () => {
  shell.answer = 'a-secret-of-ours';
  const renew = `${tpg}/acls/${client} renew_secret`;
  const refused = /^E\| There is no secret that could be renewed\.\n/;
  // A secret that is made is not shown either.
  for (const line of [`${renew} password=@ask`, renew]) expect(await shell.run(line)).toMatch(refused);
  expect(shell.questions).toEqual([]);
});

test.each(['apply NAME', '--json apply NAME', 'apply --json file=NAME', '/ apply NAME | json'])(
  'the file of "%s" is read where it was typed',
  async (line) => {
    const path = join(temporaryDirectory(), 'disks.yaml');
    writeFileSync(path, 'x: 1\n');
    const typed = new TypedLine(line.replace('NAME', path));
    expect(JSON.parse(await typed.answer({ kind: 'file', path }))).toEqual({ text: 'x: 1\n' });
  },
);
