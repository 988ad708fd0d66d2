// Everyday verbs as logged-in initiators meet them, on sockets, with loops in threads of their own. What the shell says of
// the verbs is in snapshots/transcripts/everyday.txt.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import type { ParameterValues } from '../../src/operations/operation.ts';
import { openHost } from '../../src/root/host.ts';
import { buildLoopThread } from '../support/build-programs.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const thread = await buildLoopThread('everyday');
const client = 'iqn.2026-01.com.example:client';
const wwn = 'iqn.2003-01.org.example:disks';
const tpg = `/iscsi/${wwn}/tpg1`;
const acl = `${tpg}/acls/${client}`;

const testUnitReady = [0x00, 0, 0, 0, 0, 0];
const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const block = (fill: number) => Buffer.alloc(512, fill);

/** A served home with a ramdisk as LUN 0 of a target, mapped for one initiator. */
async function serve() {
  const directory = temporaryDirectory();
  const workers = { entry: thread, count: 2 };
  const host = await openHost({ home: homeOf(directory, {}, undefined), role: 'serve', workers });
  onTestFinished(() => host.close());
  await host.root.start();
  const port = await freePort();
  const apply = (path: string, verb: string, params: ParameterValues = {}) => host.root.apply({ path, verb, params });
  await apply('/backstores/ramdisk', 'create', { name: 'rd0', size: '1M' });
  await apply('/iscsi', 'create', { wwn });
  await apply(`/iscsi/${wwn}`, 'create', { tag: 1 });
  await apply(`${tpg}/luns`, 'create', { storage_object: '/backstores/ramdisk/rd0', lun: 0 });
  await apply(`${tpg}/acls`, 'create', { wwn: client });
  await apply(acl, 'create', { mapped_lun: 0, tpg_lun: 0 });
  await apply(`${tpg}/portals`, 'create', { ip_address: '127.0.0.1', ip_port: port });
  await apply(tpg, 'set', { group: 'attribute', name: 'authentication', value: '0' });
  await apply(tpg, 'enable');
  return { host, apply, port, directory };
}

/** An initiator with no unit attention pending. */
async function loggedIn(port: number, target = wwn, name = client) {
  const connected = await connectInitiator(port, target, name);
  onTestFinished(() => connected.close());
  while ((await connected.initiator.command(testUnitReady)).status !== 0);
  return connected;
}

it('SBC-3 6.5.1, SPC-4 5.14: write_protect of a mapped LUN changes under an initiator, which is told, may read, and may not write until it is allowed to', async () => {
  const { apply, port } = await serve();
  const { initiator } = await loggedIn(port);
  const protect = (value: string) =>
    apply(`${acl}/mapped_lun0`, 'set', { group: 'attribute', name: 'write_protect', value });
  const modeSense = async () =>
    (await initiator.command([0x1a, 0, 0x3f, 0, 255, 0], { read: true, length: 255 })).data[2];
  expect((await initiator.command(write, { data: block(1) })).status).toBe(0);
  await protect('1');
  expect((await initiator.command(testUnitReady)).sense).toBe('6/2a/01');
  expect((await initiator.command(write, { data: block(2) })).sense).toBe('7/27/00');
  expect((await initiator.command(read, { read: true, length: 512 })).data).toEqual(block(1));
  expect((await modeSense())! & 0x80).toBe(0x80);
  await protect('0');
  expect((await initiator.command(testUnitReady)).sense).toBe('6/2a/01');
  expect((await initiator.command(write, { data: block(3) })).status).toBe(0);
  expect((await modeSense())! & 0x80).toBe(0);
  // A setting that stays as it is is not told to initiators.
  await protect('0');
  expect((await initiator.command(testUnitReady)).status).toBe(0);
});

it('a TPG that becomes read-only for those with an ACL tells them as well', async () => {
  const { apply, port } = await serve();
  const { initiator } = await loggedIn(port);
  await apply(tpg, 'set', { group: 'attribute', name: 'prod_mode_write_protect', value: '1' });
  expect((await initiator.command(testUnitReady)).sense).toBe('6/2a/01');
  expect((await initiator.command(write, { data: block(2) })).sense).toBe('7/27/00');
});

/** The answers of INQUIRY about a disk: the standard data, and the pages with its serial number and its names. */
async function identity({ initiator }: Awaited<ReturnType<typeof loggedIn>>) {
  const inquire = async (page: number) => {
    const cdb = [0x12, page === 0 ? 0 : 1, page, 1, 0, 0];
    return (await initiator.command(cdb, { read: true, length: 256 })).data.toString('latin1');
  };
  return [await inquire(0), await inquire(0x80), await inquire(0x83)];
}

