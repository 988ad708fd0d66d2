// Loops in worker threads, with initiators on sockets: what goes over between threads, and what must not be lost on the
// way. The tests of everything else run in one thread.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BroadcastChannel } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { OperatorError } from '../../src/errors.ts';
import { loginRequest } from '../../src/iscsi/pdu.ts';
import type { LogRecord } from '../../src/log.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { type Host, openHost } from '../../src/root/host.ts';
import { printText } from '../../src/wire/text.ts';
import { buildLoopThread } from '../support/build-programs.ts';
import { type Connected, connectInitiator } from '../support/connect-initiator.ts';
import { freePort } from '../support/free-port.ts';
import { Initiator } from '../support/initiator.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const thread = await buildLoopThread('loops');
const mortalThread = await buildLoopThread('loops', 'test/support/mortal-loop.ts');

/** A served home; `log` is what it said. */
async function serve(count: number, entry = thread) {
  const directory = temporaryDirectory();
  const log: LogRecord[] = [];
  const home = homeOf(directory, {}, undefined);
  const host = await openHost({ home, role: 'serve', workers: { entry, count }, log: (record) => log.push(record) });
  onTestFinished(() => host.close());
  await host.root.start();
  const apply = (path: string, verb: string, params: Record<string, string | number> = {}) =>
    host.root.apply({ path, verb, params });
  return { host, log, apply, directory };
}

type Apply = Awaited<ReturnType<typeof serve>>['apply'];
const name = (letter: string) => `iqn.2003-01.org.example:${letter}`;

/** A target in demo mode on `port`, with a ramdisk of 1 MiB as LUN 0. */
async function makeTarget(apply: Apply, letter: string, port: number, ramdisk = `rd-${letter}`): Promise<void> {
  const tpg = `/iscsi/${name(letter)}/tpg1`;
  await apply('/backstores/ramdisk', 'create', { name: ramdisk, size: '1M' });
  await apply('/iscsi', 'create', { wwn: name(letter) });
  await apply(`/iscsi/${name(letter)}`, 'create', { tag: 1 });
  for (const [attribute, value] of Object.entries({
    generate_node_acls: '1',
    demo_mode_write_protect: '0',
    authentication: '0',
  }))
    await apply(tpg, 'set', { group: 'attribute', name: attribute, value });
  await apply(`${tpg}/luns`, 'create', { storage_object: `/backstores/ramdisk/${ramdisk}`, lun: 0 });
  await apply(`${tpg}/portals`, 'create', { ip_address: '127.0.0.1', ip_port: port });
  await apply(tpg, 'enable');
}

/** An initiator of a target, with no unit attention pending. */
async function loggedIn(port: number, letter: string): Promise<Connected> {
  const connected = await connectInitiator(port, name(letter), 'iqn.2026-01.com.example:initiator');
  onTestFinished(() => connected.close());
  while ((await connected.initiator.command([0, 0, 0, 0, 0, 0])).status !== 0);
  return connected;
}

const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const block = new Uint8Array(512).fill(0x5a);
const readBlock = async ({ initiator }: Connected) =>
  Buffer.from((await initiator.command(read, { read: true, length: 512 })).data);

/** Loops of the targets, in the order in which those were made. */
async function loopsOf({ root }: Host) {
  await root.observe();
  return [...root.tree.targets()].map((target) => root.loopOf(target)?.number);
}

it('a login reaches the loop of its target with every byte, also text in pieces that were answered before', async () => {
  const { apply, host } = await serve(1);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => void socket.destroy());
  const initiator = new Initiator(name('a'), (bytes) => {
    for (let at = 0; at < bytes.length; at += 7) socket.write(bytes.subarray(at, at + 7));
  });
  initiator.remote = true;
  socket.on('data', (bytes) => initiator.receive(bytes));
  const text = printText(Object.entries(initiator.names));
  const values = { ...initiator.loginValues(1), continue: true };
  initiator.send(loginRequest, values, text.subarray(0, 20));
  expect((await initiator.next()).values).toMatchObject({ statusClass: 0, transit: false, statSn: 1 });
  initiator.send(loginRequest, { ...initiator.loginValues(1), transit: true, nextStage: 3 }, text.subarray(20));
  const answer = await initiator.next();
  expect(answer.values).toMatchObject({ statusClass: 0, transit: true, statSn: 2 });
  expect(answer.text['TargetPortalGroupTag']).toBe('1');
  initiator.loggedIn(answer);
  await initiator.command([0, 0, 0, 0, 0, 0]);
  expect((await initiator.command(write, { data: block, immediateData: 100 })).status).toBe(0);
  await host.root.observe();
  expect(host.root.sessions()).toMatchObject([{ initiatorWwn: initiator.name, traffic: { writtenBytes: 512 } }]);
  expect((await host.root.counts()).storageObjects).toMatchObject([
    { path: '/backstores/ramdisk/rd-a', writes: 1, writtenBytes: 512 },
  ]);
  expect(await loopsOf(host)).toEqual([1]);
});

