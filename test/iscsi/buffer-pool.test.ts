// The ownership of a data-out buffer: lent once, given back once, never while somebody writes into it. Not here: speed.

import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { borrowBuffer, giveBack } from '../../src/iscsi/buffer-pool.ts';
import { IscsiTarget } from '../support/iscsi-target.ts';
import { logicalUnit } from '../support/logical-unit.ts';
import { memoryVolume } from '../support/memory-volume.ts';

const lent = vi.hoisted(() => new Set<Uint8Array>());

vi.mock('../../src/iscsi/buffer-pool.ts', async (load) => {
  const pool = await load<typeof import('../../src/iscsi/buffer-pool.ts')>();
  return {
    borrowBuffer(bytes: number) {
      const buffer = pool.borrowBuffer(bytes);
      if (lent.has(buffer)) throw new Error('lent to two at once');
      lent.add(buffer);
      return buffer;
    },
    giveBack(buffer: Uint8Array) {
      if (!lent.delete(buffer)) throw new Error('given back twice');
      pool.giveBack(buffer);
    },
    abandonBuffer: pool.abandonBuffer,
  };
});

it('no two hold the same buffer, and each is as long as was asked for', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2 << 20 }), { maxLength: 20 }), (sizes) => {
      const held = sizes.map(borrowBuffer);
      expect(new Set(held.map((buffer) => buffer.buffer)).size).toBe(sizes.length);
      held.forEach((buffer, at) => {
        expect(buffer.length).toBeGreaterThanOrEqual(sizes[at]!);
        giveBack(buffer);
      });
    }),
    { numRuns: 50 },
  );
});

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

it('every buffer comes back when its command is answered, however its data came and whatever became of it', async () => {
  const unit = logicalUnit({ volume: memoryVolume(4 << 20, { writeNow: undefined }) });
  const { initiator } = await new IscsiTarget(unit).login({ FirstBurstLength: '8192', MaxBurstLength: '16384' });
  const outcomes = await fc
    .sample(
      fc.record({
        lba: fc.integer({ min: 0, max: 9000 }),
        blocks: fc.integer({ min: 1, max: 256 }),
        immediate: fc.nat(8192),
      }),
      { numRuns: 60, seed: 7 },
    )
    .reduce(
      async (before, { lba, blocks, immediate }) => {
        const data = new Uint8Array(blocks * 512);
        const options = { data, immediateData: Math.min(immediate, data.length) };
        return [...(await before), (await initiator.command(write10(lba, blocks), options)).status];
      },
      Promise.resolve([] as number[]),
    );
  // Some lie behind the end of the medium and are refused.
  expect(new Set(outcomes)).toEqual(new Set([0, 2]));
  expect(lent.size).toBe(0);
});

it('a buffer that a write still reads from is not lent again when its connection is gone', async () => {
  let finish: () => void = () => {};
  const unit = logicalUnit({ volume: memoryVolume(1 << 20, { writeNow: undefined }) });
  const written = unit.volume.write;
  unit.volume.write = (...args) =>
    new Promise<void>((resolve) => {
      finish = resolve;
    }).then(() => written(...args));
  const { initiator, connection } = await new IscsiTarget(unit).login();
  initiator.sendCommand(write10(0, 8), { data: new Uint8Array(4096), immediateData: 4096 });
  const [held] = lent;
  const closed = connection.close('the test ends it');
  expect(held).toBeDefined();
  expect([...Array(8)].map(() => borrowBuffer(4096))).not.toContain(held);
  finish();
  await closed;
});
