// The answer of `why` beside the outcome of a login: each configuration is asked about, then logged in to. Job 7 of an administrator's
// day: one line. Not here: the words of the shell (test/shell/why.test.ts).

import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { openHost } from '../../src/root/host.ts';
import { whyAtLun, whyRefused } from '../../src/root/why.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { loginAt, serveDisk } from '../support/served-disk.ts';
import { freePort, iqn, temporaryDirectory } from '../support/tcli.ts';

const tpg = `/iscsi/${iqn}/tpg1`;
const one = 'iqn.1994-05.com.redhat:one';
const acl = `${tpg}/acls/${one}`;

async function serve() {
  const port = await freePort();
  const { host, apply, set } = await serveDisk([port], { only: one });
  const ask = async (from?: string) => {
    await host.root.observe();
    return whyRefused(host.root, host.onlookers, { initiator: one, target: iqn, ...(from && { from }) });
  };
  const login = (name = one) => loginAt(port, name);
  return { host, apply, set, ask, login, port };
}

type Served = Awaited<ReturnType<typeof serve>>;

const refusals: Record<string, { rule: string; make(served: Served): Promise<unknown>; mend: string | undefined }> = {
  'the TPG is disabled': {
    rule: 'enabled',
    make: ({ apply }) => apply(tpg, 'disable'),
    mend: `${tpg} enable`,
  },
  'the access list does not have it': {
    rule: 'access list',
    make: ({ apply }) => apply(tpg, 'restrict', { addresses: '192.0.2.0/24', names: '' }),
    mend: `${tpg} allow ${one}`,
  },
  'logins are sent elsewhere': {
    rule: 'redirect',
    make: ({ set }) => set(tpg, 'attribute', 'redirect', '192.0.2.9:3260'),
    mend: `${tpg} set attribute redirect=`,
  },
  'a fence keeps it out': {
    rule: 'fence',
    make: ({ apply }) => apply(tpg, 'fence', { wwn: one, until: new Date(Date.now() + 3_600_000).toISOString() }),
    mend: `${tpg} unfence ${one}`,
  },
  'every portal is drained': {
    rule: 'drain',
    make: ({ set, port }) => set(`${tpg}/portals/127.0.0.1:${port}`, 'attribute', 'drain', 'refuse'),
    mend: expect.stringMatching(/portals\/127\.0\.0\.1:\d+ undrain$/) as unknown as string,
  },
  'it has no ACL': {
    rule: 'acl',
    make: ({ apply }) => apply(`${tpg}/acls`, 'delete', { wwn: one }),
    mend: `${tpg}/acls create ${one}`,
  },
  'CHAP is asked for, and nobody has a secret': {
    rule: 'chap',
    make: ({ set }) => set(tpg, 'attribute', 'authentication', '1'),
    mend: `${acl} set auth userid=NAME password=SECRET`,
  },
  'there is no such target': {
    rule: 'target',
    make: ({ apply }) => apply('/iscsi', 'delete', { wwn: iqn }),
    mend: `/iscsi create ${iqn}`,
  },
};

it.each(Object.keys(refusals))(
  '%s: why names the rule that the login meets, and the line that changes it',
  async (name) => {
    const served = await serve();
    const { rule, make, mend } = refusals[name]!;
    const before = await served.ask('127.0.0.1');
    expect(before.walks).toMatchObject([{ path: tpg, luns: [{ reads: true, writes: true }] }]);
    expect(before.walks[0]!.refusedBy).toBeUndefined();
    await served.login();
    await make(served);
    const { walks } = await served.ask('127.0.0.1');
    expect(walks.map(({ refusedBy }) => [refusedBy?.rule, refusedBy?.mend])).toEqual([[rule, mend]]);
    await expect(served.login()).rejects.toThrow();
    const after = await served.ask('127.0.0.1');
    // A portal that is closed refuses nobody in words.
    if (rule !== 'enabled' && rule !== 'target')
      expect(after.refusals).toMatchObject([{ initiator: one, target: iqn, address: '127.0.0.1', count: 1 }]);
    // The login was refused for the reason that why gave.
    const [said] = after.refusals;
    if (said && rule !== 'redirect') expect(walks[0]!.refusedBy!.says).toBe(said.reason);
  },
);

it('a wrong secret is among the refusals, for it cannot be known beforehand', async () => {
  const { set, ask, port } = await serve();
  await set(tpg, 'attribute', 'authentication', '1');
  for (const [name, value] of [
    ['userid', 'bob'],
    ['password', 'correct-secret'],
  ] as const)
    await set(acl, 'auth', name, value);
  const [walk] = (await ask()).walks;
  expect(walk!.refusedBy).toBeUndefined();
  expect(walk!.verdicts).toContainEqual({
    ...{ rule: 'chap', outcome: 'depends' },
    says: `it has to give the name bob and the secret of ${acl}`,
  });
  await expect(connectInitiator(port, iqn, one)).rejects.toThrow('login refused: 2/1');
  expect((await ask()).refusals).toMatchObject([{ reason: `${acl} requires CHAP`, count: 1 }]);
});

