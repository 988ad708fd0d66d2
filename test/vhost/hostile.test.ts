// The messages of a front-end and the writes of a guest are checked: an impossible one ends that device, with its reason in the log, and
// no other. Not tested here: chance (`npm run fuzz`).

import { chmodSync, closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { closeForeign } from '../../src/system/descriptor.ts';
import { createShared } from '../../src/system/shared-memory.ts';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { slowVolume } from '../support/slow-volume.ts';
import { temporaryDirectory } from '../support/tcli.ts';
import { guestAddress } from '../support/vhost-driver-ring.ts';
import { type TestFrontEnd, userAddress, usualFeatures } from '../support/vhost-front-end.ts';
import { vhostTarget } from '../support/vhost-target.ts';

const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const u64 = (...values: (bigint | number)[]) => Buffer.from(BigUint64Array.from(values.map(BigInt)).buffer);

/** Rings that cannot be: what is written into the third one, and the reason that is logged. */
const rings: readonly (readonly [string, (driver: TestFrontEnd) => void, string])[] = [
  ['an available index that has run away', ({ rings: [, , ring] }) => ring!.setAvailable(1000), 'run away'],
  ['a head outside of the table', ({ rings: [, , ring] }) => ring!.publish(64), 'begins outside of the table'],
  [
    'a chain without an end',
    ({ rings: [, , ring] }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0, length: 16 }, 1, 0);
      ring!.publish(0);
    },
    'has no end',
  ],
  [
    'a chain that leaves the table',
    ({ rings: [, , ring] }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0, length: 16 }, 1, 64);
      ring!.publish(0);
    },
    'leaves its table',
  ],
  [
    'a descriptor outside of the memory',
    ({ rings: [, , ring] }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0x7fff_ffff, length: 16 }, 0, 0);
      ring!.publish(0);
    },
    'outside of the memory',
  ],
  [
    'a descriptor that reaches beyond the memory',
    ({ rings: [, , ring], memory }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: memory.length - 8, length: 16 }, 0, 0);
      ring!.publish(0);
    },
    'outside of the memory',
  ],
  [
    'an address that no number holds',
    ({ rings: [, , ring], memory }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0, length: 0xffff_ffff }, 0, 0);
      memory.fill(0xff, ring!.descriptors, ring!.descriptors + 8);
      ring!.publish(0);
    },
    'outside of the memory',
  ],
  [
    'a readable descriptor behind a writable one',
    ({ rings: [, , ring] }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0, length: 16, writes: true }, 1, 1);
      ring!.writeDescriptor(ring!.descriptors, 1, { at: 0, length: 16 }, 0, 0);
      ring!.publish(0);
    },
    'behind a writable one',
  ],
  [
    'an indirect table of half a descriptor',
    ({ rings: [, , ring] }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0x30000, length: 24 }, 4, 0);
      ring!.publish(0);
    },
    'that cannot be',
  ],
  [
    'an indirect table in another',
    (driver) => {
      const [, , ring] = driver.rings;
      ring!.writeDescriptor(0x30000, 0, { at: 0x30000, length: 16 }, 4, 0);
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0x30000, length: 16 }, 4, 0);
      ring!.publish(0);
    },
    'in another',
  ],
  [
    'an indirect descriptor that goes on',
    ({ rings: [, , ring] }) => {
      ring!.writeDescriptor(ring!.descriptors, 0, { at: 0x30000, length: 16 }, 5, 1);
      ring!.publish(0);
    },
    'where none may be',
  ],
];

test.each(rings)('%s ends the device, and its neighbour goes on', async (_, corrupt, reason) => {
  const neighbour = await (await vhostTarget()).driver();
  const { driver: start, reasons } = await vhostTarget();
  const driver = await start();
  corrupt(driver);
  driver.rings[2]!.kickNow();
  await driver.ended();
  expect(reasons()).toContainEqual(expect.stringMatching(new RegExp(`^vhost front-end dropped: .*${reason}`)));
  expect(await neighbour.command([0])).toMatchObject({ response: 0, status: 0 });
});

test('a chain that is made available again while it is under way ends the device', async () => {
  const held = slowVolume(memoryVolume(1024 * 1024, { readNow: undefined }));
  const { driver: start, reasons } = await vhostTarget(logicalUnit({ volume: held.volume as never }).lu);
  const driver = await start();
  void driver.command([0x28, 0, 0, 0, 0, 0, 0, 0, 1], { dataIn: 512 });
  await expect.poll(() => held.waiting).toEqual(['read 0+512']);
  for (let head = 0; head < 64; head += 1) driver.rings[2]!.publish(head);
  driver.rings[2]!.kickNow();
  await driver.ended();
  // The command ends where nobody looks any more.
  held.releaseAll();
  expect(reasons().join('\n')).toContain('made available twice');
});

