// Everyday verbs as logged-in initiators meet them, on sockets, with loops in threads of their own. What the shell says of
// the verbs is in snapshots/transcripts/everyday.txt.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import type { ParameterValues } from '../../src/operations/operation.ts';
import { openHost } from '../../src/root/host.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { freePort } from '../support/free-port.ts';

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
  const directory = mkdtempSync(join(tmpdir(), 'tcli-everyday-'));
  const workers = { entry: new URL('../../src/loops/loop-thread.ts', import.meta.url), count: 2 };
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
