/** What all loops have counted, as one. */

import type { Tree } from '../operations/tree.ts';
import { sumOf } from '../target/traffic.ts';
import type { LoopCounts } from './loop.ts';

const noCounts = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0 } as const;

/** An entry for each storage object of the tree, and one for each way to a LUN that was taken. */
export function allCounts(tree: Tree, all: readonly LoopCounts[]): LoopCounts {
  const counted = new Map(all.flatMap(({ storageObjects }) => storageObjects.map((one) => [one.path, one])));
  // A LUN that went from one loop to another was counted by both.
  const ways = Map.groupBy(
    all.flatMap((one) => one.ways),
    ({ lun, initiator, number, portal }) => [lun, initiator, number, portal].join(' '),
  );
  return {
    storageObjects: Array.from(tree.allStorageObjects(), ({ path }) => counted.get(path) ?? { ...noCounts, path }),
    ways: Array.from(ways.values(), (same) => ({ ...same[0]!, ...sumOf(same) })),
  };
}
