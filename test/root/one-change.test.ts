// The operations of one line are one change: stored by one write, followed once by the loops, all of it or nothing.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { OutputSink } from '../../shell/channel/protocol.ts';
import { Preferences } from '../../shell/session/preferences.ts';
import { ShellSession } from '../../shell/session/session.ts';
import { homeOf } from '../../src/durable/home.ts';
import { LocalLoop } from '../../src/loops/local-loop.ts';
import type { Apply } from '../../src/operations/operation.ts';
import { openHost } from '../../src/root/host.ts';
import { dumpTree } from '../../src/saved/saveconfig.ts';
import { faultyFiles } from '../support/faulty-files.ts';
import { memoryFolder } from '../support/scratch.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const iqn = 'iqn.2003-01.org.example:t';
const tpg = `/iscsi/${iqn}/tpg1`;
const acls = 100;

/** A served target with many ACLs and no LUN. */
async function serve() {
  const directory = temporaryDirectory(memoryFolder);
  const faulty = faultyFiles('EIO', 0);
  const open = () => openHost({ home: homeOf(directory, {}, 1), role: 'command', files: faulty.files });
  const host = await open();
  onTestFinished(() => host.close());
  await host.root.apply({ path: '/backstores/ramdisk', verb: 'create', params: { name: 'rd', size: '1M' } });
  await host.root.apply({ path: '/iscsi', verb: 'create', params: { wwn: iqn } });
  await host.root.apply({ path: `/iscsi/${iqn}`, verb: 'create', params: { tag: 1 } });
  await host.root.change(async (apply) => {
    for (let n = 0; n < acls; n += 1)
      await apply({ path: `${tpg}/acls`, verb: 'create', params: { wwn: `${iqn}-i${n}` } });
  });
  await host.root.start();
  const preferences = Preferences.open(undefined);
  await preferences.set('auto_cd_after_create', 'false');
  const session = new ShellSession(host, preferences);
  const run = async (line: string, ask: OutputSink['ask'] = async () => null) => {
    let said = '';
    const write = (text: string) => {
      said += text;
    };
    await session.run(line, { write, ask }, new AbortController().signal);
    return said;
  };
  const journal = () => readFile(join(directory, 'journal.jsonl'), 'utf8');
  return { directory, host, faulty, open, run, session, journal, tree: () => JSON.stringify(dumpTree(host.root.tree)) };
}

/** The writes and reconciliations while `what` runs. */
async function counted({ faulty }: Awaited<ReturnType<typeof serve>>, what: () => Promise<unknown>) {
  const spies = [vi.spyOn(LocalLoop.prototype, 'change'), vi.spyOn(LocalLoop.prototype, 'follow')];
  faulty.calls.length = 0;
  await what();
  const syncs = faulty.calls.filter((name) => /sync$/.test(name));
  const [changes, follows] = spies.map(({ mock }) => mock.calls.length);
  for (const spy of spies) spy.mockRestore();
  return { syncs, changes, follows };
}

/** One flush of the journal, and one reconciliation. */
const once = { syncs: ['datasync'], changes: 1, follows: 1 };
/** Where volumes are opened, it is looked once more whether they are open. */
const opening = { ...once, follows: expect.any(Number) };

it(`a LUN that is mapped in ${acls} ACLs is one fsync and one reconciliation, and comes back`, async () => {
  const served = await serve();
  const { host, open, run } = served;
  let said = '';
  const line = async () => {
    said = await run(`${tpg}/luns create /backstores/ramdisk/rd`);
  };
  expect(await counted(served, line)).toEqual(once);
  expect(said).toContain(`Created LUN 0->0 mapping in node ACL ${iqn}-i${acls - 1}`);
  const before = dumpTree(host.root.tree);
  expect((await host.history.last())?.change.operations).toHaveLength(acls + 1);
  await host.close();
  const again = await open();
  onTestFinished(() => again.close());
  expect(dumpTree(again.root.tree)).toEqual(before);
});

it('a change that is refused, or cannot be stored, is taken back whole', async () => {
  const { host, journal, tree: now } = await serve();
  const [tree, stored] = [now(), await journal()];
  const untouched = async () => {
    expect(now()).toBe(tree);
    expect(await journal()).toBe(stored);
  };
  const steps = (last: number) => async (apply: Apply) => {
    await apply({ path: `${tpg}/luns`, verb: 'create', params: { storage_object: '/backstores/ramdisk/rd', lun: 0 } });
    for (let n = 0; n <= last; n += 1)
      await apply({ path: `${tpg}/acls/${iqn}-i${n}`, verb: 'create', params: { mapped_lun: 0, tpg_lun: 0 } });
  };
  await expect(host.root.change(steps(acls))).rejects.toThrow();
  await untouched();
  host.root.recordTo(async () => {
    throw new Error('no space');
  });
  await expect(host.root.change(steps(acls - 1))).rejects.toThrow('no space');
  await untouched();
});

