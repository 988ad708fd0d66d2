/** The end of what an event loop is doing: what is to happen once for all that ends together, happens behind the last of it. */

import { expect, it, vi } from 'vitest';
import { atTurnEnd, endTogether } from '../../src/system/turn-end.ts';

/** Some time later, in a turn of the event loop of its own: several things end, each with a follower of `steps` microtasks. */
async function endAll(followers: readonly { steps: number; follow: () => void }[]): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      endTogether();
      for (const { steps, follow } of followers)
        void (async () => {
          for (let step = 0; step < steps; step += 1) await null;
          follow();
        })();
      setImmediate(resolve);
    });
  });
}

it('work waits for all followers of what ends together, however far, and for no other event', async () => {
  const said: string[] = [];
  const follower = (steps: number) => ({
    steps,
    follow: () => {
      if (steps === 1) atTurnEnd(() => said.push('work'));
      said.push(`follower of ${steps}`);
      setImmediate(() => said.push('another event'));
    },
  });
  await endAll([follower(1), follower(5)]);
  expect(said.slice(0, 3)).toEqual(['follower of 1', 'follower of 5', 'work']);
});

it('where nobody says that things end together, work comes behind the events of this turn', async () => {
  const said: string[] = [];
  await new Promise<void>((resolve) => {
    setImmediate(() => {
      atTurnEnd(() => {
        said.push('work');
        resolve();
      });
    });
    setImmediate(() => said.push('an event of this turn'));
  });
  expect(said).toEqual(['an event of this turn', 'work']);
});

it('an error of one work does not keep the others from being done', async () => {
  const reported = vi.fn();
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', reported);
  const done = vi.fn();
  const failing = () => {
    throw new Error('a bug');
  };
  await endAll([
    { steps: 1, follow: () => atTurnEnd(failing) },
    { steps: 2, follow: () => atTurnEnd(done) },
  ]);
  await expect.poll(() => [reported.mock.calls.length, done.mock.calls.length]).toEqual([1, 1]);
  process.removeListener('uncaughtException', reported);
  for (const listener of others) process.on('uncaughtException', listener);
});