it('a storage object that is renamed is the same to its initiators: data, identity and reservations, and no unit attention', async () => {
  const { apply, host, port } = await serve();
  await apply(`${tpg}/luns`, 'delete', { lun: 0 });
  await apply('/backstores/ramdisk/rd0', 'set', { group: 'attribute', name: 'emulate_model_alias', value: '1' });
  await apply(`${tpg}/luns`, 'create', { storage_object: '/backstores/ramdisk/rd0', lun: 0 });
  await apply(acl, 'create', { mapped_lun: 0, tpg_lun: 0 });
  const connected = await loggedIn(port);
  const { initiator } = connected;
  await initiator.command(write, { data: block(7) });
  expect((await initiator.command([0x16, 0, 0, 0, 0, 0])).status).toBe(0);
  const before = await identity(connected);
  expect(before[0]).toContain('rd0');
  await apply('/backstores/ramdisk', 'rename', { name: 'rd0', to: 'data' });
  expect((await initiator.command(testUnitReady)).sense).toBe('');
  expect((await initiator.command(read, { read: true, length: 512 })).data).toEqual(block(7));
  expect(await identity(connected)).toEqual(before);
  await host.root.observe();
  const now = host.root.tree.storageObject('/backstores/ramdisk/data')!;
  expect(host.root.holdOn(now)).toMatchObject({ path: '/backstores/ramdisk/data' });
  // Back, as `undo` does it, and once more.
  for (const name of ['rd0', 'data']) {
    const step = name === 'rd0' ? await host.history.last() : await host.history.undone();
    await host.history.take(step!);
    expect(host.root.tree.storageObject(`/backstores/ramdisk/${name}`)).toBeDefined();
    expect((await initiator.command(testUnitReady)).sense).toBe('');
    expect(await identity(connected)).toEqual(before);
  }
  // Later changes find the object by its new name, in the thread that serves it, too.
  await apply('/backstores/ramdisk/data', 'resize', { size: 2 << 20 });
  expect((await initiator.command(testUnitReady)).sense).toBe('6/2a/09');
  expect((await initiator.command(read, { read: true, length: 512 })).data).toEqual(block(7));
});

it('a LUN that gets another number, or another TPG, is seen by those with an ACL as it was', async () => {
  const { apply, host, port } = await serve();
  const other = 'iqn.2003-01.org.example:other';
  const { initiator } = await loggedIn(port);
  await initiator.command(write, { data: block(5) });
  await apply(`${acl}/mapped_lun0`, 'set', { group: 'attribute', name: 'write_protect', value: '1' });
  expect((await initiator.command(testUnitReady)).sense).toBe('6/2a/01');
  await apply(`${tpg}/luns`, 'move', { lun: 0, to: 5 });
  expect((await initiator.command(testUnitReady)).sense).toBe('');
  expect((await initiator.command(read, { read: true, length: 512 })).data).toEqual(block(5));
  // A copy of the target has what the target has, on the same portal.
  await apply('/iscsi', 'copy', { wwn, to: other });
  const copy = await loggedIn(port, other);
  expect((await copy.initiator.command(read, { read: true, length: 512 })).data).toEqual(block(5));
  expect((await copy.initiator.command(write, { data: block(2) })).sense).toBe('7/27/00');
  await apply(`/iscsi/${other}/tpg1/luns`, 'delete', { lun: 5 });
  expect((await copy.initiator.command(testUnitReady)).sense).toBe('5/25/00');
  await apply(`${tpg}/luns`, 'move', { lun: 5, tpg: `/iscsi/${other}/tpg1` });
  expect((await initiator.command(testUnitReady)).sense).toBe('5/25/00');
  while ((await copy.initiator.command(testUnitReady)).sense.startsWith('6/'));
  expect((await copy.initiator.command(read, { read: true, length: 512 })).data).toEqual(block(5));
  expect((await copy.initiator.command(write, { data: block(2) })).sense).toBe('7/27/00');
  const [mapped] = host.root.tree.fabrics
    .get('iscsi')!
    .targets.get(other)!
    .tpgs.get(1)!
    .acls.get(client)!
    .mappedLuns.values();
  expect(mapped).toMatchObject({ index: 0, writeProtect: true });
});

