/** The states of the storage objects and LUNs of a loop, for those that watch them. */

import { lostBytes } from '../backstore/write-record.ts';
import type { Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { writesOf } from '../scsi/lost-writes.ts';
import { commandOfWork, mediumWork } from '../scsi/medium-work.ts';
import { holdOf } from '../scsi/unit-hold.ts';
import type { FabricEngine } from '../target/service.ts';
import type { Facts, LoopState } from './loop.ts';

/** The states: FORMAT UNIT and SANITIZE, writes that may be lost, holders of units, and our names at media that have locks. */
export const objectStates = (
  objects: readonly StorageObject[],
): Pick<LoopState, 'work' | 'losses' | 'holds' | 'clients'> => ({
  work: objects.flatMap((one) => {
    const { work, progress } = mediumWork.of(one);
    const { path } = one;
    return work
      ? [{ path, command: commandOfWork(work), failed: work.failed, progress: progress.done / progress.total }]
      : [];
  }),
  losses: objects.flatMap((one) => {
    const { lost } = writesOf(one);
    return lost ? [{ path: one.path, bytes: lostBytes(lost), reason: lost.reason }] : [];
  }),
  holds: objects.flatMap((one) => holdOf(one) ?? []),
  clients: objects.flatMap(({ path, volume }) => {
    const { client, trouble } = volume ?? {};
    return client === undefined ? [] : [{ path, client, isShutOut: trouble?.isOver === true }];
  }),
});

/** Why LUNs are not served or attached as the tree wants them. */
export function* lunProblems(tree: Tree, engines: ReadonlyMap<string, FabricEngine>): Generator<Facts['luns'][number]> {
  for (const [name, engine] of engines)
    if (engine.lunProblem)
      for (const target of tree.fabrics.get(name)?.targets.values() ?? [])
        for (const tpg of target.tpgs.values())
          for (const lun of tpg.luns.values()) {
            const problem = engine.lunProblem(lun);
            if (problem)
              yield { path: `${tpg.path}/luns/lun${lun.index}`, message: problem.message, hint: problem.hint };
          }
}
