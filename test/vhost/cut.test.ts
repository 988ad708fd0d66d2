// A front-end that goes away at any point: before, in the middle of and after each message that starts a device, and in each state of its
// rings. What it had goes with it, and another one finds a device that works.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { slowVolume } from '../support/slow-volume.ts';
import { F, type TestFrontEnd, userAddress, usualFeatures } from '../support/vhost-front-end.ts';
import { vhostTarget } from '../support/vhost-target.ts';

const u32 = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
const u64 = (...values: (bigint | number)[]) => Buffer.from(BigUint64Array.from(values.map(BigInt)).buffer);

interface Sent {
  readonly name: string;
  readonly request: number;
  readonly payload: Buffer;
  readonly descriptors: readonly number[];
}

/** All that a front-end says to start a device with one ring for commands, and to stop it. */
function messagesOf(driver: TestFrontEnd): Sent[] {
  const ring = driver.rings[2]!;
  const one = (name: string, request: number, payload: Buffer = Buffer.alloc(0), ...descriptors: number[]): Sent => ({
    ...{ name, request, payload, descriptors },
  });
  const places = u64(userAddress + ring.descriptors, userAddress + ring.usedRing, userAddress + ring.availableRing, 0);
  return [
    one('GET_FEATURES', 1),
    one('GET_PROTOCOL_FEATURES', 15),
    one('SET_PROTOCOL_FEATURES', 16, u64((1n << 0n) | (1n << 3n) | (1n << 12n) | (1n << 13n) | (1n << 15n))),
    one('SET_OWNER', 3),
    one('SET_FEATURES', 2, u64(usualFeatures | F.eventIndex)),
    one('ADD_MEM_REG', 37, driver.regionPayload(), driver.memoryFd),
    one('SET_VRING_NUM', 8, u32(2, ring.size)),
    one('SET_VRING_BASE', 10, u32(2, 0)),
    one('SET_VRING_ADDR', 9, Buffer.concat([u32(2, 0), places])),
    one('SET_VRING_CALL', 13, u64(2), ring.call),
    one('SET_VRING_KICK', 12, u64(2), ring.kick),
    one('SET_VRING_ENABLE', 18, u32(2, 1)),
    one('GET_VRING_BASE', 11, u32(2, 0)),
    one('RESET_DEVICE', 34),
  ];
}

/** The descriptors of front-ends, and the mappings of their memory, in this process. */
const held = () => ({
  descriptors: readdirSync('/proc/self/fd').length,
  mappings: readFileSync('/proc/self/maps', 'latin1').match(/memfd:guest/g)?.length ?? 0,
});

/** @returns when the target has let go of the one before, with what is held then */
async function gone(target: Awaited<ReturnType<typeof vhostTarget>>, before: ReturnType<typeof held>) {
  await expect.poll(() => [target.engine.sessions().length, held()]).toEqual([0, before]);
}

const names = [
  ...['GET_FEATURES', 'GET_PROTOCOL_FEATURES', 'SET_PROTOCOL_FEATURES', 'SET_OWNER', 'SET_FEATURES', 'ADD_MEM_REG'],
  ...['SET_VRING_NUM', 'SET_VRING_BASE', 'SET_VRING_ADDR', 'SET_VRING_CALL', 'SET_VRING_KICK', 'SET_VRING_ENABLE'],
  ...['GET_VRING_BASE', 'RESET_DEVICE'],
];

test('a front-end that goes in the middle of a message, or behind it, leaves nothing, and the next one is served', async () => {
  const target = await vhostTarget();
  // Things that stay from their first use are there before.
  (await target.driver()).close();
  await expect.poll(() => target.engine.sessions().length).toBe(0);
  const before = held();
  for (const [at, name] of names.entries())
    for (const part of [0.5, 1]) {
      const driver = await target.connect();
      const messages = messagesOf(driver);
      expect(messages[at]!.name).toBe(name);
      for (const { request, payload, descriptors } of messages.slice(0, at)) driver.send(request, payload, descriptors);
      const { request, payload, descriptors } = messages[at]!;
      const bytes = Buffer.concat([u32(request, 1, payload.length), payload]);
      driver.sendRaw(bytes.subarray(0, Math.floor(bytes.length * part)), descriptors);
      driver.close();
      await gone(target, before);
    }
  const after = await target.driver();
  expect((await after.command([0x12, 0, 0, 0, 36, 0], { dataIn: 36 })).status).toBe(0);
});

/** States of a ring in which a front-end goes. */
const states: readonly (readonly [string, (driver: TestFrontEnd) => unknown])[] = [
  ['running, with nothing to do', () => {}],
  ['made available, and not kicked', (driver) => void driver.command([0], { kick: false })],
  ['taken, and waiting for the medium', (driver) => void driver.command(read, { dataIn: 512 })],
  ['taken, with data to write', (driver) => void driver.command(write, { dataOut: Buffer.alloc(512, 7) })],
  ['used, and not looked at', (driver) => driver.command([0])],
  ['being stopped, with commands under way', (driver) => during(driver, () => driver.send(11, u32(2, 0)))],
  ['being reset, with commands under way', (driver) => during(driver, () => driver.send(34))],
  ['being told to abort', (driver) => during(driver, () => void driver.manage(1))],
];
const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0];
/** Something waits for the medium while this is asked for. */
function during(driver: TestFrontEnd, what: () => unknown): void {
  void driver.command(read, { dataIn: 512 });
  what();
}

test.each(states)(
  'a front-end that goes while its ring is %s leaves nothing, and the next one is served',
  async (state, act) => {
    const medium = slowVolume(memoryVolume(1 << 20, { readNow: undefined, writeNow: undefined }));
    const target = await vhostTarget(logicalUnit({ volume: medium.volume as never }).lu);
    const first = await target.driver();
    await act(first);
    first.disconnect();
    // A wait for the end of commands sees only then that the connection is over.
    if (!/being stopped|being reset/.test(state)) await expect.poll(() => target.engine.sessions()).toEqual([]);
    const sessionsLeft = () => {
      medium.releaseAll();
      return target.engine.sessions();
    };
    await expect.poll(sessionsLeft).toEqual([]);
    expect(target.reasons().at(-1)).toMatch(/it has closed the connection|it does not read its answers/);
    const next = await nextDriver(target, () => medium.releaseAll());
    const answer = next.command(read, { dataIn: 512 });
    await expect.poll(() => medium.waiting).toEqual(['read 0+512']);
    medium.releaseAll();
    expect((await answer).status).toBe(0);
  },
);

/** The next driver, which is let in when no command of the one before is on its way any more. */
async function nextDriver(target: Awaited<ReturnType<typeof vhostTarget>>, release: () => void): Promise<TestFrontEnd> {
  for (;;)
    try {
      release();
      return await target.driver();
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
}