it('where it comes from decides, and is not known: it depends; a name on the list is enough', async () => {
  const { apply, ask } = await serve();
  await apply(tpg, 'restrict', { addresses: '192.0.2.0/24', names: '' });
  const listRule = async (from?: string) =>
    (await ask(from)).walks[0]!.verdicts.find(({ rule }) => rule === 'access list');
  expect(await listRule()).toMatchObject({ outcome: 'depends', says: expect.stringContaining('192.0.2.0/24') });
  expect(await listRule('192.0.2.7')).toMatchObject({ outcome: 'passes' });
  expect(await listRule('198.51.100.1')).toMatchObject({ outcome: 'refuses' });
  await apply(tpg, 'restrict', { addresses: '', names: one });
  expect(await listRule()).toMatchObject({ outcome: 'passes' });
});

it('at its LUNs: none mapped, mapped read-only, and a reservation of somebody else', async () => {
  const { host, apply, ask, login } = await serve();
  const two = 'iqn.1994-05.com.redhat:two';
  await apply(`${tpg}/acls`, 'create', { wwn: two });
  await apply(`${tpg}/acls/${two}`, 'create', { mapped_lun: 4, tpg_lun: 0, write_protect: true });
  const lun = host.root.tree.fabrics.get('iscsi')!.targets.get(iqn)!.tpgs.get(1)!.luns.get(0)!;
  const may = async () => {
    await host.root.observe();
    return whyAtLun(host.root, lun);
  };
  expect(await may()).toMatchObject({
    ...{ reservation: null, users: [], registered: [] },
    may: [
      { initiator: one, number: 0, reads: true, writes: true, because: [] },
      {
        initiator: two,
        number: 4,
        reads: true,
        writes: false,
        because: [`it is mapped read-only: ${tpg}/acls/${two}/mapped_lun4`],
      },
    ],
  });
  const holder = await login();
  await holder.command([0, 0, 0, 0, 0, 0]);
  // PERSISTENT RESERVE OUT: REGISTER with key 1, then RESERVE, Exclusive Access.
  const [register, reserve] = [Buffer.alloc(24), Buffer.alloc(24)];
  register[15] = 1;
  reserve[7] = 1;
  expect(await holder.command([0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0], { data: register })).toMatchObject({ status: 0 });
  expect(await holder.command([0x5f, 1, 3, 0, 0, 0, 0, 0, 24, 0], { data: reserve })).toMatchObject({ status: 0 });
  expect(await may()).toMatchObject({
    reservation: { type: 'exclusive access', holders: [one] },
    registered: [one],
    users: [{ initiator: one }],
    may: [
      { initiator: one, writes: true },
      { initiator: two, reads: false, writes: false, because: [expect.any(String), `reserved by ${one}`] },
    ],
  });
  await apply(acl, 'delete', { mapped_lun: 0 });
  expect((await ask()).walks[0]).toMatchObject({ refusedBy: { rule: 'luns', mend: `${acl} create 0 LUN` }, luns: [] });
});

it('asks no name where nobody logs in, and remembers a front-end that did not keep to the protocol', async () => {
  const home = homeOf(temporaryDirectory(), {}, undefined);
  const host = await openHost({ home, role: 'serve' });
  onTestFinished(() => host.close());
  const wwn = 'naa.5001405000000001';
  const apply = (path: string, verb: string, params: object = {}) =>
    host.root.apply({ path, verb, params: params as never });
  await apply('/backstores/ramdisk', 'create', { name: 'rd0', size: '1M' });
  await apply('/vhost', 'create', { wwn });
  await apply(`/vhost/${wwn}`, 'create', { tag: 1 });
  await apply(`/vhost/${wwn}/tpg1/luns`, 'create', { storage_object: '/backstores/ramdisk/rd0' });
  await host.root.start();
  await host.root.observe();
  const ask = () => whyRefused(host.root, host.onlookers, { initiator: 'anybody', target: wwn });
  const closed = (await ask()).walks[0]!.refusedBy;
  expect(closed).toMatchObject({ rule: 'enabled', mend: `/vhost/${wwn}/tpg1 enable` });
  await apply(`/vhost/${wwn}/tpg1`, 'enable');
  expect((await ask()).walks).toMatchObject([
    {
      path: `/vhost/${wwn}/tpg1`,
      verdicts: [{ rule: 'serving' }, { rule: 'enabled' }, { rule: 'nexus', outcome: 'depends' }, { rule: 'luns' }],
      luns: [{ number: 0, writes: true }],
    },
  ]);
  const lun = host.root.tree.fabrics.get('vhost')!.targets.get(wwn)!.tpgs.get(1)!.luns.get(0)!;
  expect(whyAtLun(host.root, lun).may).toMatchObject([{ initiator: '*', writes: true }]);
  const frontEnd = createConnection(join(home.runDirectory, `${wwn}.vhost`)).on('error', () => {});
  frontEnd.write(Buffer.alloc(12, 0xff));
  await expect
    .poll(() => host.onlookers.refusals.latest())
    .toMatchObject([{ event: 'vhost front-end dropped', target: wwn }]);
});
