// The clock by which others are judged. It does not test what goes by it.

import { expect, it, vi } from 'vitest';
import { RunningTime, until, whenLate } from '../../src/system/running-time.ts';

it('time in which nobody looked at the clock is none, but for a tick; it never goes back', () => {
  let at = 1000;
  const time = new RunningTime(() => at);
  const seen = [0, 400, 500, 90_000, 0, 500, 3_600_000, 1500].map((passed) => {
    at += passed;
    return time.now();
  });
  expect(seen.map((now) => now - 1000)).toEqual([0, 400, 900, 1400, 1400, 1900, 2400, 3900]);
});

it('a peer is found late after the data that has come was received, and not after that was prevented', async () => {
  const order: string[] = [];
  const prevent = whenLate(0, () => order.push('prevented'));
  const late = new Promise<void>((resolve) => whenLate(0, () => resolve(void order.push('late'))));
  setTimeout(() => {
    order.push('timer');
    prevent();
  });
  // All three are due in the same turn, whenever the clock ticked between them.
  for (const begin = performance.now(); performance.now() - begin < 5; );
  await late;
  expect(order).toEqual(['timer', 'late']);
});

it('a wait longer than a timer takes is no wait of a millisecond', () => {
  const set = vi.spyOn(globalThis, 'setTimeout');
  const prevents = [2 ** 31, Number.MAX_SAFE_INTEGER, Infinity].map((ms) => whenLate(ms, () => {}));
  const delays = set.mock.calls.map(([, ms]) => ms);
  for (const prevent of prevents) prevent();
  set.mockRestore();
  expect(delays).toEqual([2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]);
});

it('an event that nobody tells of is looked for until it is found, given up or late, and once in any case', async () => {
  let looks = 0;
  const atThe = (wanted: number) => () => {
    looks += 1;
    return looks === wanted ? looks : undefined;
  };
  expect(await until(1, 60_000, atThe(3))).toBe(3);
  looks = 0;
  expect([await until(60_000, 0, atThe(2)), looks]).toEqual([undefined, 1]);
  const givenUp = new AbortController();
  const looking = until(60_000, 60_000, () => undefined, givenUp.signal);
  givenUp.abort();
  expect(await looking).toBe(undefined);
});
