// The store of a cluster, in a real etcd: one member, three of which one is killed, with TLS and with users.

import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openEtcd, parseEndpoints } from '../../src/cluster/etcd.ts';
import type { Store, StoreError, StoreEvent } from '../../src/cluster/store.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { needs } from '../support/needs.ts';
import { makeFolder, removeFolder } from '../support/scratch.ts';

const folder = makeFolder();
let etcd: EtcdCluster;
let store: Store;

const failureOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'none',
    (error: StoreError) => error.failure,
  );
const texts = (events: readonly StoreEvent[]) =>
  events.map((event) => ('put' in event ? `${event.put.key}=${event.put.value}` : `-${event.deleted}`));
const put = (on: Store, key: string, value: string) => on.transact({ when: [], do: [{ put: key, value }] });

/** Collects the words of a watch, until one is among them. */
function watching(on: Store, prefix: string, from: number) {
  const told: string[] = [];
  const ended = Promise.withResolvers<StoreError>();
  let look = () => {};
  const stop = on.watch({
    range: { prefix },
    from,
    changed(events) {
      told.push(...texts(events));
      look();
    },
    ended: ended.resolve,
  });
  const until = (what: string) =>
    new Promise<string[]>((resolve) => {
      look = () => told.includes(what) && resolve(told);
      look();
    });
  return { until, ended: ended.promise, stop };
}

