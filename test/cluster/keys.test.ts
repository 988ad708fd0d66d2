// The keys of the store of a cluster.

import { expect, it } from 'vitest';
import { clusterKeys, clusterName, numberIn } from '../../src/cluster/keys.ts';

it('keys of changes are in the order of their numbers, and no cluster has the keys of another', () => {
  const { change, changes } = clusterKeys('a');
  const keys = [9, 10, 99, 1_000_000].map(change);
  expect(keys.toSorted()).toEqual(keys);
  expect(keys.map(numberIn)).toEqual([9, 10, 99, 1_000_000]);
  expect(keys.every((key) => key.startsWith(changes))).toBe(true);
  expect(clusterKeys('a.b').all.startsWith(clusterKeys('a').all)).toBe(false);
  expect(['a', 'rack-1.x_y', 'a/b', '', '../a', 'a b', '-a'].map((name) => clusterName.test(name))).toEqual([
    ...[true, true, false, false, false, false, false],
  ]);
});
