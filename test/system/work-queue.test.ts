// Work that is done one after the other.

import { expect, it } from 'vitest';
import { WorkQueue } from '../../src/system/work-queue.ts';

it('work that fails is told to who gave it, and holds up nothing behind it', async () => {
  const queue = new WorkQueue();
  const done: number[] = [];
  const works = [0, 1, 2].map((number) =>
    queue.take(async () => {
      done.push(number);
      await new Promise((resolve) => setImmediate(resolve));
      if (number === 1) throw new Error('out of order');
      done.push(number);
    }),
  );
  expect((await Promise.allSettled(works)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(done).toEqual([0, 0, 1, 2, 2]);
});
