/** The record of a volume's writes, and the answers that it gives. Not tested here: real media, in test/e2e/lost-writes.test.ts. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recorded, recordedAtOpening } from '../../src/backstore/recorded-volume.ts';
import { SectorSet } from '../../src/backstore/sector-set.ts';
import { WriteRecord } from '../../src/backstore/write-record.ts';
import { faultyVolume } from '../support/faulty-volume.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { slowVolume } from '../support/slow-volume.ts';

const size = 1 << 20;
const block = new Uint8Array(4096).fill(7);

/** A volume whose calls fail as `faults` says: call → error code. */
function failing(faults: Record<string, string>) {
  const record = new WriteRecord();
  const told: boolean[] = [];
  record.changed = async (grown) => void told.push(grown);
  const volume = recorded(
    faultyVolume(memoryVolume(size), (call) => faults[call]),
    record,
  );
  return { volume, record, told, faults };
}

test('a set of sectors holds what a plain set would, over the borders of its leaves', () => {
  const leaf = 16 << 20;
  const range = fc
    .tuple(fc.constantFrom(0, leaf, 3 * leaf), fc.integer({ min: -6, max: 6 }), fc.integer({ min: 0, max: 20 }))
    .map(([border, shift, count]) => ({ first: Math.max(0, border / 512 + shift), count }));
  const step = fc.record({ what: fc.constantFrom('add', 'remove', 'addSet', 'removeSet'), range });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const set = new SectorSet();
      const model = new Set<number>();
      for (const { what, range } of steps) {
        const { first, count } = range;
        const other = new SectorSet();
        other.add(first * 512, count * 512);
        if (what === 'add') set.add(first * 512, count * 512);
        else if (what === 'addSet') set.addSet(other);
        else if (what === 'remove') set.remove(first * 512, count * 512);
        else set.removeSet(other);
        for (let at = first; at < first + count; at += 1)
          if (what.startsWith('add')) model.add(at);
          else model.delete(at);
        expect(set.has(first * 512, 512)).toBe(model.has(first));
      }
      const sectors = set
        .ranges()
        .flatMap(([position, length]) => Array.from({ length: length / 512 }, (_, i) => position / 512 + i));
      expect(sectors).toEqual([...model].sort((a, b) => a - b));
      expect(set.isEmpty).toBe(model.size === 0);
    }),
  );
});

test('a set of sectors with more leaves than it may have holds everything, and takes nothing away from another one', () => {
  const set = new SectorSet();
  for (let leaf = 0; leaf <= 1024; leaf += 1) set.add(leaf * (16 << 20), 512);
  expect([set.isEverything, set.has(5 << 20, 512)]).toEqual([true, true]);
  const other = new SectorSet();
  other.add(0, 512);
  other.removeSet(set);
  expect(other.isEmpty).toBe(false);
});

test('a flush that is asked for while one is under way begins after it, once for all who wait', async () => {
  const { volume, waiting, releaseAll } = slowVolume(memoryVolume(size));
  const served = recorded(volume, new WriteRecord());
  const first = served.flush();
  await expect.poll(() => waiting).toEqual(['flush']);
  const later = [served.flush(), served.flush(), served.flush()];
  releaseAll();
  await first;
  await expect.poll(() => waiting).toEqual(['flush']);
  releaseAll();
  await Promise.all(later);
  expect(waiting).toEqual([]);
});

test('after a flush that failed no flush and no durable write succeeds until what was lost is written again and flushed', async () => {
  const { volume, record, faults, told } = failing({ flush: 'EIO' });
  await volume.write(block, 0, false);
  await volume.write(block, 8192, false);
  await expect(Promise.all([volume.flush(), volume.flush()])).rejects.toMatchObject({ code: 'EIO' });
  expect(record.lost).toMatchObject({
    ranges: [
      [0, 4096],
      [8192, 4096],
    ],
  });
  delete faults['flush'];
  await expect(volume.flush()).rejects.toMatchObject({ code: 'EIO' });
  await expect(volume.write(block, 65_536, true)).rejects.toMatchObject({ code: 'EIO' });
  await volume.write(block, 0, false);
  await expect(volume.flush()).rejects.toMatchObject({ code: 'EIO' });
  expect(record.lost).toMatchObject({ ranges: [[8192, 4096]] });
  // A durable write of the rest is a proof by itself.
  await volume.write(block, 8192, true);
  await volume.flush();
  expect([record.lost, told]).toEqual([undefined, [true, false, false]]);
});

