// Changes of a configuration while programs outside of this process do not answer. Not tested here: the limits themselves
// (test/backstore/nbd-volume.test.ts).

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { openHost } from '../../src/root/host.ts';
import { buildLoopThread } from '../support/build-programs.ts';
import { logicalUnit } from '../support/logical-unit.ts';
import { nbdTarget } from '../support/nbd-target.ts';
import { SilentProxy } from '../support/silent-proxy.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const thread = await buildLoopThread('outside');
const nbd = '/backstores/user:nbd';

async function opened(count?: number) {
  const folder = temporaryDirectory();
  const looked = vi.fn();
  const workers = count === undefined ? undefined : { entry: thread, count };
  const host = await openHost({ home: homeOf(join(folder, 'home'), {}, undefined), role: 'serve', looked, workers });
  const target = nbdTarget([logicalUnit()], join(folder, 'server'));
  await target.server.open();
  onTestFinished(() => target.server.close());
  const proxy = await SilentProxy.open(join(folder, 'proxy'), target.server.path);
  onTestFinished(() => host.close());
  const apply = (
    path: string,
    verb: string,
    params: Record<string, string | number | boolean>,
    givenUp?: AbortSignal,
  ) => host.root.apply({ path, verb, params }, false, undefined, givenUp ? { givenUp } : {});
  const create = (name: string, socket = proxy.path) =>
    apply(nbd, 'create', { name, size: String(target.volume.size), cfgstring: `nbd+unix:///?socket=${socket}` });
  const createRamdisk = (name: string) => apply('/backstores/ramdisk', 'create', { name, size: '1M' });
  const object = (name: string) => host.root.tree.storageObject(`${nbd}/${name}`);
  return { folder, host, looked, proxy, apply, create, createRamdisk, object };
}

/** A server that accepts and says nothing. */
async function silent(path: string) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket)).listen(path);
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    server.close();
    cut();
  });
  return { cut, connected: () => expect.poll(() => sockets.size).toBeGreaterThan(0), sockets };
}

/** Whether `one` ends before `other` does. */
const isFirst = (one: Promise<unknown>, other: Promise<unknown>) =>
  Promise.race([one.then(() => true), other.then(() => false).catch(() => false)]);

test('a create whose server does not answer holds up no other change', async () => {
  const { folder, host, create, createRamdisk, object } = await opened();
  await host.root.start();
  const { cut, connected } = await silent(join(folder, 'silent'));
  const creating = create('s', join(folder, 'silent'));
  await connected();
  expect(await isFirst(createRamdisk('r'), creating)).toBe(true);
  cut();
  await expect(creating).rejects.toThrow('Cannot open the NBD export');
  expect(object('s')).toBeUndefined();
});

test('the delete of an object whose server does not answer any more waits for it, and no other change does', async () => {
  const { host, proxy, apply, create, createRamdisk, object } = await opened();
  await host.root.start();
  await create('m');
  const volume = object('m')?.volume;
  proxy.allow('toClient', 0);
  const writing = volume?.write(new Uint8Array(512), 0, false);
  await proxy.stalled;
  const deleting = apply(nbd, 'delete', { name: 'm' });
  expect(await isFirst(createRamdisk('r'), deleting)).toBe(true);
  expect(object('m')).toBeUndefined();
  proxy.resume();
  await Promise.all([writing, deleting]);
});

/** A disk whose server has a write of it and does not answer any more. */
async function hung(workers?: number) {
  const all = await opened(workers);
  const { host, proxy, create, apply, createRamdisk } = all;
  await host.root.start();
  await create('m');
  if (workers !== undefined) await createRamdisk('other');
  for (const letter of workers === undefined ? [] : ['a', 'b']) {
    const wwn = `iqn.2003-01.org.example:${letter}`;
    await apply('/iscsi', 'create', { wwn });
    await apply(`/iscsi/${wwn}`, 'create', { tag: 1 });
  }
  return { ...all, stall: () => proxy.allow('toClient', 0) };
}

test.each<[string, (all: Awaited<ReturnType<typeof hung>>) => Promise<unknown>]>([
  ['reopen', ({ host, object }) => host.root.reopen(object('m')!)],
  [
    'write cache off',
    ({ apply }) => apply(`${nbd}/m`, 'set', { group: 'attribute', name: 'emulate_write_cache', value: '0' }),
  ],
])(
  '%s of an object whose server does not answer any more waits for it, and no other change does',
  async (_what, act) => {
    const all = await hung();
    const { proxy, createRamdisk, object, stall } = all;
    stall();
    void object('m')!
      .volume!.write(new Uint8Array(512), 0, false)
      .catch(() => {});
    await proxy.stalled;
    const acting = act(all);
    expect(await isFirst(createRamdisk('r'), acting)).toBe(true);
    proxy.resume();
    await acting;
  },
);

