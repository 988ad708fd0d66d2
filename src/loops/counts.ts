/** The counts of one loop, and the sum of those of all loops. */

import type { Tree } from '../operations/tree.ts';
import { statistics } from '../scsi/statistics.ts';
import { sumOf, type Traffic, type WayTraffic } from '../target/traffic.ts';
import type { LoopCounts } from './loop.ts';

const noCounts = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0 } as const;

/**
 * @param isMine whether the loop serves the storage object of a path: others have nothing to count here
 * @param inFlight commands that are not answered yet, by what they will be counted in
 */
export function countsOf(
  tree: Tree,
  isMine: (path: string) => boolean,
  inFlight: ReadonlyMap<Traffic, number>,
): LoopCounts {
  const luns = [...tree.tpgs()].flatMap((tpg) => [...tpg.luns.values()]);
  return {
    storageObjects: [...tree.allStorageObjects()]
      .filter(({ path }) => isMine(path))
      .map((one) => {
        const { readCommands, writeCommands, blocksRead, blocksWritten } = statistics.of(one);
        return {
          path: one.path,
          reads: readCommands,
          writes: writeCommands,
          readBytes: blocksRead * one.blockSize,
          writtenBytes: blocksWritten * one.blockSize,
        };
      }),
    ways: luns.flatMap(({ tpg, index, storageObject, ways }) =>
      Array.from(ways, ({ way, traffic }) => ({
        lun: `${tpg.path}/luns/lun${index}`,
        storageObject: storageObject.path,
        ...way,
        ...traffic,
        latencyBins: [...traffic.latencyBins],
        outstanding: inFlight.get(traffic) ?? 0,
      })),
    ),
  };
}

/** The sums of all loops: an entry for each storage object of the tree, and one for each way to a LUN that was taken. */
export function allCounts(tree: Tree, all: readonly LoopCounts[]): LoopCounts {
  const counted = new Map(all.flatMap(({ storageObjects }) => storageObjects.map((one) => [one.path, one])));
  // Both loops counted a LUN that went from one to the other.
  const ways = Map.groupBy(
    all.flatMap((one) => one.ways),
    ({ lun, initiator, number, portal }) => [lun, initiator, number, portal].join(' '),
  );
  return {
    storageObjects: Array.from(tree.allStorageObjects(), ({ path }) => counted.get(path) ?? { ...noCounts, path }),
    ways: [...ways.values()].flatMap((same) => {
      const [first] = same;
      if (!first) return [];
      return same.length === 1 ? first : { ...first, ...together(same) };
    }),
  };
}

const together = (ways: readonly WayTraffic[]) => ({
  ...sumOf(ways),
  outstanding: ways.reduce((sum, { outstanding }) => sum + outstanding, 0),
});

/** Sets the counts of storage objects and of ways through LUNs to zero. */
export function resetCounts(tree: Tree): void {
  for (const one of tree.allStorageObjects()) statistics.of(one).reset();
  for (const tpg of tree.tpgs()) for (const { ways } of tpg.luns.values()) ways.reset();
}