test('a write that a failed flush has overtaken proves nothing, whenever it ends', async () => {
  const { volume, waiting, release } = slowVolume(memoryVolume(size));
  let fails = true;
  const record = new WriteRecord();
  const served = recorded(
    faultyVolume(volume, (call) => (call === 'flush' && fails ? 'EIO' : undefined)),
    record,
  );
  const writing = served.write(block, 0, false);
  await expect.poll(() => waiting.length).toBe(1);
  await expect(served.flush()).rejects.toMatchObject({ code: 'EIO' });
  release();
  await writing;
  fails = false;
  const flushing = served.flush();
  await expect.poll(() => waiting).toEqual(['flush']);
  release();
  await expect(flushing).rejects.toMatchObject({ code: 'EIO' });
  expect(record.lost).toMatchObject({ ranges: [[0, 4096]] });
});

test('a write that a flush did not wait for is not covered by it', async () => {
  const { volume, waiting, release } = slowVolume(memoryVolume(size));
  const record = new WriteRecord();
  const served = recorded(volume, record);
  const writing = served.write(block, 0, false);
  await expect.poll(() => waiting.length).toBe(1);
  const flushing = served.flush();
  await expect.poll(() => waiting.length).toBe(2);
  release(1);
  await flushing;
  release();
  await writing;
  expect(record.isFlushed(0, 4096)).toBe(false);
});

test('a durable write brings its range to the medium, unless another write went there meanwhile', async () => {
  const { volume, release } = slowVolume(memoryVolume(size));
  const record = new WriteRecord();
  const served = recorded(volume, record);
  const cached = served.write(block, 0, false);
  release();
  await cached;
  expect(record.isFlushed(0, 4096)).toBe(false);
  const durable = served.write(block, 0, true);
  release();
  await durable;
  expect(record.isFlushed(0, 4096)).toBe(true);
  const overtaken = served.write(block, 0, true);
  const later = served.write(block, 2048, false);
  release(1);
  await later;
  release();
  await overtaken;
  expect(record.isFlushed(0, 4096)).toBe(false);
});

test.each([
  ['a durable write that fails with EIO takes along what was not flushed', { write: 'EIO' }, [[0, 4096]]],
  ['a durable write that finds no space costs itself alone', { write: 'ENOSPC' }, undefined],
  [
    'a durable write that finds no space, and a flush that fails then, take along what was not flushed',
    { write: 'ENOSPC', flush: 'EIO' },
    [[0, 4096]],
  ],
  ['a server that does not answer has lost nothing yet', { write: 'ETIMEDOUT', flush: 'ETIMEDOUT' }, undefined],
])('%s', async (_what, wanted: { write: string; flush?: string }, ranges) => {
  const { volume, record, faults } = failing({});
  await volume.write(block, 0, false);
  Object.assign(faults, wanted);
  await expect(volume.write(block, 8192, true)).rejects.toMatchObject({ code: wanted.write });
  expect(record.lost?.ranges).toEqual(ranges);
  expect(record.isFlushed(0, 4096)).toBe(wanted.flush === undefined && wanted.write === 'ENOSPC');
});

test('the first flush of an opened volume is for earlier writers; when it fails everything may be lost', async () => {
  const medium = memoryVolume(size);
  await recordedAtOpening(medium, new WriteRecord());
  expect(medium.calls).toEqual(['flush']);
  const record = new WriteRecord();
  const volume = await recordedAtOpening(
    memoryVolume(size, { flush: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) }),
    record,
  );
  expect(record.lost).toEqual({ reason: 'EIO' });
  await expect(volume.flush()).rejects.toThrow('EIO');
});

test('a record that goes on elsewhere has lost what it had lost, and what is cut off is forgotten', async () => {
  const { volume, record } = failing({ flush: 'EIO' });
  await volume.write(block, 4096, false);
  await volume.flush().catch(() => {});
  const next = new WriteRecord();
  next.restore(JSON.parse(JSON.stringify(record.lost)));
  expect(() => next.check()).toThrow('EIO');
  await next.forget(6144);
  expect(next.lost).toMatchObject({ ranges: [[4096, 2048]] });
});
