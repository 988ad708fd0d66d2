// The address that a portal is advertised as: in discovery, through NAT and containers; set, saved, compared and undone as any setting.

import { expect, it } from 'vitest';
import { sendTargets } from '../../src/iscsi/discovery.ts';
import { redirectionOf } from '../../src/iscsi/redirection.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';

const iqn = 'iqn.2003-01.org.example:t';
const tpg = `/iscsi/${iqn}/tpg1`;
const portal = `${tpg}/portals/0.0.0.0:3261`;
let shell: TestShell;

async function open(): Promise<TestShell> {
  shell = await ownShell();
  await shell.run(
    'set global auto_add_default_portal=false',
    `/iscsi create ${iqn}`,
    `${tpg}/portals create 0.0.0.0 3261`,
    '/ saveconfig',
  );
  return shell;
}

const told = () => {
  const asker = { initiatorName: 'iqn.1994-05.com.redhat:c', address: '10.1.2.3', localAddress: '172.17.0.2' };
  const pairs = sendTargets(
    shell.host.root.tree.fabrics.get('iscsi')!,
    { ...asker, date: 0, boundPort: () => 3261 },
    'All',
    undefined,
  );
  return pairs?.flatMap(([key, value]) => (key === 'TargetAddress' ? [value] : []));
};

it('discovery names it, with the port that it listens on where none is said', async () => {
  await open();
  expect(told()).toEqual(['172.17.0.2:3261,1']);
  for (const [advertised, address] of [
    ['192.0.2.9', '192.0.2.9:3261,1'],
    ['192.0.2.9:13260', '192.0.2.9:13260,1'],
    ['[2001:db8::9]', '[2001:db8::9]:3261,1'],
    ['[2001:db8::9]:3260', '[2001:db8::9]:3260,1'],
    ['storage.example.org', 'storage.example.org:3261,1'],
  ]) {
    await shell.run(`${portal} set attribute advertised=${advertised}`);
    expect(told()).toEqual([address]);
  }
  expect(await shell.run(`${portal} set attribute advertised=1.2.3`)).toContain(
    "'1.2.3' is no ADDRESS or ADDRESS:PORT",
  );
});

it('is saved, compared, undone, exported, and goes with its portal', async () => {
  await open();
  await shell.run(`${portal} set attribute advertised=192.0.2.9`);
  expect(await shell.run('diff')).toBe(`~ ${portal} set attribute advertised=192.0.2.9 (was empty)\n`);
  expect(await shell.run(`${portal} status`)).toBe(`Status for ${portal}: as 192.0.2.9\n`);
  expect(await shell.run('export yaml')).toContain('advertised: 192.0.2.9');
  await shell.run('/ saveconfig', `${tpg}/portals delete 0.0.0.0 3261`, 'undo');
  expect(told()).toEqual(['192.0.2.9:3261,1']);
  await shell.close();
  shell = await ownShell({ directory: shell.directory });
  expect(told()).toEqual(['192.0.2.9:3261,1']);
});

it('an initiator that has come to the address that a redirection names, under the advertised name, is let in', async () => {
  await open();
  await shell.run(`${portal} set attribute advertised=192.0.2.9`, `${tpg} set attribute redirect=192.0.2.9:3261`);
  const [only] = [...shell.host.root.tree.tpgs()];
  expect(redirectionOf(only!, '172.17.0.2:3261')).toBeUndefined();
  expect(redirectionOf(only!, '172.17.0.2:3262')?.message).toBe('to 192.0.2.9:3261');
});
