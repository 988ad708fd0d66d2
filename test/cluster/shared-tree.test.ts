// The tree that gateways share, over a real etcd: what is made on one is on all, once, whatever is killed.

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ChangeLog } from '../../src/cluster/change-log.ts';
import { clusterKeys, numberIn } from '../../src/cluster/keys.ts';
import { type Membership, readMembership } from '../../src/cluster/membership.ts';
import { numberOf } from '../../src/cluster/numbers.ts';
import { drainedKeys } from '../../src/cluster/unit-records.ts';
import { type Files, realFiles } from '../../src/durable/atomic-file.ts';
import { homeOf } from '../../src/durable/home.ts';
import type { OperatorError } from '../../src/errors.ts';
import type { LogRecord } from '../../src/log.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { joinCluster, leaveCluster } from '../../src/root/joining.ts';
import { newPart } from '../../src/root/options.ts';
import { dumpTree, dumpValue } from '../../src/saved/saveconfig.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { needs } from '../support/needs.ts';
import { below, randomOf } from '../support/random.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';

const folder = makeFolder(memoryFolder);
let etcd: EtcdCluster;
let clusters = 0;
/** The events that gateways have logged, in the test at hand. */
const events: string[] = [];
beforeEach(() => void events.splice(0));

/** The homes of gateways of a cluster of their own. */
function gateways() {
  clusters += 1;
  const cluster = `c${clusters}`;
  const home = (name: string) => homeOf(join(folder, cluster, name), {}, 1);
  const join_ = (name: string, replace = false, endpoints: readonly string[] = etcd.endpoints) =>
    joinCluster({
      ...{ home: home(name), cluster, name, endpoints, replace, version: 'test' },
      by: { via: 'shell' },
    });
  /** Opens a gateway, as a shell would: it follows the others until the test ends. */
  const open = async (name: string, more: Partial<Parameters<typeof openHost>[0]> = {}) => {
    const log = ({ event }: LogRecord) => void events.push(event);
    const host = await openHost({ home: home(name), role: 'shell', log, ...more });
    onTestFinished(() => host.close());
    return host;
  };
  return { cluster, home, join: join_, open };
}
async function pair() {
  const all = gateways();
  for (const name of ['a', 'b']) await all.join(name);
  return { ...all, a: await all.open('a'), b: await all.open('b') };
}

const iqn = (number: number | string) => `iqn.2003-01.org.example:t${number}`;
const apply = (host: Host, path: string, verb: string, params: Operation['params'] = {}) =>
  host.root.apply({ path, verb, params }, false, newPart());
const target = (host: Host, name: number | string) => apply(host, '/iscsi', 'create', { wwn: iqn(name) });
const targets = ({ root }: Host) => Array.from(root.tree.targets(), ({ wwn }) => wwn.replace(/.*:t/, '')).sort();
/** The trees of gateways when each of them has taken in all that there is. */
async function trees(...hosts: Host[]) {
  for (const host of hosts) await host.root.takeIn();
  return hosts.map(({ root }) => dumpTree(root.tree));
}
const refusal = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'made',
    (error: OperatorError) => error.message,
  );

