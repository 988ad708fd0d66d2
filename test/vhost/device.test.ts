// A virtio-scsi device as a driver uses it: real rings in shared memory, real eventfds, a front-end of our own. Not tested here:
// a guest (`npm run e2e:vhost`), and what a hostile front-end says or writes (hostile.test.ts).

import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fileio } from '../../src/backstore/fileio.ts';
import { logicalUnitReset } from '../../src/scsi/task-management.ts';
import { addAcl, addLun } from '../support/iscsi-target.ts';
import { logicalUnit, ScsiInitiator } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { makeFolder, memoryFolder, removeFolder } from '../support/scratch.ts';
import { slowVolume } from '../support/slow-volume.ts';
import { F, usualFeatures } from '../support/vhost-front-end.ts';
import { vhostTarget } from '../support/vhost-target.ts';

const read10 = (lba: number, blocks: number) => [0x28, 0, 0, 0, lba >> 8, lba & 0xff, 0, blocks >> 8, blocks & 0xff, 0];
const write10 = (lba: number, blocks: number) => [
  0x2a,
  0,
  0,
  0,
  lba >> 8,
  lba & 0xff,
  0,
  blocks >> 8,
  blocks & 0xff,
  0,
];
const response = {
  ok: 0,
  overrun: 1,
  aborted: 2,
  badTarget: 3,
  reset: 4,
  failure: 9,
  succeeded: 10,
  rejected: 11,
  incorrectLun: 12,
};

/** A volume whose reads and writes all have to be waited for. */
const slow = () => slowVolume(memoryVolume(1024 * 1024, { readNow: undefined, writeNow: undefined }));

test('the first command is told of the power on, and what follows is served', async () => {
  const { connect } = await vhostTarget();
  const driver = await (await connect()).start();
  expect(await driver.command([0])).toMatchObject({ response: 0, status: 2, sense: '6/29/00' });
  expect(await driver.command([0x12, 0, 0, 0, 36, 0], { dataIn: 36 })).toMatchObject({ status: 0, residual: 0 });
});

test.each([
  ['in one piece', usualFeatures, {}],
  ['in pieces', usualFeatures, { piece: 512 }],
  ['in pieces that end within a block', usualFeatures, { piece: 700 }],
  ['behind an indirect descriptor', usualFeatures, { piece: 4096, indirect: true }],
  ['with event indices', usualFeatures | F.eventIndex, { piece: 4096 }],
  ['without protocol features', F.version1, {}],
  ['by a legacy driver', 0n, {}],
])(
  'what is written %s is read again, from a medium that answers at once and from one that does not',
  async (_, features, options) => {
    for (const volume of [undefined, { readNow: undefined, writeNow: undefined }]) {
      const { driver: start } = await vhostTarget(logicalUnit({ volume: memoryVolume(1024 * 1024, volume) }).lu);
      const driver = await start(features);
      const data = Buffer.from(Array.from({ length: 16 * 512 }, (_, i) => (i * 7) & 0xff));
      expect(await driver.command(write10(3, 16), { dataOut: data, ...options })).toMatchObject({
        status: 0,
        residual: 0,
      });
      const answer = await driver.command(read10(3, 16), { dataIn: data.length, ...options });
      expect(answer).toMatchObject({ response: 0, status: 0, residual: 0 });
      expect(answer.data.equals(data)).toBe(true);
    }
  },
);

test('a plain write reaches the medium from where it lies in the guest, and a read goes there, in one call each', async () => {
  const volume = memoryVolume(1024 * 1024);
  const seen: (ArrayBufferLike | undefined)[] = [];
  const { readNow, writeNow } = volume;
  volume.readNow = (into, position) => readNow!(into, position) && seen.push(into.buffer) > 0;
  volume.writeNow = (from, position, durable) => writeNow!(from, position, durable) && seen.push(from.buffer) > 0;
  const driver = await (await vhostTarget(logicalUnit({ volume }).lu)).driver();
  await driver.command(write10(0, 128), { dataOut: Buffer.alloc(65536, 1) });
  await driver.command(read10(0, 128), { dataIn: 65536 });
  expect(seen.map((buffer) => buffer?.byteLength)).toEqual([driver.memory.length, driver.memory.length]);
});

