// When an idle event loop looks once more at its sockets: with a clock of the test's own. Not here: that it then does.

import { expect, it } from 'vitest';
import { Linger } from '../../src/iscsi/linger.ts';

/** A request and its answer at each of these milliseconds. @returns whether looking on was worth it after each */
function run(linger: Linger, times: readonly number[]): boolean[] {
  return times.map((now) => {
    linger.received(now);
    return linger.answered(now);
  });
}

it('an initiator that sends the next command at once is waited for, one that takes its time is not', () => {
  expect(run(new Linger(), [0, 0.05, 0.1])).toEqual([false, true, true]);
  expect(run(new Linger(), [0, 5, 10, 15])).toEqual([false, false, false, false]);
});

it('it goes on for a tenth of a millisecond; looking in vain is soon given up, and begun again when it would have paid', () => {
  const linger = new Linger();
  run(linger, [0, 0.05, 0.1, 0.15]);
  expect([linger.goesOn(0.2), linger.goesOn(0.24), linger.goesOn(0.26)]).toEqual([true, true, false]);
  expect(run(linger, [1, 2])).toEqual([false, false]);
  expect(run(linger, [3, 3.05, 3.1, 3.15, 3.2]).at(-1)).toBe(true);
});
