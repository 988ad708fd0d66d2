// The address that a portal is advertised as: in discovery, through NAT and containers; set, saved, compared and undone as any setting.

import { expect, it } from 'vitest';
import { sendTargets } from '../../src/iscsi/discovery.ts';
import { redirectionOf } from '../../src/iscsi/redirection.ts';
import type { Portal } from '../../src/target/target.ts';
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

const addresses = () => told().filter((text) => !text.startsWith('TargetName'));

/** @param boundPort the port of each portal that is here */
const told = (boundPort: (portal: Portal) => number | undefined = () => 3261): string[] => {
  const asker = { initiatorName: 'iqn.1994-05.com.redhat:c', address: '10.1.2.3', localAddress: '172.17.0.2' };
  const pairs = sendTargets(
    shell.host.root.tree.fabrics.get('iscsi')!,
    { ...asker, date: 0, boundPort },
    'All',
    undefined,
  );
  return (pairs ?? []).map(([key, value]) => (key === 'TargetAddress' ? value : `${key}=${value}`));
};

it('discovery names it, with the port that it listens on where none is said', async () => {
  await open();
  expect(addresses()).toEqual(['172.17.0.2:3261,1']);
  for (const [advertised, address] of [
    ['192.0.2.9', '192.0.2.9:3261,1'],
    ['192.0.2.9:13260', '192.0.2.9:13260,1'],
    ['[2001:db8::9]', '[2001:db8::9]:3261,1'],
    ['[2001:db8::9]:3260', '[2001:db8::9]:3260,1'],
    ['storage.example.org', 'storage.example.org:3261,1'],
  ]) {
    await shell.run(`${portal} set attribute advertised=${advertised}`);
    expect(addresses()).toEqual([address]);
  }
  expect(await shell.run(`${portal} set attribute advertised=1.2.3`)).toContain(
    "'1.2.3' is no ADDRESS or ADDRESS:PORT",
  );
});

it('a gateway whose portals are drained does not name the target: the initiator would come back to it', async () => {
  await open();
  await shell.run(`${tpg}/portals create 10.0.0.9 3262`, `${portal} set attribute drain=refuse`);
  shell.host.root.tree.place.gateway = 1;
  expect(told((one) => (one.address === '0.0.0.0' ? 3261 : undefined))).toEqual([]);
  expect(told((one) => (one.address === '0.0.0.0' ? undefined : 3262))).toEqual([
    `TargetName=${iqn}`,
    expect.stringMatching(/^10\.0\.0\.9:3262,/),
  ]);
});

it('is saved, compared, undone, exported, and goes with its portal', async () => {
  await open();
  await shell.run(`${portal} set attribute advertised=192.0.2.9`);
  expect(await shell.run('diff')).toBe(`~ ${portal} set attribute advertised=192.0.2.9 (was empty)\n`);
  expect(await shell.run(`${portal} status`)).toBe(`Status for ${portal}: as 192.0.2.9\n`);
  expect(await shell.run('export yaml')).toContain('advertised: 192.0.2.9');
  await shell.run('/ saveconfig', `${tpg}/portals delete 0.0.0.0 3261`, 'undo');
  expect(addresses()).toEqual(['192.0.2.9:3261,1']);
  await shell.close();
  shell = await ownShell({ directory: shell.directory });
  expect(addresses()).toEqual(['192.0.2.9:3261,1']);
});

it('an initiator that has come to the address that a redirection names, under the advertised name, is let in', async () => {
  await open();
  await shell.run(`${portal} set attribute advertised=192.0.2.9`, `${tpg} set attribute redirect=192.0.2.9:3261`);
  const [only] = [...shell.host.root.tree.tpgs()];
  expect(redirectionOf(only!, '172.17.0.2:3261')).toBeUndefined();
  expect(redirectionOf(only!, '172.17.0.2:3262')?.message).toBe('to 192.0.2.9:3261');
});