test('a ring that ends the device while another is worked off leaves that one alone, too', async () => {
  const { driver: start, reasons } = await vhostTarget();
  const driver = await start();
  // A control request looks at the other rings first.
  driver.rings[2]!.setAvailable(1000);
  void driver.manage(7);
  await driver.ended();
  expect(reasons().filter((line) => line.startsWith('vhost front-end dropped'))).toHaveLength(1);
});

/** Messages that cannot be. @returns whatever has to be closed is the back-end's */
const messages: readonly (readonly [string, (driver: TestFrontEnd) => void, string])[] = [
  ['another version', (driver) => driver.sendRaw(u32(1, 2, 0)), 'another version'],
  ['a payload that is too long', (driver) => driver.sendRaw(u32(5, 1, 100_000)), '100000 bytes'],
  ['a request that is not offered', (driver) => driver.send(6, u64(0)), 'request 6, which is not offered'],
  ['a payload that is too short', (driver) => driver.send(2, u32(0)), 'SET_FEATURES with 4 bytes'],
  ['features that were not offered', (driver) => driver.send(2, u64((1n << 3n) | usualFeatures)), 'features 8h'],
  ['protocol features that were not offered', (driver) => driver.send(16, u64(2)), 'features 2h'],
  ['a ring that is none', (driver) => driver.send(18, u32(999, 1)), 'ring 999'],
  ['a size that is no power of two', (driver) => driver.send(8, u32(4, 100)), '100 descriptors'],
  ['a ring that is changed while it runs', (driver) => driver.send(8, u32(2, 8)), 'while it runs'],
  ['a ring without kicks', (driver) => driver.send(12, u64(4n | 256n)), 'without kicks'],
  ['a ring without its eventfd', (driver) => driver.send(12, u64(4)), 'without its eventfd'],
  [
    'a log of a live migration',
    (driver) => driver.send(9, Buffer.concat([u32(4, 1), u64(0, 0, 0, 0)])),
    'live migration',
  ],
  ['a kick that is no eventfd', (driver) => driver.send(12, u64(4), [driver.memoryFd]), 'no eventfd'],
  [
    'a ring that is started before it is described',
    (driver) => driver.send(12, u64(4), [driver.rings[0]!.kick]),
    'before it is described',
  ],
  [
    'a ring outside of the memory',
    (driver) => {
      driver.send(8, u32(4, 16));
      driver.send(9, Buffer.concat([u32(4, 0), u64(0, 0, 0, 0)]));
      driver.send(12, u64(4), [driver.rings[0]!.kick]);
    },
    'lies outside of the memory',
  ],
  [
    'a ring that is not aligned',
    (driver) => {
      driver.send(8, u32(4, 16));
      driver.send(9, Buffer.concat([u32(4, 0), u64(userAddress + 8, userAddress, userAddress, 0)]));
      driver.send(12, u64(4), [driver.rings[0]!.kick]);
    },
    'not aligned',
  ],
  [
    'more descriptors than a request has',
    (driver) => driver.send(1, undefined, [driver.memoryFd]),
    'GET_FEATURES with 0',
  ],
  ['memory without a descriptor', (driver) => driver.send(37, driver.regionPayload()), 'without its descriptor'],
  [
    'a table with another number of descriptors',
    (driver) => driver.send(5, Buffer.concat([u32(2, 0), u64(0, 4096, 0, 0), u64(0, 4096, 0, 0)]), [driver.memoryFd]),
    'another number',
  ],
  ['a table of more regions than it has room for', (driver) => driver.send(5, u32(9, 0)), 'another number'],
  [
    'memory that is shorter than it is said to be',
    (driver) => driver.send(37, u64(0, 0, 2 ** 40, 0, 0), [driver.memoryFd]),
    'shorter than it says',
  ],
  [
    'memory beyond all numbers',
    (driver) => driver.send(37, u64(0, 0, 4096, 0, 2n ** 64n - 4096n), [driver.memoryFd]),
    'no memory can have',
  ],
  ['memory that is taken away and was not given', (driver) => driver.send(38, u64(0, 1, 2, 3, 4)), 'was not given'],
  ['rings that lose their memory', (driver) => driver.send(38, driver.regionPayload()), 'outside of the memory'],
  [
    'memory for requests in flight of no queue',
    (driver) => driver.send(31, Buffer.concat([u64(0, 0), u32(0, 0)])),
    '0 queues',
  ],
  [
    'memory for requests in flight that does not fit',
    (driver) => driver.send(32, Buffer.concat([u64(64, 0), u32(0x0100_0004, 0)]), [driver.memoryFd]),
    'while rings run',
  ],
];