test('reads of a file in memory that come together: each has its blocks, a hole is zeros, and what somebody cut off is a medium error', async () => {
  const folder = makeFolder(memoryFolder);
  onTestFinished(() => removeFolder(folder));
  const file_or_dev = join(folder, 'disk.img');
  const volume = await fileio.open((await fileio.settle({ file_or_dev, size: 1 << 20 }, new Map())).config);
  const data = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 7 + (i >> 9)) & 0xff));
  await volume.write(data, 0, false);
  const { lu } = logicalUnit();
  lu.volume = volume;
  const driver = await (await vhostTarget(lu)).driver();
  const ask = (piece: number) => {
    const all = [3, 64, 17, 511, 40].map((lba) => driver.command(read10(lba, 8), { dataIn: 4096, piece, kick: false }));
    const long = driver.command(read10(0, 128), { dataIn: 65_536, piece: 16_384, kick: false });
    driver.rings[2]!.kickNow();
    return Promise.all([...all, long]);
  };
  const whole = [3, 64, 17, 511, 40, 0].map((lba, i) =>
    lba === 511 ? Buffer.alloc(4096) : data.subarray(lba * 512, lba * 512 + (i === 5 ? 65_536 : 4096)),
  );
  for (const piece of [4096, 700]) {
    const answers = await ask(piece);
    expect(answers.map(({ status, residual }) => [status, residual])).toEqual(whole.map(() => [0, 0]));
    expect(answers.every((answer, i) => answer.data.equals(whole[i]!))).toBe(true);
  }
  truncateSync(file_or_dev, 16_384);
  expect((await ask(4096)).map(({ status, sense }) => (status === 0 ? 'read' : sense))).toEqual([
    'read',
    '3/11/00',
    'read',
    '3/11/00',
    '3/11/00',
    '3/11/00',
  ]);
  await volume.close();
});

test('5.6.6.1: what a CDB moves and the buffers do not hold is an overrun, and nothing is written', async () => {
  const { driver: start, lu } = await vhostTarget();
  const driver = await start();
  expect(await driver.command(write10(0, 2), { dataOut: Buffer.alloc(512, 1) })).toMatchObject({
    response: response.overrun,
    residual: 512,
  });
  expect(await driver.command(read10(0, 2), { dataIn: 512 })).toMatchObject({
    response: response.overrun,
    residual: 512,
  });
  expect(await driver.command(read10(0, 1), { dataIn: 1024 })).toMatchObject({ response: 0, status: 0, residual: 512 });
  expect(await driver.command([0x12, 0, 0, 0, 255, 0], { dataIn: 255 })).toMatchObject({ response: 0, status: 0 });
  expect(await driver.command([0x12], { dataOut: Buffer.alloc(1), dataIn: 1 })).toMatchObject({
    response: response.failure,
  });
  expect(lu.volume?.readNow?.(new Uint8Array(512), 0)).toBe(true);
  expect((await driver.command(read10(0, 1), { dataIn: 512 })).data.every((byte) => byte === 0)).toBe(true);
});

test('5.6.6.1: a target is a TPG by its tag; another one is BAD_TARGET, a LUN that is none is told by sense', async () => {
  const { driver: start, tpg, addTpg, engine } = await vhostTarget();
  addLun(tpg, 300, logicalUnit({ name: 'far' }).lu);
  addLun(addTpg(7), 0, logicalUnit({ name: 'other' }).lu);
  await engine.reconcile();
  const driver = await start();
  expect(await driver.command([0], { target: 2 })).toMatchObject({ response: response.badTarget });
  expect(await driver.command([0], { lun: 5 })).toMatchObject({ response: 0, status: 2, sense: '5/25/00' });
  expect(await driver.command([0], { lun: 300 })).toMatchObject({ response: 0, sense: '6/29/00' });
  expect(await driver.command([0], { target: 7 })).toMatchObject({ response: 0, sense: '6/29/00' });
  const luns = await driver.command([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64], { dataIn: 64 });
  expect(luns.data.readUInt32BE(0)).toBe(16);
});