describe('a line that makes several operations', () => {
  it.each([
    ['attributes', once, 3, `${tpg} set attribute login_timeout=20 default_cmdsn_depth=64 authentication=0`],
    ['parameters', once, 2, `${tpg} set parameter MaxConnections=2 TargetAlias=disk`],
    ['CHAP words', once, 2, `${tpg} set auth userid=me password=secret-of-mine`],
    [
      'attributes, one of them after a flush',
      once,
      2,
      '/backstores/ramdisk/rd set attribute is_nonrot=0 emulate_write_cache=0',
    ],
    ['an ACL that joins a group', once, 1, `${tpg}/acls tag ${iqn}-i1 web`],
    [
      'a storage object that is made for a LUN, the LUN, and its mappings',
      opening,
      acls + 3,
      `${tpg}/luns create FILE`,
    ],
    ['a storage object and a LUN for a mapped LUN', opening, 4, `${tpg}/acls/${iqn}-i1 create 3 FILE`],
    ['the same at several nodes', once, 2, '* set attribute is_nonrot=0'],
  ])('%s: one record, one flush, one reconciliation', async (_what, cost, operations, template) => {
    const served = await serve();
    const { directory, host, run, journal } = served;
    await writeFile(join(directory, 'disk.img'), Buffer.alloc(1 << 20));
    await run('/backstores/ramdisk create rd2 1M');
    await run('cd /backstores/ramdisk');
    const [tree, lines] = [served.tree(), (await journal()).split('\n').length];
    const said = run.bind(undefined, template.replace('FILE', join(directory, 'disk.img')));
    expect(await counted(served, said)).toEqual(cost);
    expect((await journal()).split('\n')).toHaveLength(lines + 1);
    const last = await host.history.last();
    expect(last?.change.operations).toHaveLength(operations);
    expect(await counted(served, () => host.history.take(last!))).toMatchObject({ syncs: ['datasync'], changes: 1 });
    expect((await journal()).split('\n')).toHaveLength(lines + 2);
    expect(served.tree()).toBe(tree);
  });

  it('one that fails at the second node undoes the first one, too, and nothing is said of it', async () => {
    const { run, journal, tree } = await serve();
    await run('/backstores/ramdisk create rd2 1M');
    await run(`${tpg}/luns create /backstores/ramdisk/rd2`);
    await run('cd /backstores/ramdisk');
    const [before, stored] = [tree(), await journal()];
    expect(await run('* set attribute block_size=4096')).toBe(
      [
        '[/backstores/ramdisk/rd]',
        '/backstores/ramdisk/rd2: Cannot set attribute block_size: [Errno 22] Invalid argument',
        'block_size cannot change while the storage object is exported as a LUN; delete its LUNs first.',
        '',
      ].join('\n'),
    );
    expect([tree(), await journal()]).toEqual([before, stored]);
  });

  it('a storage object that was made for a LUN goes when there can be no LUN', async () => {
    const { directory, run, journal, tree } = await serve();
    await writeFile(join(directory, 'disk.img'), Buffer.alloc(1 << 20));
    const [before, stored] = [tree(), await journal()];
    expect(await run(`${tpg}/luns create ${join(directory, 'disk.img')} 70000`)).toBe('LUN must be 0 to 65535\n');
    expect([tree(), await journal()]).toEqual([before, stored]);
  });

  it('set keeps what was set before the setting that is refused, as targetcli does: in one record', async () => {
    const served = await serve();
    const { run, journal } = served;
    const lines = (await journal()).split('\n').length;
    const line = `${tpg} set attribute login_timeout=20 default_cmdsn_depth=64 nosuch=1`;
    expect(await counted(served, () => run(line))).toEqual(once);
    expect((await journal()).split('\n')).toHaveLength(lines + 1);
    expect(await run(`${tpg} get attribute login_timeout default_cmdsn_depth`)).toBe(
      'login_timeout=20 \ndefault_cmdsn_depth=64 \n',
    );
  });

  it('nobody else changes anything between', async () => {
    const { host } = await serve();
    const other = () => host.root.apply({ path: tpg, verb: 'enable', params: {} });
    const order: string[] = [];
    await host.root.change(async (apply) => {
      const waiting = other().then(() => order.push('other'));
      await apply({ path: `${tpg}/acls`, verb: 'delete', params: { wwn: `${iqn}-i0` } });
      await Promise.race([waiting, new Promise((resolve) => setImmediate(resolve))]);
      await apply({ path: `${tpg}/acls`, verb: 'delete', params: { wwn: `${iqn}-i1` } });
      order.push('this');
    });
    await expect.poll(() => order).toEqual(['this', 'other']);
  });
});

it('one change may delete and create objects of the same file', async () => {
  const { directory, host, run } = await serve();
  const [file, saved] = [join(directory, 'disk.img'), join(directory, 'other.json')];
  await run(`/backstores/fileio create f0 ${file} 1M wwn=11111111-1111-4111-8111-111111111111`);
  const other = JSON.stringify(dumpTree(host.root.tree)).replaceAll('11111111-1111-4111', '22222222-2222-4222');
  await writeFile(saved, other);
  await run(`restoreconfig ${saved} clear_existing=true`);
  const object = () => host.root.tree.storageObject('/backstores/fileio/f0')!;
  expect(object().wwn).toMatch(/^2/);
  await host.history.take((await host.history.last())!);
  expect([object().wwn[0], object().missing, object().size]).toEqual(['1', undefined, 1 << 20]);
});
