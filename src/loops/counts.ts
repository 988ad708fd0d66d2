/** What a loop has counted, and what all of them have, as one. */

import type { Tree } from '../operations/tree.ts';
import { statistics } from '../scsi/statistics.ts';
import { sumOf } from '../target/traffic.ts';
import type { LoopCounts } from './loop.ts';

const noCounts = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0 } as const;

/** @param isMine whether the loop serves the storage object of a path: others have nothing to count here */
export function countsOf(tree: Tree, isMine: (path: string) => boolean): LoopCounts {
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
        ...sumOf([traffic]),
      })),
    ),
  };
}

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