test('a header or a response that is too short is used without an answer, and the ring goes on', async () => {
  const driver = await (await vhostTarget()).driver();
  const [, , ring] = driver.rings;
  const at = driver.place(200);
  const short = ring!.add([
    { at, length: 50 },
    { at: at + 64, length: 108, writes: true },
  ]);
  const noResponse = ring!.add([
    { at: driver.header([0]), length: 51 },
    { at, length: 107, writes: true },
  ]);
  const readable = ring!.add([{ at: driver.header([0]), length: 51 }]);
  ring!.kickNow();
  expect(await Promise.all([short, noResponse, readable])).toEqual([0, 0, 0]);
  expect(await driver.command([0])).toMatchObject({ response: 0, status: 0 });
});

test('many requests in several queues are answered, each its own', async () => {
  const { driver: start } = await vhostTarget();
  const driver = await start(usualFeatures | F.eventIndex, [16, 16, 64, 64]);
  for (let block = 0; block < 64; block += 1)
    await driver.command(write10(block, 1), { dataOut: Buffer.alloc(512, block) });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      driver.command(read10(i, 1), { dataIn: 512, ring: driver.rings[2 + (i % 2)]! }),
    ),
  );
  expect(answers.map(({ data }) => data[511])).toEqual(Array.from({ length: 40 }, (_, i) => i));
  const [, , first] = driver.rings;
  const before = first!.calls;
  const batch = Array.from({ length: 16 }, (_, i) => driver.command(read10(i, 1), { dataIn: 512, kick: false }));
  first!.kickNow();
  await Promise.all(batch);
  expect(first!.calls - before).toBe(1);
});

test('parameter data is judged as it was when it came: what the guest writes afterwards changes nothing', async () => {
  const medium = memoryVolume(1024 * 1024);
  const held = slowVolume({ ...medium, readNow: undefined, writeNow: undefined } as never);
  const driver = await (await vhostTarget(logicalUnit({ volume: held.volume as never }).lu)).driver();
  const both = Buffer.concat([Buffer.alloc(512), Buffer.alloc(512, 7)]);
  void driver.command([0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], { dataOut: both });
  await expect.poll(() => held.waiting).toEqual(['read 0+512']);
  driver.fillBuffers(9);
  held.release();
  await expect.poll(() => held.waiting).toEqual(['write 0+512']);
  held.release();
  await expect.poll(() => medium.bytes[511]).toBe(7);
  expect(medium.bytes[0]).toBe(7);
});

test('one nexus among others: a reservation of an iSCSI initiator holds against the guest, and the other way round', async () => {
  const { lu, driver: start } = await vhostTarget();
  const driver = await start();
  const remote = new ScsiInitiator(lu, 'remote').login();
  expect(await remote.send([0x16])).toMatchObject({ status: 0 });
  expect(await driver.command(read10(0, 1), { dataIn: 512 })).toMatchObject({ response: 0, status: 0x18 });
  expect(await remote.send([0x17])).toMatchObject({ status: 0 });
  expect(await driver.command([0x16])).toMatchObject({ status: 0 });
  expect(await remote.send(read10(0, 1))).toMatchObject({ status: 0x18 });
  driver.disconnect();
  await expect.poll(async () => (await remote.send(read10(0, 1))).status).toBe(0);
});

test("an ACL of the TPG's own initiator name maps and protects its LUNs", async () => {
  const { tpg, engine, connect, lu } = await vhostTarget();
  const { mappedLuns } = addAcl(tpg, tpg.nexusWwn);
  mappedLuns.set(4, { ...mappedLuns.get(0)!, index: 4, writeProtect: true });
  mappedLuns.delete(0);
  await engine.reconcile();
  const driver = await (await connect()).start();
  expect(await driver.command([0])).toMatchObject({ sense: '5/25/00' });
  await driver.command([0], { lun: 4 });
  expect(await driver.command(write10(0, 1), { lun: 4, dataOut: Buffer.alloc(512) })).toMatchObject({
    sense: '7/27/00',
  });
  expect(engine.sessions()).toMatchObject([{ acl: true, initiatorWwn: tpg.nexusWwn }]);
  expect(lu.volume).toBeDefined();
});

