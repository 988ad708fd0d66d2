/** Whether a logical unit is ready: its medium, its power condition, and what keeps other commands away from it. */

import { controlMode } from './control-mode.ts';
import { predictsFailure } from './informational-exceptions.ts';
import type { StorageObject } from './logical-unit.ts';
import { mediumWork, senseOfWork } from './medium-work.ts';
import { CheckCondition, type Sense, sense } from './sense.ts';
import { unitState } from './unit-state.ts';

/**
 * SPC-4 5.11. There is no motor: idle and standby are left by the next command that needs the medium, and the stopped
 * condition does not exist, for a unit has more users than the one that stops it.
 */
export type PowerCondition = 'active' | 'idle' | 'standby';

/** The power condition of a logical unit. */
export const power = unitState<{ readonly condition: PowerCondition }>({
  name: 'power',
  initial: () => ({ condition: 'active' }),
  reset: () => ({ condition: 'active' }),
  move: 'all',
  // A command that needs the medium wakes the unit.
  obstructs: ({ condition }) => (condition === 'active' ? 'nothing' : 'reads and writes'),
});

/** The medium itself, which the unit has: there has to be one, here, of blocks that this target reads and writes for itself. */
unitState({
  name: 'medium',
  initial: () => ({}),
  obstructs: (_state, lu) => {
    if (lu.arriving || !lu.volume || lu.isOut || lu.volume.passThrough) return 'reads and writes';
    return isWriteProtected(lu) ? 'writes' : 'nothing';
  },
});

/** FORMAT UNIT or SANITIZE goes on: hardly anything else runs. */
export function isBusy(lu: StorageObject): boolean {
  const { work } = mediumWork.of(lu);
  return lu.volume !== undefined && work !== undefined && !work.failed;
}

/** Why commands cannot reach the medium now, or undefined when they can. @param mends failures that do not count */
export function notReady(lu: StorageObject, mends: readonly Sense[] = []): CheckCondition | undefined {
  const { volume } = lu;
  const { work, progress } = mediumWork.of(lu);
  if (work && isBusy(lu)) return new CheckCondition(senseOfWork(work), { progress: progress.done / progress.total });
  if (!volume) return new CheckCondition(lu.missing ? sense.mediumNotPresent : sense.becomingReady);
  if (volume.trouble?.isOver) return new CheckCondition(sense.logicalUnitNotReady);
  if (lu.isOut) return new CheckCondition(sense.mediumNotPresent);
  // Less than one block: there is no capacity to report.
  if (lu.blocks === 0) return new CheckCondition(sense.incompatibleMedium);
  const failure = work && senseOfWork(work);
  return failure && !mends.includes(failure) ? new CheckCondition(failure) : undefined;
}

/** The answer of REQUEST SENSE when nothing is pending: pollable sense data (SPC-4 6.39, 5.10.2). */
export function pollable(lu: StorageObject): CheckCondition {
  return (
    notReady(lu) ??
    new CheckCondition(predictsFailure(lu) ? sense.failurePredictionFalse : powerSense[power.of(lu).condition])
  );
}

const powerSense: Readonly<Record<PowerCondition, Sense>> = {
  active: sense.noAdditionalSense,
  idle: sense.idleByCommand,
  standby: sense.standbyByCommand,
};

/** Whether nothing may be written, because of the operator, the medium, or an initiator. */
export function isWriteProtected(lu: StorageObject): boolean {
  return (
    lu.attributes.values.read_only === 1 || (lu.volume?.readOnly ?? false) || controlMode.of(lu).softwareWriteProtect
  );
}