it('a target or an ACL that is renamed ends the sessions of the old name, and lets the new one in with all that it had', async () => {
  const { apply, host, port } = await serve();
  const [named, newcomer] = ['iqn.2003-01.org.example:named', 'iqn.2026-01.com.example:newcomer'];
  const { tree } = host.root;
  const tpgOf = (name: string) => tree.fabrics.get('iscsi')!.targets.get(name)!.tpgs.get(1)!;
  const [{ relativePortId }, alias] = [tpgOf(wwn), tpgOf(wwn).luns.get(0)!.alias];
  const ofOldTarget = await loggedIn(port);
  await apply('/iscsi', 'rename', { wwn, to: named });
  await expect(ofOldTarget.lost).rejects.toThrow('the target closed the connection');
  await expect(connectInitiator(port, wwn, client)).rejects.toThrow('login refused: 2/3');
  const ofOldAcl = await loggedIn(port, named);
  expect([tpgOf(named).relativePortId, tpgOf(named).luns.get(0)!.alias]).toEqual([relativePortId, alias]);
  await apply(`/iscsi/${named}/tpg1/acls/${client}`, 'set', {
    group: 'auth',
    name: 'password',
    value: 'secretsecret1',
  });
  await apply(`/iscsi/${named}/tpg1/acls`, 'copy', { wwn: client, to: newcomer });
  expect(tpgOf(named).acls.get(newcomer)).toMatchObject({ auth: { password: 'secretsecret1' } });
  expect(tpgOf(named).acls.get(newcomer)!.mappedLuns.size).toBe(1);
  await apply(`/iscsi/${named}/tpg1/acls`, 'delete', { wwn: newcomer });
  await apply(`/iscsi/${named}/tpg1/acls`, 'rename', { wwn: client, to: newcomer });
  await expect(ofOldAcl.lost).rejects.toThrow('the target closed the connection');
  await expect(connectInitiator(port, named, client)).rejects.toThrow('login refused: 2/2');
  await loggedIn(port, named, newcomer);
});

it('another medium in the place of the old one: what was written is brought to the old one, the unit stays the same, and its initiators are told of medium and capacity', async () => {
  const { apply, port, directory } = await serve();
  const file = (name: string) => join(directory, name);
  await apply('/backstores/fileio', 'create', { name: 'disk', file_or_dev: file('old.img'), size: 1 << 20 });
  await apply(`${tpg}/luns`, 'create', { storage_object: '/backstores/fileio/disk', lun: 1 });
  await apply(acl, 'create', { mapped_lun: 1, tpg_lun: 1 });
  for (const [name, size] of [
    ['smaller.img', 1 << 19],
    ['larger.img', 2 << 20],
  ] as const)
    writeFileSync(file(name), Buffer.alloc(size, name === 'larger.img' ? 9 : 0));
  const { initiator } = await loggedIn(port);
  const command = (cdb: number[], options = {}) => initiator.command(cdb, { lun: 1, ...options });
  while ((await command(testUnitReady)).status !== 0);
  const serial = async () => (await command([0x12, 1, 0x80, 1, 0, 0], { read: true, length: 256 })).data;
  const before = await serial();
  await command(write, { data: block(4) });
  const replace = (params: ParameterValues) => apply('/backstores/fileio', 'replace', { name: 'disk', ...params });
  await expect(replace({ file_or_dev: file('smaller.img') })).rejects.toThrow(
    'disk would be smaller: the new medium has 524288 bytes, the old one 1048576',
  );
  await expect(replace({ file_or_dev: file('none.img') })).rejects.toThrow('need a size');
  await expect(replace({ file_or_dev: file('old.img') })).rejects.toThrow('already exists: disk');
  expect((await command(testUnitReady)).sense).toBe('');
  await replace({ file_or_dev: file('larger.img') });
  expect(readFileSync(file('old.img')).subarray(0, 512)).toEqual(block(4));
  expect((await command(testUnitReady)).sense).toBe('6/28/00');
  expect((await command(testUnitReady)).sense).toBe('6/2a/09');
  expect((await command(read, { read: true, length: 512 })).data).toEqual(block(9));
  expect((await command([0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], { read: true, length: 8 })).data.readUInt32BE(0)).toBe(4095);
  expect(await serial()).toEqual(before);
  await replace({ file_or_dev: file('smaller.img'), force: true });
  expect((await command(testUnitReady)).sense).toBe('6/28/00');
  expect((await command(testUnitReady)).sense).toBe('6/2a/09');
});