describe('the shared tree', needs('etcd', 'etcdctl'), () => {
  beforeAll(async () => {
    etcd = await EtcdCluster.start({ folder: join(folder, 'etcd') });
  });
  afterAll(async () => {
    await etcd?.stop();
    removeFolder(folder);
  });

  it('a cluster is founded with the configuration of its first gateway; another one takes it, and gives up none of its own by mistake', async () => {
    const { home, join: joins, open } = gateways();
    const first = await openHost({ home: home('a'), role: 'command' });
    await target(first, 1);
    await first.close();
    expect(await joins('a')).toEqual({ isFounder: true });
    const second = await openHost({ home: home('b'), role: 'command' });
    await target(second, 2);
    await second.close();
    expect(await refusal(joins('b'))).toContain('has a configuration, and so has this gateway');
    expect(readMembership(home('b').stateDirectory)).toBeUndefined();
    const { kept } = await joins('b', true);
    const [a, b] = [await open('a'), await open('b')];
    expect(targets(b)).toEqual(['1']);
    const [left, right] = await trees(a, b);
    expect(right).toEqual(left);
    expect(kept).toMatch(/before-cluster-/);
    await b.close();
    expect(await refusal(joins('b'))).toContain('is b of');
  });

  it('a change is on the other gateway without being asked for, with its author, and undone by who made it', async () => {
    const { a, b } = await pair();
    const heard = new Promise<void>((resolve) => {
      b.onlookers.add({ changed: (operations) => operations[0]?.verb === 'create' && resolve() });
    });
    await target(a, 1);
    await heard;
    expect(targets(b)).toEqual(['1']);
    expect((await b.history.all()).changes.at(-1)).toMatchObject({ gateway: 'a' });
    expect(await b.history.last()).toBeUndefined();
    await target(b, 2);
    await a.root.takeIn();
    const step = await a.history.last();
    expect(step!.change.operations[0]!.params['wwn']).toBe(iqn(1));
    await a.history.take(step!);
    await b.root.takeIn();
    expect([targets(a), targets(b)]).toEqual([['2'], ['2']]);
  });

  it('undo is refused where a later change of another gateway stands on it, or has set the same', async () => {
    const { a, b } = await pair();
    await target(a, 1);
    await b.root.takeIn();
    await apply(b, `/iscsi/${iqn(1)}`, 'create', { tag: 1 });
    await a.root.takeIn();
    await expect(a.history.last()).rejects.toThrow('stands on it');
    const set = (host: Host, value: string) =>
      apply(host, `/iscsi/${iqn(1)}/tpg1`, 'set', { group: 'attribute', name: 'login_timeout', value });
    await set(a, '20');
    await b.root.takeIn();
    await set(b, '25');
    await a.root.takeIn();
    await expect(a.history.last()).rejects.toThrow('changed the same later');
  });

  it('changes from both sides at once: none is lost, none doubled, and names that collide are refused', async () => {
    const { a, b } = await pair();
    const made = await Promise.all(
      [a, b].flatMap((host, side) =>
        Array.from({ length: 15 }, (_, number) =>
          refusal(target(host, number % 3 === 0 ? `both${number}` : `${side}-${number}`)),
        ),
      ),
    );
    const [left, right] = await trees(a, b);
    expect(right).toEqual(left);
    expect(targets(a)).toHaveLength(25);
    expect(made.filter((one) => one !== 'made')).toHaveLength(5);
    expect(a.shared!.state.changes).toBe(26);
    const lines = await a.history.all();
    expect(lines.changes.map(({ change }) => change)).toEqual(
      (await b.history.all()).changes.map(({ change }) => change),
    );
  });

  it('random changes from two sides lead to the same tree, also for a gateway that was away, and one that begins anew', async () => {
    const { a, b, join: joins, open } = await pair();
    const random = randomOf(20);
    const next = (bound: number) => below(random, bound);
    const change = async (host: Host) => {
      const wwn = iqn(next(3));
      const [, name] = [`/iscsi/${wwn}`, next(4)];
      const paths = [`/iscsi/${wwn}/tpg1`, `/iscsi/${wwn}/tpg1/acls`];
      const kinds: (() => Promise<unknown>)[] = [
        () => target(host, wwn.at(-1)!),
        () => apply(host, '/iscsi', 'delete', { wwn }),
        () => apply(host, `/iscsi/${wwn}`, 'create', { tag: 1 }),
        () => apply(host, paths[0]!, next(2) ? 'enable' : 'disable'),
        () => apply(host, paths[1]!, 'create', { wwn: iqn(name) }),
        () => apply(host, paths[1]!, 'delete', { wwn: iqn(name) }),
        () =>
          apply(host, `${paths[1]}/${iqn(name)}`, 'set', {
            group: 'auth',
            name: 'password',
            value: `secret${next(99)}`,
          }),
        () => apply(host, '/backstores/ramdisk', 'create', { name: `d${name}`, size: '1M' }),
        () => apply(host, '/backstores/ramdisk', 'delete', { name: `d${name}` }),
        () => apply(host, `${paths[0]}/luns`, 'create', { storage_object: `/backstores/ramdisk/d${name}` }),
      ];
      await refusal(kinds[next(kinds.length)]!());
    };
    await joins('c');
    for (let round = 0; round < 60; round += 1) await Promise.all([change(a), change(b)]);
    const c = await open('c');
    const [left, right, away] = await trees(a, b, c);
    expect(right).toEqual(left);
    expect(away).toEqual(left);
    await a.close();
    const again = await open('a');
    expect(dumpTree(again.root.tree)).toEqual(left);
  });

  it('a change that is in etcd and not in the journal, as after a kill in between, is there after the next start, once', async () => {
    const { cluster, join: joins, open, home } = gateways();
    await joins('a');
    let isFull = false;
    const files: Files = {
      ...realFiles,
      open: async (path, ...more) => {
        if (isFull && String(path).includes('journal')) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        return realFiles.open(path, ...more);
      },
    };
    const a = await open('a', { files });
    await a.history.renew(a.shared!.state.known);
    isFull = true;
    await target(a, 1);
    expect(a.shared!.state.changes).toBe(2);
    expect(events).toContain('journal behind the cluster');
    await a.close();
    const lines = await readFile(join(home('a').stateDirectory, 'journal.jsonl'), 'utf8');
    expect(lines).not.toContain('iqn');
    const again = await open('a');
    expect([targets(again), again.shared!.state.known]).toEqual([['1'], 2]);
    await target(again, 2);
    expect(JSON.stringify((await again.history.all()).changes).split(iqn(1))).toHaveLength(2);
    // A journal that lacks a change is made anew with the next one.
    await again.close();
    isFull = false;
    const third = await open('a', { files });
    await third.history.renew(third.shared!.state.known);
    isFull = true;
    await target(third, 3);
    isFull = false;
    await target(third, 4);
    await third.close();
    const fourth = await openHost({ home: home('a'), role: 'command', membership: unreachable(cluster) });
    onTestFinished(() => fourth.close());
    expect(targets(fourth)).toEqual(['1', '2', '3', '4']);
  });

  it('a gateway that was away for longer than changes are kept takes the snapshot, also of a large configuration', async () => {
    const { cluster, a, b, open } = await pair();
    await b.close();
    for (const number of [1, 2, 3]) await target(a, number);
    await apply(a, `/iscsi/${iqn(1)}`, 'create', { tag: 1 });
    const configuration = dumpTree(a.root.tree) as unknown as { targets: { tpgs: { node_acls: unknown[] }[] }[] };
    const acls = Array.from({ length: 4_000 }, (_, at) => ({ ...acl, node_wwn: iqn(`-${at}`) }));
    configuration.targets.find(({ tpgs }) => tpgs.length > 0)!.tpgs[0]!.node_acls = acls;
    await apply(a, '/', 'restoreconfig', { configuration: configuration as never, clear_existing: true });
    const { known } = a.shared!.state;
    const changes = new ChangeLog(a.shared!.store, cluster, undefined, known, 1);
    await changes.next();
    await changes.storeSnapshot(dumpTree(a.root.tree));
    await target(a, 4);
    const { values } = await a.shared!.store.read({ prefix: clusterKeys(cluster).changes });
    expect(values.map(({ key }) => numberIn(key))).toEqual([known, known + 1]);
    const again = await open('b');
    const [left, right] = await trees(a, again);
    expect(right).toEqual(left);
    expect(again.root.tree.fabrics.get('iscsi')!.targets.get(iqn(1))!.tpgs.get(1)!.acls.size).toBe(4_000);
  });

  it('a change that this version does not know leads to standby: what is there stays, and nothing is changed any more', async () => {
    const { cluster, a, b, open } = await pair();
    await target(a, 1);
    const changes = new ChangeLog(a.shared!.store, cluster, undefined, a.shared!.state.known);
    await changes.next();
    const unknown = { path: '/iscsi', verb: 'hyperdrive', params: {} };
    expect(await changes.append({ do: unknown, of: 'x', gateway: 'newer' })).toBe(3);
    await expect(target(a, 2)).rejects.toThrow(
      /This gateway is on standby: .* does not know: Command not found hyperdrive/,
    );
    await expect(target(b, 2)).rejects.toThrow('standby');
    expect([targets(a), targets(b)]).toEqual([['1'], ['1']]);
    expect(events.filter((event) => event === 'gateway on standby')).toHaveLength(2);
    await b.close();
    const again = await open('b');
    expect(again.warnings.join()).toContain('standby');
    expect(again.shared!.state.standby).toContain('hyperdrive');
  });

  it('changes are read, where etcd has compacted them and a watch does not tell of them', async () => {
    const { a, b } = await pair();
    await target(a, 1);
    const { revision } = await a.shared!.store.read({ key: '/nothing' });
    const env = { ...process.env, ETCDCTL_API: '3' };
    execFileSync('etcdctl', ['--endpoints', etcd.endpoints[0]!, 'compact', String(revision)], { stdio: 'ignore', env });
    await target(a, 2);
    await b.root.takeIn();
    expect(targets(b)).toEqual(['1', '2']);
  });

  it('a LUN on storage of one machine is refused in a cluster, and a gateway that has one does not found a cluster', async () => {
    const { home, join: joins, open } = gateways();
    const luns = `/iscsi/${iqn(1)}/tpg1/luns`;
    const disk = '/backstores/ramdisk/disk';
    const prepare = async (host: Host) => {
      await target(host, 1);
      await apply(host, `/iscsi/${iqn(1)}`, 'create', { tag: 1 });
      await apply(host, '/backstores/ramdisk', 'create', { name: 'disk', size: '1M' });
    };
    const alone = await openHost({ home: home('b'), role: 'command' });
    await prepare(alone);
    await apply(alone, luns, 'create', { storage_object: disk });
    await alone.close();
    expect(await refusal(joins('b'))).toContain(`${disk} is storage of one machine`);
    await joins('a');
    const a = await open('a');
    await prepare(a);
    expect(await refusal(apply(a, luns, 'create', { storage_object: disk }))).toContain(
      `${disk} is storage of one machine`,
    );
    const lunsOf = (host: Host) => host.root.tree.fabrics.get('iscsi')!.targets.get(iqn(1))!.tpgs.get(1)!.luns.size;
    expect(lunsOf(a)).toBe(0);
    // A file of another machine brings its LUN, too.
    const other = await openHost({ home: home('b'), role: 'command' });
    const configuration = dumpValue(other.root.tree);
    await other.close();
    const { notes } = await apply(a, '/', 'restoreconfig', { configuration, clear_existing: true });
    expect(notes.join()).toContain(`${disk} is storage of one machine`);
    expect(lunsOf(a)).toBe(0);
  });

  it('a gateway that leaves gives up its number: fifteen may come and go for ever', async () => {
    const { cluster, home, join: joins, open } = gateways();
    for (const name of ['a', 'b']) await joins(name);
    const { store } = (await open('a')).shared!;
    const keys = clusterKeys(cluster);
    await store.transact({ when: [], do: [{ put: `${drainedKeys(keys)}b`, value: '1' }] });
    expect([await numberOf(store, keys, 'a'), await numberOf(store, keys, 'b')]).toEqual([1, 2]);
    await leaveCluster(home('b'));
    expect(await numberOf(store, keys, 'c')).toBe(2);
    expect((await store.read({ prefix: drainedKeys(keys) })).values).toEqual([]);
  });

  it('etcd away: changes are refused, everything else goes on, also a start; the cluster is gone with its last gateway', async () => {
    const { cluster, a, b, home, open } = await pair();
    await target(a, 1);
    await b.root.takeIn();
    await b.close();
    await etcd.pause(0);
    try {
      await expect(target(a, 2)).rejects.toThrow('The configuration cannot be changed now: etcd does not answer');
      expect(targets(a)).toEqual(['1']);
      expect(a.shared!.state.problem).toContain('does not answer');
      const alone = await open('b');
      expect([targets(alone), alone.warnings.join()]).toEqual([['1'], expect.stringContaining('etcd does not answer')]);
      await alone.close();
    } finally {
      etcd.signal(0, 'SIGCONT');
    }
    await target(a, 2);
    expect(events).toEqual(expect.arrayContaining(['cluster does not answer', 'cluster answers again']));
    await expect(leaveCluster(home('a'))).rejects.toThrow('is in use');
    await a.close();
    const left = await leaveCluster(home('a'));
    expect([left.wasLast, left.kept]).toEqual([false, expect.stringContaining('before-cluster')]);
    const empty = await open('a');
    expect([targets(empty), empty.shared]).toEqual([[], undefined]);
    const last = await leaveCluster(home('b'));
    expect(last).toEqual({ cluster, wasLast: true });
    const alone = await open('b');
    expect([targets(alone), alone.shared]).toEqual([['1', '2'], undefined]);
    await target(alone, 3);
    await empty.close();
  });

  it('three members of etcd, whose leader is killed in the middle of changes: what was acknowledged is there, once', async () => {
    const three = await EtcdCluster.start({ folder: join(folder, 'three'), members: 3 });
    onTestFinished(() => three.stop());
    const both = gateways();
    for (const name of ['a', 'b']) await both.join(name, false, three.endpoints);
    const [a, b] = [await both.open('a'), await both.open('b')];
    const leader = (await a.shared!.store.members()).findIndex(({ isLeader }) => isLeader);
    const made = [a, b].map(async (host, side) => {
      const names: string[] = [];
      for (let number = 0; number < 20; number += 1) {
        if (side === 0 && number === 5) await three.kill(leader);
        if ((await refusal(target(host, `${side}-${number}`))) === 'made') names.push(`${side}-${number}`);
      }
      return names;
    });
    const acknowledged = (await Promise.all(made)).flat();
    expect(acknowledged.length).toBeGreaterThan(20);
    const [left, right] = await trees(a, b);
    expect(right).toEqual(left);
    expect(targets(a)).toEqual(expect.arrayContaining(acknowledged));
    expect(new Set(targets(a)).size).toBe(targets(a).length);
  });
});

const acl = { node_wwn: '', mapped_luns: [], attributes: {}, chap_userid: 'somebody', chap_password: 'x'.repeat(100) };

/** A member of a cluster whose etcd is not there. */
const unreachable = (cluster: string): Membership => ({
  ...{ cluster, name: 'a', id: 'x', token: 'x', endpoints: ['http://127.0.0.1:1'] },
});