it('a login that is refused, and discovery, are answered by the reception', async () => {
  const { apply } = await serve(1);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  await expect(connectInitiator(port, name('nosuch'), 'iqn.2026-01.com.example:i')).rejects.toThrow('2/3');
  await apply(`/iscsi/${name('a')}/tpg1`, 'set', { group: 'attribute', name: 'generate_node_acls', value: '0' });
  await expect(connectInitiator(port, name('a'), 'iqn.2026-01.com.example:i')).rejects.toThrow('2/2');
});

it('discovery, a login and a READ go through while the management side does nothing at all', async () => {
  const { apply, log } = await serve(1);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  const { initiator } = await loggedIn(port, 'a');
  await initiator.command(write, { data: block, immediateData: 512 });
  log.length = 0;
  const program = fileURLToPath(new URL('../support/read-block.ts', import.meta.url));
  // The main thread, which is the management side's, stands still until the program has ended.
  const { stdout, stderr } = spawnSync(process.execPath, [program, String(port)], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(log).toEqual([]);
  expect({ stderr, ...(stdout && JSON.parse(stdout)) }).toEqual({
    stderr: '',
    found: { TargetName: name('a'), TargetAddress: `127.0.0.1:${port},1` },
    status: 0,
    data: Buffer.from(block).toString('hex'),
  });
});

it('a change by an initiator is an operation of the whole: stored, and known to every tree', async () => {
  const { apply, host, directory } = await serve(2);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  const { initiator } = await loggedIn(port, 'a');
  const object = host.root.tree.storageObject('/backstores/ramdisk/rd-a')!;
  const before = object.attributes.values.emulate_write_cache;
  // MODE SENSE(6) without block descriptors, MODE SELECT(6): the caching page, with the other WCE.
  const { data } = await initiator.command([0x1a, 0x08, 0x08, 0, 255, 0], { read: true, length: 255 });
  const page = Uint8Array.from([0, 0, 0, 0, data[4]! & 0x3f, ...data.subarray(5)]);
  page[6]! ^= 0x04;
  expect(
    await initiator.command([0x15, 0x10, 0, 0, page.length, 0], { data: page, immediateData: page.length }),
  ).toMatchObject({
    status: 0,
  });
  expect(object.attributes.values.emulate_write_cache).toBe(1 - before);
  expect(readFileSync(join(directory, 'journal.jsonl'), 'utf8')).toContain('emulate_write_cache');
});

it('a change that cannot be stored is taken back in the loop as well: its disks are served as before', async () => {
  const { apply, host } = await serve(1);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  const session = await loggedIn(port, 'a');
  await session.initiator.command(write, { data: block, immediateData: 512 });
  host.root.recordTo(async () => {
    throw new OperatorError('no space');
  });
  await expect(apply('/backstores/ramdisk', 'delete', { name: 'rd-a' })).rejects.toThrow('no space');
  await expect(apply('/backstores/ramdisk', 'create', { name: 'other', size: '1M' })).rejects.toThrow('no space');
  host.root.recordTo(async () => {});
  // REPORTED LUNS DATA HAS CHANGED, twice.
  while ((await session.initiator.command([0, 0, 0, 0, 0, 0])).status !== 0);
  expect(await readBlock(session)).toEqual(Buffer.from(block));
  await apply('/backstores/ramdisk', 'create', { name: 'other', size: '1M' });
});

it('a change of several operations is one in the loop as well: all of it is served, and of one that is refused or cannot be stored nothing', async () => {
  const { apply, host } = await serve(2);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  const tpg = `/iscsi/${name('a')}/tpg1`;
  const initiatorName = 'iqn.2026-01.com.example:initiator';
  for (const one of ['more', 'third']) await apply('/backstores/ramdisk', 'create', { name: one, size: '2M' });
  const lun = (storage_object: string, index: number) => ({
    path: `${tpg}/luns`,
    verb: 'create',
    params: { storage_object, lun: index },
  });
  const mapped = (index: number, from: number) => ({
    path: `${tpg}/acls/${initiatorName}`,
    verb: 'create',
    params: { mapped_lun: index, tpg_lun: from },
  });
  const together = (...operations: Operation[]) =>
    host.root.change(async (apply) => {
      for (const operation of operations) await apply(operation);
    });
  const acl = { path: `${tpg}/acls`, verb: 'create', params: { wwn: initiatorName } };
  await together(acl, lun('/backstores/ramdisk/more', 1), mapped(0, 0), mapped(5, 1));
  const session = await loggedIn(port, 'a');
  const { initiator } = session;
  const luns = async () => {
    const { data } = await initiator.command([0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], { read: true, length: 256 });
    return Array.from({ length: (Buffer.from(data).readUInt32BE(0) ?? 0) / 8 }, (_, i) => data[8 + 8 * i + 1]);
  };
  expect(await luns()).toEqual([0, 5]);
  await initiator.command(write, { data: block, immediateData: 512 });

  const gone = { path: '/backstores/ramdisk', verb: 'delete', params: { name: 'more' } };
  await expect(together(lun('/backstores/ramdisk/third', 7), mapped(6, 7), mapped(6, 7))).rejects.toThrow();
  host.root.recordTo(async () => {
    throw new OperatorError('no space');
  });
  await expect(together(lun('/backstores/ramdisk/third', 7), mapped(6, 7), gone)).rejects.toThrow('no space');
  host.root.recordTo(async () => {});
  // A change that was taken back shows as REPORTED LUNS DATA HAS CHANGED, if at all.
  while ((await initiator.command([0, 0, 0, 0, 0, 0])).status !== 0);
  expect(await luns()).toEqual([0, 5]);
  expect(await readBlock(session)).toEqual(Buffer.from(block));
  // A thread that begins now, and one that goes on, know the same tree.
  await together(lun('/backstores/ramdisk/third', 7), mapped(6, 7));
  while ((await initiator.command([0, 0, 0, 0, 0, 0])).status !== 0);
  expect(await luns()).toEqual([0, 5, 6]);
});

it('a disk becomes larger in its loop: its initiator is told, and what cannot be stored is taken back', async () => {
  const { apply, host } = await serve(2);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  await makeTarget(apply, 'b', port);
  const { initiator } = await loggedIn(port, 'a');
  const resize = (size: number) => apply('/backstores/ramdisk/rd-a', 'resize', { size });
  const blocks = async () =>
    Buffer.from(
      (await initiator.command([0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], { read: true, length: 8 })).data,
    ).readUInt32BE(0) + 1;
  const capacityDataChanged = { status: 2, sense: '6/2a/09' };
  await resize(2 << 20);
  expect(await initiator.command([0, 0, 0, 0, 0, 0])).toMatchObject(capacityDataChanged);
  expect(await blocks()).toBe(4096);
  host.root.recordTo(async () => {
    throw new OperatorError('no space');
  });
  await expect(resize(3 << 20)).rejects.toThrow('no space');
  await initiator.command([0, 0, 0, 0, 0, 0]);
  expect(await blocks()).toBe(4096);
  const { config, size } = host.root.tree.storageObject('/backstores/ramdisk/rd-a')!;
  expect([config, size]).toEqual([{ size: 2 << 20 }, 2 << 20]);
});

it('targets are spread over loops; what comes to share a disk comes together, with all that memory holds', async () => {
  const { apply, host } = await serve(2);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  await makeTarget(apply, 'b', port);
  expect((await loopsOf(host)).sort()).toEqual([1, 2]);
  const first = await loggedIn(port, 'a');
  const second = await loggedIn(port, 'b');
  await first.initiator.command(write, { data: block, immediateData: 512 });
  await second.initiator.command(write, { data: block.fill(0x33), immediateData: 512 });
  const register = Uint8Array.from([...new Uint8Array(15), 7, ...new Uint8Array(8)]);
  expect(
    await second.initiator.command([0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0], { data: register, immediateData: 24 }),
  ).toMatchObject({ status: 0 });

  await apply(`/iscsi/${name('b')}/tpg1/luns`, 'create', { storage_object: '/backstores/ramdisk/rd-a', lun: 1 });
  const [one, other] = await loopsOf(host);
  expect(one).toBe(other);
  // A target of the two had to move: its session ended, the other's goes on.
  await Promise.any([first.lost, second.lost].map((lost) => lost.catch(() => {})));
  const again = await loggedIn(port, 'b');
  expect(await readBlock(again)).toEqual(Buffer.alloc(512, 0x33));
  const keys = await again.initiator.command([0x5e, 0, 0, 0, 0, 0, 0, 0, 255, 0], { read: true, length: 255 });
  expect(keys.data.subarray(8).toString('hex')).toBe('0000000000000007');
  const shared = await again.initiator.command(read, { lun: 1, read: true, length: 512 });
  // POWER ON or RESET of the unit that is new to this nexus comes first.
  const data = shared.status === 0 ? shared : await again.initiator.command(read, { lun: 1, read: true, length: 512 });
  expect(Buffer.from(data.data)).toEqual(Buffer.alloc(512, 0x5a));
});

it('a loop that dies is said and replaced; what it held in memory is told to be lost, and is not zeros until the operator wants that', async () => {
  const { apply, host, log } = await serve(1, mortalThread);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  const file = join(temporaryDirectory(), 'disk.img');
  await apply('/backstores/fileio', 'create', { name: 'disk', file_or_dev: file, size: 1 << 20 });
  await apply(`/iscsi/${name('a')}/tpg1/luns`, 'create', { storage_object: '/backstores/fileio/disk', lun: 1 });
  const session = await loggedIn(port, 'a');
  expect((await session.initiator.command(write, { data: block })).status).toBe(0);
  const channel = new BroadcastChannel('the end of loops');
  onTestFinished(() => channel.close());
  channel.postMessage('loop 1');
  await session.lost.catch(() => {});
  const { initiator, close } = await connectInitiator(port, name('a'), 'iqn.2026-01.com.example:initiator');
  onTestFinished(() => close());
  const ask = async (cdb: number[], lun = 0) => {
    const toWrite = cdb === write && { data: block };
    const { status, sense } = await initiator.command(cdb, { lun, ...(toWrite || { read: true, length: 512 }) });
    return status === 0 ? 'good' : sense;
  };
  const powerOn = '6/29/00';
  expect([await ask(read), await ask(read), await ask(write), await ask(read)]).toEqual([
    powerOn,
    '2/3a/00',
    '2/3a/00',
    '2/3a/00',
  ]);
  expect([await ask(read, 1), await ask(read, 1)]).toEqual([powerOn, 'good']);
  expect(log.filter(({ level }) => level === 'error')).toMatchObject([
    { event: 'loop ended' },
    { event: 'contents lost', detail: { path: '/backstores/ramdisk/rd-a' } },
  ]);
  expect(await host.root.missingMedia()).toEqual([
    'Could not create StorageObject rd-a: what it held in memory was lost when the loop that served it ended. To have it again, empty: /backstores/ramdisk/rd-a reopen',
  ]);
  const reopen = () => host.root.reopen(host.root.tree.storageObject('/backstores/ramdisk/rd-a')!);
  await reopen();
  expect([await ask(read), await ask(read)]).toEqual(['6/28/00', 'good']);
  expect(await host.root.missingMedia()).toEqual([]);
  // From now on it holds what is written to it, also when it is opened once more.
  expect(await ask(write)).toBe('good');
  await reopen();
  expect([await ask(read), (await initiator.command(read, { read: true, length: 512 })).data]).toEqual([
    '6/28/00',
    Buffer.from(block),
  ]);
});

it('the loop that receives dies: sessions go on, and another one opens the portals again and goes on counting', async () => {
  const { apply, host, log } = await serve(1, mortalThread);
  const port = await freePort();
  await makeTarget(apply, 'a', port);
  const session = await loggedIn(port, 'a');
  const channel = new BroadcastChannel('the end of loops');
  onTestFinished(() => channel.close());
  channel.postMessage('loop 0');
  while (!log.some(({ event }) => event === 'loop ended')) await new Promise((next) => setImmediate(next));
  // The retry has its turn after the one in which another thread takes the place.
  await host.root.retry();
  const { initiator, close } = await connectInitiator(port, name('a'), 'iqn.2026-01.com.example:other');
  onTestFinished(() => close());
  expect((await initiator.command([0, 0, 0, 0, 0, 0])).sense).toBe('6/29/00');
  expect(await readBlock(session)).toEqual(Buffer.alloc(512));
  await host.root.observe();
  expect(host.root.sessions().map(({ id }) => id)).toEqual([1, 2]);
});

it('a request to a root that stops is refused in words, not by loops that are gone', async () => {
  const { host, apply } = await serve(2);
  await makeTarget(apply, 'a', await freePort());
  const refusal = new OperatorError('The process that serves this configuration is stopping.', 'Nothing was changed.');
  const closing = host.close();
  const late = Array.from({ length: 20 }, async (_, at) => {
    for (let turn = 0; turn < at; turn += 1) await new Promise((next) => setImmediate(next));
    await host.root.observe();
    await host.root.retry();
    return apply('/backstores/ramdisk', 'delete', { name: 'rd-a' });
  });
  for (const { status, reason } of (await Promise.allSettled(late)) as PromiseRejectedResult[])
    expect([status, reason]).toEqual(['rejected', refusal]);
  await closing;
  expect([...host.root.tree.allStorageObjects()].map(({ name }) => name)).toEqual(['rd-a']);
});
