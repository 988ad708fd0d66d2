// The effect of requests of tgtd's management socket on the tree, and the numbers that refuse them. The socket's words, line by line, by
// tgt's own programs: test/e2e/tgt.test.ts.

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { dumpTree } from '../../src/index.ts';
import { modes, operations } from '../../src/tgt/protocol.ts';
import { answerTo } from '../../src/tgt/requests.ts';
import { ownShell, type TestShell } from '../support/own-shell.ts';
import { TgtClient } from '../support/tgt-client.ts';

let shell: TestShell;
let client: TgtClient;
const iqn = 'iqn.2026-11.org.example:one';

beforeEach(async () => {
  shell = await ownShell();
  client = new TgtClient(shell.host);
});

function file(name: string, size = 1 << 20): string {
  const path = join(shell.directory, name);
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

const newTarget = (tid: number, wwn = iqn) => client.ask('target', 'new', { tid, text: `targetname=${wwn}` });
const newUnit = (tid: number, lun: number, text: string, type = 'disk') =>
  client.ask('unit', 'new', { tid, lun, text, type });
const tree = () => shell.host.root.tree;
const tpgOf = (wwn = iqn) => tree().fabrics.get('iscsi')!.targets.get(wwn)!.tpgs.get(1)!;
const unitOf = (lun: number) => tpgOf().luns.get(lun)!.storageObject;

test('a new target lets nobody come; its number stays with it when the process begins anew', async () => {
  expect(await newTarget(7)).toBe('');
  expect(tpgOf().accessList).toEqual({ addresses: [], names: [] });
  expect(tpgOf().portals.map(({ address, port }) => [address, port])).toEqual([
    ['0.0.0.0', 3260],
    ['::', 3260],
  ]);
  await shell.close();
  shell = await ownShell({ directory: shell.directory });
  client = new TgtClient(shell.host);
  expect(await client.ask('target', 'show')).toContain(`Target 7: ${iqn}\n`);
});

test('targets of the shell have the free numbers, the same ones as long as the process lives', async () => {
  await shell.run('/iscsi create iqn.2003-01.org.example:a', '/iscsi create iqn.2003-01.org.example:b');
  await newTarget(5);
  const numbers = async () => String(await client.ask('target', 'show')).match(/^Target .*/gm);
  const all = ['Target 1: iqn.2003-01.org.example:a', 'Target 2: iqn.2003-01.org.example:b', `Target 5: ${iqn}`];
  expect(await numbers()).toEqual(all);
  await shell.run('/iscsi delete iqn.2003-01.org.example:a');
  expect(await numbers()).toEqual(all.slice(1));
});

test('a storage object that was there before stays: when its LUN, its target or its medium goes', async () => {
  await newTarget(3);
  await shell.run(
    `/backstores/fileio create mine ${file('m')}`,
    `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/mine 4`,
  );
  const names = () => [...tree().allStorageObjects()].map(({ name }) => name);
  expect(await client.ask('unit', 'update', { tid: 3, lun: 4, text: `targetOps path=${file('n')},` })).toBe('');
  expect(unitOf(4).config['dev']).toBe(join(shell.directory, 'n'));
  await newUnit(3, 5, `path=${file('a')}`);
  expect(await client.ask('unit', 'delete', { tid: 3, lun: 4 })).toBe('');
  expect(names()).toEqual(['mine', 'tgt3-lun5']);
  await shell.run(
    `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/mine 4`,
    // As two LUNs of the target, it still goes with the target.
    `/iscsi/${iqn}/tpg1/luns create /backstores/fileio/tgt3-lun5 6`,
  );
  expect(await client.ask('target', 'delete', { tid: 3 })).toBe('');
  expect(names()).toEqual(['mine']);
});

test('a unit has the identity of tgtd, and what --params say, also while it is exported; undo takes it back', async () => {
  await newTarget(3);
  expect(await newUnit(3, 5, `path=${file('a')}`)).toBe('');
  expect(unitOf(5).attributes.values).toMatchObject({
    ...{ vendor_id: 'IET', product_id: 'VIRTUAL-DISK', revision: '0001' },
    ...{ scsi_id: 'IET     00030005', scsi_sn: 'beaf35', scsi_local_id: '0000000300000005' },
  });
  const before = dumpTree(tree());
  const text =
    'targetOps vendor_id=ACME,product_rev=010399,scsi_sn=S1,removable=1,readonly=1,online=0,mode_page=8:0:1:0,';
  expect(await client.ask('unit', 'update', { tid: 3, lun: 5, text })).toBe('');
  expect(unitOf(5).attributes.values).toMatchObject({
    ...{ vendor_id: 'ACME', revision: '0103', scsi_sn: 'S1', removable: 1, read_only: 1, online: 0 },
    emulate_write_cache: 0,
  });
  expect(await shell.run('/ undo')).not.toContain('E| ');
  expect(dumpTree(tree())).toEqual(before);
});

test('an ACL of the shell keeps its mapped LUNs when a unit is updated', async () => {
  await newTarget(1);
  await newUnit(1, 1, `path=${file('a')}`);
  await shell.run(`${tpgOf().path}/acls create iqn.1994-05.com.redhat:client1`);
  await client.ask('unit', 'update', { tid: 1, lun: 1, text: 'targetOps vendor_id=ACME,' });
  expect([...tpgOf().acls.values()].map(({ mappedLuns }) => [...mappedLuns.keys()])).toEqual([[1]]);
});

test('one medium is one unit: another target gets a LUN of it, and it goes with the last', async () => {
  const path = file('a');
  await newTarget(1);
  await newTarget(2, `${iqn}2`);
  await newUnit(1, 1, `path=${path}`);
  await newUnit(2, 4, `path=${path}`);
  expect(tpgOf(`${iqn}2`).luns.get(4)!.storageObject).toBe(unitOf(1));
  expect(await client.ask('unit', 'delete', { tid: 1, lun: 1 })).toBe('');
  expect([...tree().allStorageObjects()]).toHaveLength(1);
  expect(await client.ask('target', 'delete', { tid: 2 })).toBe('');
  expect([...tree().allStorageObjects()]).toEqual([]);
});

test('a drive without a medium takes one, keeps what it is known by, and is ready then', async () => {
  await newTarget(1);
  expect(await newUnit(1, 2, '', 'cd')).toBe('');
  expect(await client.ask('unit', 'update', { tid: 1, lun: 2, text: 'targetOps online=1,' })).toBe(17);
  const { scsi_id } = unitOf(2).attributes.values;
  expect(await client.ask('unit', 'update', { tid: 1, lun: 2, text: `targetOps path=${file('cd.iso')},` })).toBe('');
  expect(unitOf(2).attributes.values).toMatchObject({ scsi_id, online: 1, read_only: 1, block_size: 2048 });
});

test.each([
  ['tape', 22],
  ['changer', 22],
  ['osd', 22],
])('a %s is refused with tgt’s words', async (type, number) => {
  await newTarget(1);
  expect(await newUnit(1, 1, `path=${file('a')}`, type)).toBe(number);
});

test('a request without a counterpart here is refused with tgt’s words, and the log has the reason', async () => {
  await newTarget(1);
  expect(await client.ask('system', 'update', { text: 'iSNS=On' })).toBe(22);
  expect(await client.ask('target', 'new', { tid: 2, lld: 'iser', text: 'targetname=iqn.2026-11.org.example:x' })).toBe(
    3,
  );
  expect(await client.ask('lld', 'start', { lld: 'iser' })).toBe(1);
  expect(await client.ask('lld', 'stop')).toBe(21);
  expect(await newUnit(1, 1, 'path=/nosuch/file')).toBe(17);
  const { event, detail } = client.logged.at(-1)!;
  expect([event, detail?.['reason']]).toEqual(['tgtadm request refused', 'there is no /nosuch/file']);
});

test('accounts: asked for while one is bound, and gone from everywhere with the account', async () => {
  await newTarget(1);
  for (const user of ['fred', 'bill'])
    await client.ask('account', 'new', { text: `user=${user},password=a,b=${user}` });
  const state = tree().fabrics.get('iscsi')!;
  expect(state.accounts.get('fred')).toBe('a,b=fred');
  const bind = (words: object) => client.ask('account', 'bind', words);
  await bind({ tid: 1, text: 'user=fred' });
  expect(await bind({ tid: 1, text: 'user=bill', outgoing: true })).toBe('');
  expect(await bind({ tid: 1, text: 'user=fred', outgoing: true })).toBe(18);
  await bind({ text: 'user=bill' });
  expect([tpgOf().attribute('authentication'), state.discoveryAuthEnabled]).toEqual([1, true]);
  await client.ask('account', 'delete', { text: 'user=bill' });
  expect([tpgOf().auth.mutual_userid, state.discoveryAccounts, state.discoveryAuthEnabled]).toEqual(['', [], false]);
  await client.ask('account', 'unbind', { tid: 1, text: 'user=fred' });
  expect([tpgOf().accounts, tpgOf().attribute('authentication')]).toEqual([[], 0]);
});

test('a redirection comes in parts; its port may come before its address', async () => {
  await newTarget(1);
  const update = (text: string) => client.ask('target', 'update', { tid: 1, text });
  await update('RedirectPort=3261');
  await update('RedirectAddress=2001:db8::1');
  await update('RedirectReason=Permanent');
  expect(tpgOf().attributes.print('redirect')).toBe('[2001:db8::1]:3261,permanent');
  expect(await client.ask('target', 'show', { tid: 1 })).toBe(
    'RedirectAddress=2001:db8::1\nRedirectPort=3261\nRedirectReason=Permanent\n',
  );
});

test('the end of tgtd is the end of this process, and not while there are targets', async () => {
  await newTarget(1);
  expect([await client.ask('system', 'delete'), client.stopped]).toEqual([17, false]);
  await client.ask('target', 'delete', { tid: 1 });
  expect([await client.ask('system', 'delete'), client.stopped]).toEqual(['', true]);
});

test('any request gets an answer that is as long as it says', async () => {
  await newTarget(1);
  await newUnit(1, 1, `path=${file('a')}`);
  const words = fc.record({
    tid: fc.constantFrom(-1, 0, 1, 9),
    lun: fc.option(fc.constantFrom(0, 1, 9), { nil: undefined as never }),
    sid: fc.nat(3),
    text: fc.oneof(
      fc.string(),
      fc.constantFrom('targetOps =,', 'portalOps portal=[:::1,', 'user=', '=', 'path=,bstype=x'),
    ),
  });
  // Requests that end the process or take long are left out.
  const mode = fc.constantFrom(...modes.filter((one) => one !== 'system'));
  await fc.assert(
    fc.asyncProperty(mode, fc.constantFrom(...operations), words, async (of, op, given) => {
      expect(['number', 'string']).toContain(typeof (await client.ask(of, op, given as never)));
    }),
    { numRuns: 200 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 120, maxLength: 400 }), async (bytes) => {
      const answer = await answerTo(client.desk, Buffer.from(bytes), () => {});
      expect(answer.length).toBeGreaterThanOrEqual(8);
    }),
  );
});
