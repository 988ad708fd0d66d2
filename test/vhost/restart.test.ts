// A back-end that goes away under a running front-end, and comes back: what was in flight is run again. QEMU 7.2 cannot do its
// part of it (`npm run e2e:vhost` shows that), so the front-end is the tests' own.

import { expect, test } from 'vitest';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { slowVolume } from '../support/slow-volume.ts';
import { TestFrontEnd } from '../support/vhost-front-end.ts';
import { vhostTarget } from '../support/vhost-target.ts';

const write10 = (lba: number) => [0x2a, 0, 0, 0, lba >> 8, lba & 0xff, 0, 0, 1, 0];

/** Connects to another back-end with the memory and the rings of a front-end whose own has gone. */
async function goOn(
  before: TestFrontEnd,
  socket: string,
  inflight: { description: Buffer; fd: number },
): Promise<TestFrontEnd> {
  const after = await TestFrontEnd.connect(socket, [16, 16, 64], before);
  await after.negotiate();
  await after.tell(32, inflight.description, [inflight.fd]);
  // QEMU takes the used index for the base when it could not ask.
  for (const ring of after.rings) await after.startRing(ring, ring.usedIndex);
  return after;
}

test('requests that were in flight when the back-end was killed are run again, in their order, and answered once', async () => {
  const held = slowVolume(memoryVolume(1024 * 1024, { writeNow: undefined }));
  const first = await vhostTarget(logicalUnit({ volume: held.volume as never }).lu);
  const driver = await first.connect();
  await driver.negotiate();
  const inflight = await driver.inflight(3, 64);
  for (const ring of driver.rings) await driver.startRing(ring);
  await driver.command([0]);
  const answers = [5, 3, 9, 1].map((lba) => driver.command(write10(lba), { dataOut: Buffer.alloc(512, lba) }));
  await expect.poll(() => held.waiting.length).toBe(4);
  // The second of them ends, the others do not.
  held.release(1);
  expect(await answers[1]).toMatchObject({ status: 0 });

  const { volume } = logicalUnit();
  const second = await vhostTarget(logicalUnit({ volume }).lu);
  await first.engine.endSession?.(first.engine.sessions()[0]!.id, 'killed');
  await driver.ended();
  const after = await goOn(driver, second.socket, inflight);
  expect(await Promise.all([answers[0], answers[2], answers[3]])).toMatchObject(
    // The first session hears of the power on, for all.
    [{ sense: '6/29/00' }, { status: 0 }, { status: 0 }],
  );
  expect(volume.calls.filter((call) => call.startsWith('write'))).toEqual(['write 4608+512', 'write 512+512']);
  expect(await after.command(write10(2), { dataOut: Buffer.alloc(512) })).toMatchObject({ status: 0 });
  after.disconnect();
  held.releaseAll();
});

test('a request that was used and not struck off when the back-end died is not run again', async () => {
  const { connect, socket, engine } = await vhostTarget();
  const driver = await connect();
  await driver.negotiate();
  const inflight = await driver.inflight(3, 64);
  for (const ring of driver.rings) await driver.startRing(ring);
  await driver.command([0]);
  await driver.command([0]);
  // The back-end seems to have died between the used index and the marks: the last head is in flight, and the index one behind.
  const { mapShared } = await import('../../src/system/shared-memory.ts');
  const bytes = inflight.description.readBigUInt64LE(0);
  const memory = mapShared(inflight.fd, Number(bytes));
  const part = new DataView(memory.bytes, (Number(bytes) / 3) * 2);
  const lastBatch = part.getUint16(12, true);
  expect(part.getUint16(14, true)).toBe(2);
  part.setUint16(14, 1, true);
  part.setUint8(16 + 16 * lastBatch, 1);
  driver.disconnect();
  await expect.poll(() => engine.sessions()).toEqual([]);
  const after = await goOn(driver, socket, inflight);
  await after.command([0]);
  expect(after.rings[2]!.usedIndex).toBe(3);
  memory.unmap();
  after.disconnect();
});

test('a ring that is stopped says where it stands, with nothing under way, and goes on from there', async () => {
  const held = slowVolume(memoryVolume(1024 * 1024, { writeNow: undefined }));
  const { driver: start } = await vhostTarget(logicalUnit({ volume: held.volume as never }).lu);
  const driver = await start();
  const [, , ring] = driver.rings;
  const command = driver.command(write10(1), { dataOut: Buffer.alloc(512, 1) });
  await expect.poll(() => held.waiting.length).toBe(1);
  let base = -1;
  const stopped = driver.stopRing(ring!).then((value) => {
    base = value;
  });
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  expect(base).toBe(-1);
  held.releaseAll();
  await stopped;
  expect(base).toBe(2);
  expect(await command).toMatchObject({ status: 0 });
  const later = driver.command([0]);
  await driver.startRing(ring!, base);
  expect(await later).toMatchObject({ status: 0 });
});

test('a device that is reset begins anew: rings, features, and an I_T nexus that was lost', async () => {
  const { driver: start, lu } = await vhostTarget();
  const driver = await start();
  expect(await driver.command([0x16])).toMatchObject({ status: 0 });
  expect(await driver.tell(34)).toBe(0n);
  for (const ring of driver.rings) {
    ring.clear();
    await driver.startRing(ring);
  }
  expect(await driver.command([0])).toMatchObject({ sense: '6/29/07' });
  const { ScsiInitiator } = await import('../support/logical-unit.ts');
  expect(await new ScsiInitiator(lu, 'remote').login().send([0])).toMatchObject({ status: 0 });
});
