/** The volumes that other tests build on do what those tests believe of them. */

import { expect, test } from 'vitest';
import { faultyVolume } from '../support/faulty-volume.ts';
import { memoryVolume } from '../support/memory-volume.ts';
import { slowVolume } from '../support/slow-volume.ts';

const ones = new Uint8Array(512).fill(1);

test('the volume in memory shows its bytes, what was done to it, and lacks what it shall lack', async () => {
  const volume = memoryVolume(8192, { discard: undefined });
  await volume.write(ones, 512, true);
  await volume.flush();
  expect(volume.calls).toEqual(['write 512+512 durable', 'flush']);
  expect([volume.bytes[511], volume.bytes[512]]).toEqual([0, 1]);
  expect('discard' in volume).toBe(false);
});

test('the faulty volume fails where it is told to, with a system error, and nowhere else', async () => {
  const inner = memoryVolume(8192);
  const volume = faultyVolume(inner, (call, position) => (call === 'write' && position === 512 ? 'ENOSPC' : undefined));
  expect(volume.writeNow).toBeUndefined();
  await expect(volume.write(ones, 512, false)).rejects.toMatchObject({ code: 'ENOSPC', errno: -28 });
  await volume.write(ones, 0, false);
  expect(inner.calls).toEqual(['write 0+512']);
});

test('the slow volume holds calls until they are let go, in any order', async () => {
  const inner = memoryVolume(8192);
  const { volume, waiting, release, releaseAll } = slowVolume(inner);
  const first = volume.write(ones, 0, false);
  const second = volume.write(ones, 512, false);
  expect([waiting, inner.calls]).toEqual([['write 0+512', 'write 512+512'], []]);
  release(1);
  await second;
  expect(inner.calls).toEqual(['write 512+512']);
  releaseAll();
  await first;
  expect(inner.calls).toEqual(['write 512+512', 'write 0+512']);
});
