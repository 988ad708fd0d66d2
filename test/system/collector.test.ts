// Large buffers that a session leaves behind are freed although nothing goes on afterwards. It does not test what the collector of V8 does by itself.

import { expect, it, onTestFinished, vi } from 'vitest';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';

const borrowed = vi.hoisted(() => [] as { readonly bytes: number; readonly buffer: WeakRef<Uint8Array> }[]);

vi.mock('../../src/iscsi/buffer-pool.ts', async (load) => {
  const pool = await load<typeof import('../../src/iscsi/buffer-pool.ts')>();
  return {
    ...pool,
    borrow(bytes: number) {
      const buffer = pool.borrow(bytes);
      borrowed.push({ bytes: buffer.length, buffer: new WeakRef(buffer) });
      return buffer;
    },
  };
});

/** WRITE(10) of 8 MiB. */
const write = [0x2a, 0, 0, 0, 0, 0, 0, 0x40, 0, 0];

const bytesOf = (those: typeof borrowed) => those.reduce((sum, { bytes }) => sum + bytes, 0);

it('what unfinished writes of many sessions kept is freed to the last byte once the sessions are gone', async () => {
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
  // What was looked at in one turn of the event loop lives to its end.
  await new Promise((resolve) => setImmediate(resolve));
  vi.advanceTimersByTime(5_000);
  expect(bytesOf(borrowed.filter(({ buffer }) => buffer.deref() !== undefined))).toBe(0);
});
