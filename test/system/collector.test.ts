// Large buffers that a session or a connection leaves behind are freed although nothing goes on afterwards. It does not test what the collector of V8 does by itself.

import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { leaveToCollector } from '../../src/system/collector.ts';
import { dataMemory } from '../../src/system/memory-budget.ts';
import { ByteChannel } from '../../src/wire/byte-channel.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { nbdTarget, RawClient } from '../support/nbd-target.ts';
import { temporaryDirectory } from '../support/tcli.ts';

const borrowed = vi.hoisted(() => [] as { readonly bytes: number; readonly buffer: WeakRef<Uint8Array> }[]);

const calls = vi.hoisted(() => [] as string[]);

vi.mock('../../src/system/ffi.ts', async (load) => {
  const ffi = await load<typeof import('../../src/system/ffi.ts')>();
  return {
    ...ffi,
    foreignCall(...[name, ...types]: Parameters<typeof ffi.foreignCall>) {
      const found = ffi.foreignCall(name, ...types);
      if (name !== 'malloc_trim') return found;
      return () => ({ ...found(), later: async () => calls.push(name) });
    },
  };
});

vi.mock('../../src/iscsi/buffer-pool.ts', async (load) => {
  const pool = await load<typeof import('../../src/iscsi/buffer-pool.ts')>();
  return {
    ...pool,
    borrowBuffer(bytes: number) {
      const buffer = pool.borrowBuffer(bytes);
      borrowed.push({ bytes: buffer.length, buffer: new WeakRef(buffer) });
      return buffer;
    },
  };
});

/** WRITE(10) of 8 MiB. */
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0x40, 0, 0];

const bytesOf = (those: typeof borrowed) => those.reduce((sum, { bytes }) => sum + bytes, 0);

it('memory of unfinished writes of many sessions is freed to the last byte once the sessions are gone', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const unit = logicalUnit({ volume: memoryVolume(16 << 20, { writeNow: undefined }) });
  const target = new IscsiTarget(unit);
  for (let session = 0; session < 3; session += 1) {
    const { initiator, connection } = await target.login({ ImmediateData: 'No', InitialR2T: 'Yes' });
    for (let count = 0; count < 4; count += 1)
      initiator.sendCommand(write, { data: new Uint8Array(8 << 20), immediateData: 0 });
    await connection.close('the test ends it');
  }
  expect(bytesOf(borrowed)).toBeGreaterThanOrEqual(64 << 20);
  // An object that was looked at in one turn of the event loop lives to its end.
  await new Promise((resolve) => setImmediate(resolve));
  vi.advanceTimersByTime(5_000);
  expect(bytesOf(borrowed.filter(({ buffer }) => buffer.deref() !== undefined))).toBe(0);
});

it('memory of answers that NBD clients did not read is freed once they are gone, but for less than is worth a look', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const answers: typeof borrowed = [];
  const volume = memoryVolume(1 << 20, { readNow: undefined });
  const { read } = volume;
  volume.read = (into, position) => {
    answers.push({ bytes: into.length, buffer: new WeakRef(into.buffer as never) });
    return read(into, position);
  };
  const { server } = nbdTarget([logicalUnit({ volume })], join(temporaryDirectory(), 'socket'));
  await server.open();
  onTestFinished(() => server.close());
  const client = () => new RawClient(new ByteChannel(connect(server.path))).enter();
  const clients = await Promise.all(Array.from({ length: 12 }, client));
  await Promise.all(clients.map((one) => Promise.all(Array.from({ length: 8 }, () => one.sendRequest(0, 0, 1 << 20)))));
  await expect.poll(() => bytesOf(answers)).toBeGreaterThanOrEqual(64 << 20);
  const ended = clients.map(({ channel }) => channel.closed);
  for (const { channel } of clients) channel.destroy();
  await Promise.all(ended);
  await expect.poll(() => dataMemory.held).toBe(0);
  // Sockets that are closed say so in some later turn, and hold what they had until then.
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  vi.advanceTimersByTime(5_000);
  // V8 may have found a part by itself.
  expect(bytesOf(answers.filter(({ buffer }) => buffer.deref() !== undefined))).toBeLessThan(64 << 20);
});

it('memory of connections outside of V8 is given back: the C library is asked for it, once for thousands', () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const trims = () => calls.filter((name) => name === 'malloc_trim').length;
  const before = trims();
  for (let connection = 0; connection < 8_192; connection += 1) leaveToCollector(16 * 1024);
  expect(trims()).toBe(before);
  vi.advanceTimersByTime(5_000);
  expect(trims()).toBe(before + 1);
  leaveToCollector(16 * 1024);
  vi.advanceTimersByTime(5_000);
  expect(trims()).toBe(before + 1);
});