describe('etcd as the store', needs('etcd', 'etcdctl', 'openssl'), () => {
  beforeAll(async () => {
    etcd = await EtcdCluster.start({ folder: join(folder, 'one') });
    store = openEtcd({ endpoints: etcd.endpoints });
  });
  afterAll(async () => {
    store?.close();
    await etcd?.stop();
    removeFolder(folder);
  });

  it('reads what was put, by key, by prefix and page by page, with its revisions', async () => {
    const { revision } = await store.transact({
      when: [],
      do: ['a', 'b', 'c'].map((name) => ({ put: `/read/${name}`, value: `värdi ${name}` })),
    });
    await put(store, '/reae', 'behind the prefix');
    const { values } = await store.read({ key: '/read/b' });
    expect(values).toEqual([{ key: '/read/b', value: 'värdi b', modified: revision }]);
    const first = await store.read({ prefix: '/read/', max: 2 });
    expect([first.values.map(({ key }) => key), first.more]).toEqual([['/read/a', '/read/b'], true]);
    const next = await store.read({ prefix: '/read/', after: '/read/b' });
    expect([next.values.map(({ key }) => key), next.more, next.revision]).toEqual([['/read/c'], false, revision + 1]);
    expect((await store.read({ key: '/nothing' })).values).toEqual([]);
  });

  it('makes one of two transactions that compare the same revision; the other one reads what was made', async () => {
    const swap = (value: string) =>
      store.transact({
        when: [{ key: '/swap', modified: 0 }],
        do: [{ put: '/swap', value }],
        otherwise: [{ read: { key: '/swap' } }],
      });
    const both = await Promise.all([swap('one'), swap('two')]);
    expect(both.filter(({ succeeded }) => succeeded)).toHaveLength(1);
    const [winner, loser] = both[0]!.succeeded ? ['one', both[1]!] : ['two', both[0]!];
    expect(loser.found[0]!.values[0]!.value).toBe(winner);
    const { modified } = loser.found[0]!.values[0]!;
    const compared = (when: object) => store.transact({ when: [{ key: '/swap', ...when } as never], do: [] });
    for (const [when, so] of [
      [{ modified }, true],
      [{ value: winner }, true],
      [{ value: 'three' }, false],
      [{ lease: '0' }, true],
      [{ lease: '7' }, false],
    ] as const)
      expect((await compared(when)).succeeded, JSON.stringify(when)).toBe(so);
    const deleted = await store.transact({
      when: [{ key: '/swap', modified }],
      do: [{ deletePrefix: '/swap' }, { read: { prefix: '/swap' } }],
    });
    expect([deleted.succeeded, deleted.found[0]!.values]).toEqual([true, []]);
  });

  it('lets keys go with their lease', async () => {
    const lease = await store.grant(60);
    await store.transact({ when: [], do: [{ put: '/leased', value: 'x', lease }] });
    expect((await store.read({ key: '/leased' })).values[0]!.lease).toBe(lease);
    expect(await store.keepAlive(lease)).toBe(60_000);
    await store.revoke(lease);
    await store.revoke(lease);
    expect((await store.read({ key: '/leased' })).values).toEqual([]);
    expect(await failureOf(store.keepAlive(lease))).toBe('no lease');
    const put = store.transact({ when: [], do: [{ put: '/leased', value: 'x', lease }] });
    expect(await failureOf(put)).toBe('no lease');
  });

  it('tells of changes from a revision on, each once and in their order, and says when they are not kept any more', async () => {
    const { revision } = await put(store, '/watch/a', '1');
    await put(store, '/watch/a', '2');
    const watch = watching(store, '/watch/', revision + 1);
    await put(store, '/watched', 'something else');
    await store.transact({ when: [], do: [{ delete: '/watch/a' }, { put: '/watch/b', value: '3' }] });
    expect(await watch.until('/watch/b=3')).toEqual(['/watch/a=2', '-/watch/a', '/watch/b=3']);
    watch.stop();
    execFileSync('etcdctl', ['--endpoints', etcd.endpoints[0]!, 'compact', String(revision + 1)], {
      stdio: 'ignore',
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    expect((await watching(store, '/watch/', revision).ended).failure).toBe('compacted');
  });

  it('refuses what is too large, and etcd is none the worse for it', async () => {
    expect(await failureOf(put(store, '/large', 'x'.repeat(2 << 20)))).toBe('too large');
    expect((await store.read({ key: '/large' })).values).toEqual([]);
  });

  it('a member that is not there, is no etcd, or does not answer in time: the operator is told which', async () => {
    const [gone] = parseEndpoints('127.0.0.1:1');
    const nowhere = openEtcd({ endpoints: [gone!] });
    await expect(nowhere.read({ key: '/a' }, { withinMs: 300 })).rejects.toThrow(
      'etcd does not answer: http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
    );
    const transaction = { when: [], do: [{ put: '/a', value: 'b' }] };
    expect(await failureOf(nowhere.transact(transaction, { withinMs: 300 }))).toBe('no answer');
    const silent = await listening(() => {});
    expect(await failureOf(silent.read({ key: '/a' }, { withinMs: 300 }))).toBe('no answer');
    expect(await failureOf(silent.transact(transaction, { withinMs: 300 }))).toBe('unknown outcome');
    const stranger = await listening((response) => response.end('<html>'));
    expect(await failureOf(stranger.read({ key: '/a' }, { withinMs: 300 }))).toBe('nonsense');
  });

  it('three members: with one killed or stopped everything goes on by the others, with two nothing is changed', async () => {
    const three = await EtcdCluster.start({ folder: join(folder, 'three'), members: 3 });
    onTestFinished(() => three.stop());
    const stores = three.endpoints.map((_, first) =>
      openEtcd({ endpoints: [...three.endpoints.slice(first), ...three.endpoints.slice(0, first)] }),
    );
    onTestFinished(() => stores.forEach((one) => void one.close()));
    await put(stores[0]!, '/three', '1');
    const leader = (await stores[0]!.members()).findIndex(({ isLeader }) => isLeader);
    expect(leader).toBeGreaterThanOrEqual(0);
    await three.kill(leader);
    // One whose first endpoint is the one that is gone: also a change goes to another one, since it was not sent there.
    const orphan = stores[leader]!;
    const election = { withinMs: 30_000 };
    expect((await orphan.read({ key: '/three' }, election)).values[0]!.value).toBe('1');
    const { revision } = await put(orphan, '/three', '2');
    expect((await orphan.read({ key: '/three' })).values[0]!.value).toBe('2');
    expect((await orphan.members()).filter(({ problem }) => problem !== undefined)).toHaveLength(1);
    const watch = watching(orphan, '/three', revision + 1);
    await put(orphan, '/three', '3');
    expect(await watch.until('/three=3')).toEqual(['/three=3']);
    await three.run(leader);
    const other = (leader + 1) % 3;
    three.signal(other, 'SIGSTOP');
    expect((await stores[other]!.read({ key: '/three' }, { withinMs: 20_000 })).values[0]!.value).toBe('3');
    await three.kill(other);
    await three.kill((leader + 2) % 3);
    const four = orphan.transact({ when: [], do: [{ put: '/three', value: '4' }] }, { withinMs: 1_000 });
    expect(await failureOf(four)).toMatch(/^(no answer|unknown outcome)$/);
    expect(await failureOf(orphan.read({ key: '/three' }, { withinMs: 1_000 }))).toBe('no answer');
  });

  it('TLS with certificates of both sides, and a user with a password: who proves nothing is refused', async () => {
    const at = (name: string) => join(folder, name);
    const openssl = (...words: string[]) => execFileSync('openssl', words, { stdio: 'pipe' });
    const authority = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')];
    const fresh = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
    ];
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=ca',
      '-keyout',
      at('ca.key'),
      '-out',
      at('ca.pem'),
    );
    for (const name of ['server', 'client', 'nameless'])
      openssl(
        ...[...fresh, ...authority, '-subj', name === 'nameless' ? '/O=tcli' : `/CN=${name}`],
        ...['-addext', 'basicConstraints=critical,CA:false', '-addext', 'extendedKeyUsage=serverAuth,clientAuth'],
        ...['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
      );
    const words = [
      '--cert-file',
      at('server.pem'),
      '--key-file',
      at('server.key'),
      '--trusted-ca-file',
      at('ca.pem'),
      '--client-cert-auth',
    ];
    const secure = await EtcdCluster.start({ folder: at('secure'), scheme: 'https', words });
    onTestFinished(() => secure.stop());
    const ca = at('ca.pem');
    const files = { ca, cert: at('client.pem'), key: at('client.key') };
    const opened = (more: object) => {
      const one = openEtcd({ endpoints: secure.endpoints, ...more });
      onTestFinished(() => one.close());
      return one;
    };
    await put(opened(files), '/secure', '1');
    const limited = { withinMs: 1_000 };
    expect(await failureOf(opened({}).read({ key: '/secure' }, limited))).toBe('certificate');
    expect(await failureOf(opened({ ca }).transact({ when: [], do: [] }, limited))).toBe('certificate');

    const etcdctl = (...more: string[]) =>
      execFileSync(
        'etcdctl',
        ['--endpoints', secure.endpoints[0]!, '--cacert', ca, '--cert', files.cert, '--key', files.key, ...more],
        { stdio: 'pipe', env: { ...process.env, ETCDCTL_API: '3' } },
      );
    for (const user of ['root:all', 'tcli:secret']) etcdctl('user', 'add', user);
    etcdctl('role', 'add', 'tcli');
    etcdctl('role', 'grant-permission', 'tcli', '--prefix=true', 'readwrite', '/tcli/');
    etcdctl('user', 'grant-role', 'tcli', 'tcli');
    etcdctl('user', 'grant-role', 'root', 'root');
    etcdctl('auth', 'enable');
    const userFile = at('user');
    writeFileSync(userFile, 'tcli:secret\n', { mode: 0o644 });
    expect(() => opened({ ...files, userFile })).toThrow(`${userFile} can be read by others.`);
    chmodSync(userFile, 0o600);
    // etcd's gateway takes no certificate for a user.
    await expect(opened({ ...files, userFile }).read({ key: '/tcli/a' })).rejects.toThrow('without a Common Name (CN)');
    const nameless = { ca, cert: at('nameless.pem'), key: at('nameless.key') };
    const user = opened({ ...nameless, userFile });
    await put(user, '/tcli/a', '1');
    expect(await failureOf(put(user, '/secure', '2'))).toBe('refused');
    expect(await failureOf(opened(nameless).read({ key: '/tcli/a' }))).toBe('refused');
    const watch = watching(user, '/tcli/', 1);
    expect(await watch.until('/tcli/a=1')).toEqual(['/tcli/a=1']);
    writeFileSync(userFile, 'tcli:wrong\n');
    const wrong = await opened({ ...nameless, userFile })
      .read({ key: '/tcli/a' })
      .catch((error: StoreError) => error);
    expect(wrong).toMatchObject({ failure: 'refused' });
    expect(String(wrong)).not.toContain('wrong');
  });
});

/** A store whose only member answers as `answer` does. */
async function listening(answer: (response: Parameters<Parameters<typeof createServer>[1] & object>[1]) => void) {
  const server: Server = createServer((request, response) => request.resume().on('end', () => answer(response)));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return openEtcd({ endpoints: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`] });
}
