// The operations that lead from one tree to another, over any two trees. Undoing and comparing, which use them, are tested in test/shell.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSameTree, rehearseOperations, treeOf } from '../../src/saved/rehearsal.ts';
import { dumpTree } from '../../src/saved/saveconfig.ts';
import { transition } from '../../src/saved/transition.ts';
import { trees, treeWith } from '../support/random-trees.ts';

test('the operations of a transition turn any tree into any other, and there are none between two that are the same', async () => {
  await fc.assert(
    fc.asyncProperty(trees, trees, async (some, others) => {
      const [from, to] = await Promise.all([treeWith(some), treeWith(others)]);
      await rehearseOperations(
        from,
        transition(from, to).map(({ operation: step }) => step),
      );
      expect(isSameTree(from, to) || dumpTree(from)).toEqual(isSameTree(from, to) || dumpTree(to));
      expect(transition(from, to)).toEqual([]);
      expect(transition(to, (await treeOf(dumpTree(to))).tree)).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
