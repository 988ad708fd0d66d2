/** When calls leave the event loop, and for how long. Not tested: real durations. */

import { expect, test } from 'vitest';
import { Pace } from '../../src/backstore/pace.ts';

/** How many calls in a row are not to be tried. */
function rested(pace: Pace): number {
  let count = 0;
  while (!pace.mayTry()) count += 1;
  return count;
}

test('quick calls are always tried, long transfers may take their time', () => {
  const pace = new Pace(8, 1024);
  for (let i = 0; i < 100; i += 1) {
    expect(pace.mayTry()).toBe(true);
    pace.took(i % 2 ? 0.05 : 1, i % 2 ? 4096 : 1_000_000);
  }
});

test('the rest doubles while calls stay slow, up to a limit, and shrinks again with quick ones', () => {
  const pace = new Pace(8, 1024);
  const rests = Array.from({ length: 10 }, () => {
    pace.took(5, 4096);
    return rested(pace);
  });
  expect(rests).toEqual([8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
  for (let i = 0; i < 20; i += 1) pace.took(0.01, 4096);
  pace.took(5, 4096);
  expect(rested(pace)).toBe(8);
});