test('sessions show the front-end, and what went over its nexus', async () => {
  const { driver: start, engine, socket, tpg } = await vhostTarget();
  expect(engine.sessions()).toEqual([]);
  const driver = await start();
  await driver.command(write10(0, 4), { dataOut: Buffer.alloc(2048, 1) });
  await driver.command(read10(0, 1), { dataIn: 512 });
  expect(engine.sessions()).toMatchObject([
    {
      fabric: 'vhost',
      tpgTag: 1,
      initiatorWwn: tpg.nexusWwn,
      initiatorAlias: `process ${process.pid}`,
      traffic: { commands: 3, failed: 1, readBytes: 512, writtenBytes: 2048 },
      outstanding: 0,
      connections: [{ address: socket, transport: 'vhost-user' }],
    },
  ]);
  expect(Array.from(tpg.luns.get(0)!.ways, ({ traffic }) => traffic.writtenBytes)).toEqual([2048]);
});

test('5.6.6.2: task management: what each function does to a command that is under way, and what it answers', async () => {
  const held = slow();
  const { driver: start } = await vhostTarget(logicalUnit({ volume: held.volume as never }).lu);
  const driver = await start();
  const abortTask = 0;
  const ends = { abortTask, abortTaskSet: 1, clearTaskSet: 3, nexusReset: 4, logicalUnitReset: 5 };
  for (const [name, subtype] of Object.entries(ends)) {
    let id = 0xffff_8880_1234_5000n + BigInt(subtype);
    let command = driver.command(write10(0, 1), { dataOut: Buffer.alloc(512, 1), id });
    await expect.poll(() => held.waiting.length).toBe(1);
    // A query finds it, by all of its 64 bits, and it goes on.
    expect(await driver.manage(6, { id })).toBe(response.succeeded);
    expect(await driver.manage(6, { id: id + 1n })).toBe(response.ok);
    expect(await driver.manage(7)).toBe(response.succeeded);
    const managed = driver.manage(subtype, { id });
    // The answer to this later request says that the first one was taken.
    await driver.manage(2);
    held.releaseAll();
    expect([name, await managed]).toEqual([name, response.ok]);
    expect([name, (await command).response]).toEqual([name, response.aborted]);
    expect(await driver.manage(7)).toBe(response.ok);
    // A unit attention may be pending.
    await driver.command([0]);
    await driver.command([0]);
    id += 1n;
    command = driver.command([0], { id });
    expect(await command).toMatchObject({ response: 0, status: 0 });
  }
  expect(await driver.manage(2)).toBe(response.rejected);
  expect(await driver.manage(99)).toBe(response.rejected);
  expect(await driver.manage(0, { lun: 9 })).toBe(response.incorrectLun);
  expect(await driver.manage(5, { lun: 9 })).toBe(response.incorrectLun);
  expect(await driver.manage(0, { target: 9 })).toBe(response.badTarget);
});

test('an abort is answered when nothing goes to the buffers of the command any more', async () => {
  const held = slow();
  const driver = await (await vhostTarget(logicalUnit({ volume: held.volume as never }).lu)).driver();
  const order: string[] = [];
  const command = driver.command(read10(0, 1), { dataIn: 512, id: 77n }).then(() => order.push('command'));
  await expect.poll(() => held.waiting).toEqual(['read 0+512']);
  const managed = driver.manage(0, { id: 77n }).then(() => order.push('abort'));
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  expect(order).toEqual([]);
  held.releaseAll();
  await Promise.all([command, managed]);
  expect(order).toEqual(['command', 'abort']);
});

