// The clock by which others are judged. It does not test what goes by it.

import { expect, it } from 'vitest';
import { RunningTime, whenLate } from '../../src/system/running-time.ts';

it('time in which nobody looked at the clock is none, but for a tick; it never goes back', () => {
  let at = 1000;
  const time = new RunningTime(() => at);
  const seen = [0, 400, 500, 90_000, 0, 500, 3_600_000, 1500].map((passed) => {
    at += passed;
    return time.now();
  });
  expect(seen.map((now) => now - 1000)).toEqual([0, 400, 900, 1400, 1400, 1900, 2400, 3900]);
});

it('who is late is found so after what has come was received, and not after it was prevented', async () => {
  const order: string[] = [];
  const prevent = whenLate(0, () => order.push('prevented'));
  const late = new Promise<void>((resolve) => whenLate(0, () => resolve(void order.push('late'))));
  setTimeout(() => {
    order.push('timer');
    prevent();
  });
  await late;
  expect(order).toEqual(['timer', 'late']);
});
