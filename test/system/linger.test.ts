// When an idle event loop looks once more at its sockets: with a clock of the test's own.

import { expect, it, onTestFinished, vi } from 'vitest';
import { type AwaitedConnection, Linger, linger } from '../../src/system/linger.ts';
import { congestionControl, lingerMs } from '../../src/system/settings.ts';

/** A request and its answer at each of these milliseconds. @returns whether looking on was worth it after each */
function run(linger: Linger, times: readonly number[]): boolean[] {
  return times.map((now) => {
    linger.received(now);
    return linger.answered(now);
  });
}

it('an initiator that sends the next command at once is waited for, one that takes its time is not', () => {
  expect(run(new Linger(0.1), [0, 0.05, 0.1])).toEqual([false, true, true]);
  expect(run(new Linger(0.1), [0, 5, 10, 15])).toEqual([false, false, false, false]);
});

it('lingering goes on for a tenth of a millisecond; looking in vain is soon given up, and begun again when it would have paid', () => {
  const linger = new Linger(0.1);
  run(linger, [0, 0.05, 0.1, 0.15]);
  expect([linger.goesOn(0.2), linger.goesOn(0.24), linger.goesOn(0.26)]).toEqual([true, true, false]);
  expect(run(linger, [1, 2])).toEqual([false, false]);
  expect(run(linger, [3, 3.05, 3.1, 3.15, 3.2]).at(-1)).toBe(true);
});

it('without a time to look, no initiator is worth it', () => {
  expect(run(new Linger(0), [0, 0, 0.01, 0.02])).toEqual([false, false, false, false]);
});

it('settings of the process that cannot be meant are refused with what they take', () => {
  expect([{}, { TCLI_LINGER_US: '0' }, { TCLI_LINGER_US: '2500' }].map(lingerMs)).toEqual([0.1, 0, 2.5]);
  for (const text of ['', '-1', '0.5', '10001', 'off'])
    expect(() => lingerMs({ TCLI_LINGER_US: text })).toThrow(`TCLI_LINGER_US is '${text}': it takes microseconds`);
  expect([{}, { TCLI_CONGESTION_CONTROL: 'dctcp' }].map(congestionControl)).toEqual([undefined, 'dctcp']);
  expect(() => congestionControl({ TCLI_CONGESTION_CONTROL: '../bbr' })).toThrow('cannot be the name of one');
});

/** An event loop of which the clock and the turns are the test's. */
function ownLoop(): { now: number } {
  const clock = { now: 0 };
  vi.spyOn(performance, 'now').mockImplementation(() => clock.now);
  vi.useFakeTimers({ toFake: ['setImmediate'] });
  onTestFinished(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  return clock;
}

/** So many requests over a connection at once make it worth being looked at. */
function requestsOver(connection: AwaitedConnection): void {
  for (let request = 0; request < 20; request += 1) linger(connection);
}

it('a turn is for connections that can be looked at: with none the loop goes on at once, to all else', () => {
  const clock = ownLoop();
  /** How often it was looked at in one turn, each look taking 10 µs. */
  const looks = (came: boolean | undefined): number => {
    let count = 0;
    const look = () => {
      clock.now += 0.01;
      count += 1;
      return came;
    };
    requestsOver({ look });
    vi.runOnlyPendingTimers();
    const inOneTurn = count;
    clock.now += 1;
    vi.runAllTimers();
    return inOneTurn;
  };
  expect(looks(false)).toBeGreaterThan(5);
  expect(looks(undefined)).toBe(1);
});

it('an error of one connection does not end the looking at others', () => {
  const clock = ownLoop();
  const look = vi.fn(() => {
    throw new Error('a bug');
  });
  requestsOver({ look });
  expect(() => vi.runOnlyPendingTimers()).toThrow('a bug');
  const other = vi.fn(() => undefined);
  clock.now += 1;
  requestsOver({ look: other });
  vi.runOnlyPendingTimers();
  expect([look.mock.calls.length, other.mock.calls.length]).toEqual([1, 1]);
});