test.each([
  ['TASK ABORTED with TAS 1', 1, { response: response.ok, status: 0x40 }],
  ['RESET with TAS 0, and its driver sends it again', 0, { response: response.reset, status: 0 }],
])('a command that another nexus resets ends with %s', async (_, emulate_tas, answer) => {
  const held = slow();
  const { lu } = logicalUnit({ volume: held.volume as never, attributes: { emulate_tas } });
  const driver = await (await vhostTarget(lu)).driver();
  const command = driver.command(write10(0, 1), { dataOut: Buffer.alloc(512) });
  await expect.poll(() => held.waiting.length).toBe(1);
  const reset = logicalUnitReset(new ScsiInitiator(lu, 'remote').login().nexus, 0);
  held.releaseAll();
  await reset;
  expect(await command).toMatchObject(answer);
});

test('5.6.6.3: LUNs that come, go and grow are told by events, to a guest that has room for them', async () => {
  const { driver: start, tpg, engine } = await vhostTarget();
  const driver = await start();
  addLun(tpg, 3, logicalUnit({ name: 'new' }).lu);
  await engine.reconcile();
  expect(await driver.event()).toEqual({ what: 1, lun: [1, 1, 0, 3], reason: 1 });
  expect(await driver.command([0])).toMatchObject({ sense: '6/3f/0e' });
  const waiting = driver.event();
  const { storageObject } = tpg.luns.get(3)!;
  storageObject.volume = memoryVolume(2 * 1024 * 1024);
  await engine.reconcile();
  expect(await waiting).toEqual({ what: 3, lun: [1, 1, 0, 3], reason: 0x092a });
  tpg.luns.delete(3);
  await engine.reconcile();
  expect(await driver.event()).toEqual({ what: 1, lun: [1, 1, 0, 3], reason: 2 });
});

test('5.6.6.3: the LUN of an event is written as REPORT LUNS writes it', async () => {
  const { driver: start, tpg, engine } = await vhostTarget();
  const driver = await start();
  addLun(tpg, 300, logicalUnit({ name: 'far' }).lu);
  await engine.reconcile();
  const { lun } = await driver.event();
  const { data } = await driver.command([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64], { dataIn: 64 });
  expect(lun).toEqual([1, 1, ...data.subarray(16, 18)]);
});

test('more events than are kept are told as missed', async () => {
  const { driver: start, tpg, engine } = await vhostTarget();
  const driver = await start();
  for (let lun = 1; lun <= 70; lun += 1) addLun(tpg, lun, logicalUnit({ name: `n${lun}` }).lu);
  await engine.reconcile();
  expect(await driver.event()).toMatchObject({ what: 0x80000001, lun: [1, 1, 0, 1] });
  expect(await driver.event()).toMatchObject({ what: 1, lun: [1, 1, 0, 2] });
});

test('a driver that has not accepted hot plug and change is told nothing', async () => {
  const { driver: start, tpg, engine } = await vhostTarget();
  const driver = await start(F.version1 | F.protocol);
  const waiting = driver.event();
  addLun(tpg, 3, logicalUnit({ name: 'new' }).lu);
  await engine.reconcile();
  await driver.command([0]);
  expect(await Promise.race([waiting, driver.command([0]).then(() => 'nothing')])).toBe('nothing');
});

test('a TPG that is disabled is gone for the guest, and one that is enabled comes', async () => {
  const { driver: start, tpg, addTpg, engine } = await vhostTarget();
  addLun(addTpg(2), 0, logicalUnit({ name: 'second' }).lu);
  await engine.reconcile();
  const driver = await start();
  tpg.enabled = false;
  await engine.reconcile();
  expect(await driver.event()).toMatchObject({ what: 1, lun: [1, 1, 0, 0], reason: 2 });
  expect(await driver.command([0])).toMatchObject({ response: response.badTarget });
  tpg.enabled = true;
  await engine.reconcile();
  expect(await driver.event()).toMatchObject({ what: 1, lun: [1, 1, 0, 0], reason: 1 });
  expect(await driver.command([0])).toMatchObject({ response: 0 });
});
