// Local targets that follow the tree, on real Unix sockets. Not tested here: block devices (test/e2e/loopback.test.ts).

import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { loopback, loopbackService } from '../../src/fabric/loopback.ts';
import { startLocal } from '../../src/nbd/engine.ts';
import type { FabricEngine } from '../../src/target/service.ts';

import { fabricState, Target, Tpg } from '../../src/target/target.ts';
import { ByteChannel } from '../../src/wire/byte-channel.ts';
import { addLun } from '../support/iscsi-target.ts';
import { logicalUnit, ScsiInitiator } from '../support/logical-unit.ts';
import { RawClient } from '../support/nbd-target.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const wwn = 'naa.5001405c81b9d906';
let engine: FabricEngine | undefined;
afterEach(() => engine?.stop());

/** A target with one LUN, served in `folder`. */
async function served(folder = temporaryDirectory()) {
  const state = fabricState(loopback);
  const target = new Target(loopback, wwn);
  const tpg = new Tpg(target, 1, 1);
  tpg.nexusWwn = 'naa.5001405000000001';
  tpg.enabled = true;
  target.tpgs.set(1, tpg);
  state.targets.set(wwn, target);
  const { lu, volume } = logicalUnit();
  addLun(tpg, 0, lu);
  const log: string[] = [];
  const begun: Promise<unknown>[] = [];
  const running = startLocal(state, {
    log: ({ event }) => log.push(event),
    serves: () => true,
    begun: (work) => begun.push(work),
    runDirectory: folder,
  });
  engine = running;
  const settle = () => Promise.all(begun.splice(0));
  await running.reconcile();
  const socket = join(folder, `${wwn}.sock`);
  const client = () => new RawClient(new ByteChannel(connect(socket))).enter();
  return { state, tpg, lu, volume, log, socket, client, settle, engine: running };
}

test('an initiator of iSCSI and this machine meet at the same logical unit', async () => {
  const { client, lu, volume } = await served();
  const local = await client();
  await local.request(1, 0, 512, Buffer.alloc(512, 5));
  const remote = new ScsiInitiator(lu, 'remote').login();
  expect((await remote.send([0x28, 0, 0, 0, 0, 0, 0, 0, 1])).data).toEqual(Buffer.alloc(512, 5));
  expect(await remote.send([0x16])).toMatchObject({ status: 0 });
  expect(await local.request(1, 0, 512, Buffer.alloc(512, 6))).toMatchObject({ error: 1 });
  expect(volume.bytes[0]).toBe(5);
});

test('a LUN that goes takes its clients along and no others; a new one is there for the next client', async () => {
  const { client, tpg, engine } = await served();
  const first = await client();
  addLun(tpg, 1, logicalUnit({ name: 'disk1' }).lu);
  await engine.reconcile();
  expect(await first.request(0, 0, 512)).toMatchObject({ error: 0 });
  const second = await client();
  expect((await second.request(0, 0, 512)).error).toBe(0);
  tpg.luns.delete(0);
  await engine.reconcile();
  await expect(first.channel.exactly(1)).rejects.toThrow();
});

test('a target that is disabled or deleted is served no more, and its socket is gone', async () => {
  const { client, tpg, state, engine, socket, settle } = await served();
  const one = await client();
  tpg.enabled = false;
  await engine.reconcile();
  await settle();
  await expect(one.channel.exactly(1)).rejects.toThrow();
  expect(existsSync(socket)).toBe(false);
  tpg.enabled = true;
  await engine.reconcile();
  expect(await (await client()).request(3, 0, 0)).toMatchObject({ error: 0 });
  state.targets.clear();
  await engine.reconcile();
  await settle();
  expect(existsSync(socket)).toBe(false);
});

test('a socket that cannot be made is the problem of its LUNs', async () => {
  const { tpg, log, engine } = await served(join(temporaryDirectory(), 'x'.repeat(100)));
  expect(engine.lunProblem?.(tpg.luns.get(0)!)).toMatchObject({
    message: 'The LUNs are not served',
    hint: expect.stringContaining('longer than 107 bytes'),
  });
  expect(log).toEqual(['local target not served']);
});

test('the address of a LUN is an NBD URI', async () => {
  const { tpg } = await served();
  const lun = tpg.luns.get(0)!;
  expect(loopbackService.local?.uri(lun, '/run/tcli')).toBe(`nbd+unix:///lun0?socket=/run/tcli/${wwn}.sock`);
  expect(loopbackService.local?.uri(lun, '/a b/c&d')).toBe(`nbd+unix:///lun0?socket=/a%20b/c%26d/${wwn}.sock`);
});