test.each(messages)('%s ends the connection, with its reason', async (_, send, reason) => {
  const { driver: start, reasons } = await vhostTarget();
  const driver = await start();
  send(driver);
  await driver.ended();
  expect(reasons()).toContainEqual(expect.stringContaining(`vhost front-end dropped: `));
  expect(reasons().join('\n')).toContain(reason);
});

test('memory that could be taken away is refused, and the option that seals it is named', async () => {
  const { connect, reasons } = await vhostTarget();
  const frontEnd = await connect();
  const path = join(temporaryDirectory(), 'memory');
  const fd = openSync(path, 'w+');
  frontEnd.send(37, u64(0, guestAddress, 4096, userAddress, 0), [fd]);
  closeSync(fd);
  await frontEnd.ended();
  expect(reasons().join('\n')).toContain('memory-backend-memfd,share=on,seal=on');
});

test.each(['by itself', 'by what it writes', 'by what it says'])(
  'no descriptor and no mapping of a front-end is left when its connection ends %s',
  async (how) => {
    const { connect, engine } = await vhostTarget();
    const mapped = () => readFileSync('/proc/self/maps', 'utf8').match(/memfd:/g)?.length ?? 0;
    const left = () => [readdirSync('/proc/self/fd').length, mapped()];
    const before = left();
    const driver = await connect();
    await driver.negotiate();
    await driver.inflight(3, 64);
    for (const ring of driver.rings) await driver.startRing(ring);
    await driver.command([0]);
    if (how === 'by what it writes') driver.rings[2]!.setAvailable(1000);
    if (how === 'by what it writes') driver.rings[2]!.kickNow();
    if (how === 'by what it says') driver.send(5, u32(9, 0), [driver.memoryFd, driver.memoryFd]);
    if (how !== 'by itself') await driver.ended();
    driver.close();
    await expect.poll(() => engine.sessions()).toEqual([]);
    await expect.poll(left).toEqual(before);
  },
);

test('messages that come a byte at a time are the same messages', async () => {
  const { connect } = await vhostTarget();
  const frontEnd = await connect();
  for (const byte of u32(1, 1, 0)) {
    frontEnd.sendRaw(Uint8Array.of(byte));
    await new Promise(setImmediate);
  }
  expect((await frontEnd.reply()).payload.readBigUInt64LE(0) & usualFeatures).toBe(usualFeatures);
});

test('a second front-end is refused as long as there is one, and comes in when that is gone', async () => {
  const { driver: start, connect, reasons, engine } = await vhostTarget();
  const first = await start();
  const second = await connect();
  await second.ended();
  expect(reasons()).toContain(`vhost front-end refused: it has process ${process.pid}`);
  expect(await first.command([0])).toMatchObject({ status: 0 });
  first.disconnect();
  await expect.poll(() => engine.sessions()).toEqual([]);
  expect(await (await start()).command([0])).toMatchObject({ response: 0 });
  expect(reasons()).toContain('vhost front-end gone: it has closed the connection');
});

test('a socket that cannot be made is the problem of the LUNs', async () => {
  const { engine, tpg, log } = await vhostTarget(undefined, join(temporaryDirectory(), 'x'.repeat(100)));
  expect(engine.lunProblem?.(tpg.luns.get(0)!)).toMatchObject({
    message: 'The LUNs are not served',
    hint: expect.stringContaining('longer than 107 bytes'),
  });
  expect(log).toMatchObject([{ event: 'vhost target not served' }]);
});

test('the socket of a target is for its owner, and for the group that the run directory is open to', async () => {
  const { socket, log } = await vhostTarget();
  expect([statSync(socket).mode & 0o777, log]).toEqual([0o600, []]);
  const shared = temporaryDirectory();
  chmodSync(shared, 0o710);
  const { mode, gid } = statSync((await vhostTarget(undefined, shared)).socket);
  expect([mode & 0o777, gid]).toEqual([0o660, statSync(shared).gid]);
});

test('regions come and go while rings run; what is taken away can be reached no more', async () => {
  const { driver: start } = await vhostTarget();
  const driver = await start();
  const fd = createShared('more', 65536);
  const payload = u64(0, guestAddress + 2 ** 32, 65536, userAddress + 2 ** 40, 0);
  expect(await driver.tell(37, payload, [fd])).toBe(0n);
  closeForeign(fd);
  const at = 2 ** 32;
  const answer = driver.rings[2]!.add([
    { at: driver.header([0x12, 0, 0, 0, 36, 0]), length: 51 },
    { at: driver.place(108), length: 108, writes: true },
    { at, length: 36, writes: true },
  ]);
  driver.rings[2]!.kickNow();
  expect(await answer).toBe(144);
  expect(await driver.tell(38, payload)).toBe(0n);
  void driver.rings[2]!.add([{ at, length: 51 }]);
  driver.rings[2]!.kickNow();
  await driver.ended();
});
