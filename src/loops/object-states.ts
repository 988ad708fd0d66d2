/** The states of the storage objects of a loop, for observers. */

import { lostBytes } from '../backstore/write-record.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { writesOf } from '../scsi/lost-writes.ts';
import { commandOfWork, mediumWork } from '../scsi/medium-work.ts';
import { holdOf } from '../scsi/unit-hold.ts';
import type { LoopState } from './loop.ts';

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