test('an object whose server does not answer any more moves to another loop: no other change waits, and it is served there when it answers', async () => {
  const { host, proxy, apply, createRamdisk, object, stall } = await hung(2);
  const luns = (letter: string) => `/iscsi/iqn.2003-01.org.example:${letter}/tpg1/luns`;
  await apply(luns('a'), 'create', { storage_object: `${nbd}/m`, lun: 0 });
  await createRamdisk('third');
  for (const [lun, name] of ['other', 'third'].entries())
    await apply(luns('b'), 'create', { storage_object: `/backstores/ramdisk/${name}`, lun });
  const numberOf = async (path: string) => {
    await host.root.observe();
    return host.root.loopOf([...host.root.tree.targets()].find((one) => one.path === path)!)?.number;
  };
  const [a, b] = ['a', 'b'].map((letter) => `/iscsi/iqn.2003-01.org.example:${letter}`) as [string, string];
  expect(await numberOf(a)).not.toBe(await numberOf(b));
  stall();
  const moving = apply(luns('a'), 'create', { storage_object: '/backstores/ramdisk/other', lun: 1 });
  expect(await isFirst(createRamdisk('r'), moving)).toBe(true);
  await moving;
  expect(await numberOf(a)).toBe(await numberOf(b));
  expect(object('m')?.missing).toBe('it has not answered yet');
  proxy.resume();
  await expect.poll(() => object('m')?.missing).toBeUndefined();
  expect(object('m')?.size).toBeGreaterThan(0);
});

test('a start goes on without volumes whose server does not answer, and serves each when it does', async () => {
  const { host, looked, proxy, create, createRamdisk, object } = await opened();
  await create('a');
  await create('b');
  proxy.allow('toClient', 0);
  const before = proxy.connections;
  await host.root.start();
  expect(host.root.serving).toBe(true);
  expect([object('a')?.missing, object('b')?.missing]).toEqual(['it has not answered yet', 'it has not answered yet']);
  const retries = [host.root.retry('now'), host.root.retry('now')];
  await createRamdisk('r');
  expect(proxy.connections - before, 'one attempt each').toBe(2);
  proxy.resume();
  await Promise.all(retries);
  expect([object('a')?.missing, object('b')?.missing]).toEqual([undefined, undefined]);
  expect(object('a')?.volume?.size).toBeGreaterThan(0);
  await expect.poll(() => looked).toHaveBeenCalled();
});

test('a medium whose saved words cannot be meant is the problem of its storage object, and not of the start', async () => {
  const { host, createRamdisk } = await opened();
  const config = { config: 'rbd/pool/image;constructor=x', size: 1 << 20 };
  const create = {
    path: '/backstores/user:rbd',
    verb: 'create',
    params: { name: 'u', wwn: 'serial', settled: { config, attributes: {} } },
  };
  await host.root.apply(create, true);
  await createRamdisk('r');
  await host.root.start();
  expect(host.root.serving).toBe(true);
  const missing = (path: string) => host.root.tree.storageObject(path)?.missing;
  expect([missing('/backstores/user:rbd/u'), missing('/backstores/ramdisk/r')]).toEqual([
    expect.stringContaining('behind POOL/IMAGE there can be conf= and id='),
    undefined,
  ]);
});

test('the state of a server is that of its storage object, which is told', async () => {
  const { host, looked, proxy, create, object } = await opened();
  await host.root.start();
  await create('m');
  expect(object('m')?.missing).toBeUndefined();
  proxy.cut();
  await expect.poll(() => object('m')?.missing).toMatch(/^since \d{4}-.*Z: /);
  expect(looked).toHaveBeenCalled();
  expect(object('m')?.volume).toBeDefined();
  await proxy.listen();
  await expect.poll(() => object('m')?.missing).toBeUndefined();
});

test('a change whose client has gone before its turn is not made', async () => {
  const { host, apply, object, create } = await opened();
  await host.root.start();
  await create('m');
  const gone = new AbortController();
  const { promise: busy, resolve: done } = Promise.withResolvers<void>();
  void host.root.inTurn(() => busy);
  const deleting = apply(nbd, 'delete', { name: 'm' }, gone.signal);
  gone.abort();
  done();
  await expect(deleting).rejects.toThrow('aborted');
  expect(object('m')).toBeDefined();
});

test('a LUN that cannot be attached holds up no other change, and that it was to be attached is taken back', async () => {
  const { host, apply, createRamdisk } = await opened();
  await host.root.start();
  await createRamdisk('d');
  const wwn = 'naa.5001405000000001';
  const luns = `/loopback/${wwn}/luns`;
  await apply('/loopback', 'create', { wwn });
  await apply(luns, 'create', { storage_object: '/backstores/ramdisk/d', lun: 0 });
  // The program of a device stands beside what is built, and not beside the source.
  const attaching = host.root.apply({ path: luns, verb: 'attach', params: { lun: 0 } }, false, { of: 'attaching' });
  expect(await isFirst(createRamdisk('r'), attaching)).toBe(true);
  await expect(attaching).rejects.toThrow('Could not attach');
  expect([...host.root.tree.tpgs()].map((tpg) => tpg.luns.get(0)?.attached)).toEqual([false]);
  expect((await host.history.last())?.change.operations).toMatchObject([
    { path: '/backstores/ramdisk', params: { name: 'r' } },
  ]);
});
