/** Whether a logical unit is ready: its medium, its power condition, and what keeps other commands away from it. */

import { CheckCondition, type Sense, sense } from './sense.ts';
import type { StorageObject } from './storage-object.ts';

/** SPC-4 5.13. There is no motor: idle and standby are left by the next command that needs the medium. */
export type PowerCondition = 'active' | 'idle' | 'standby' | 'stopped';

/** What goes on with the whole medium (FORMAT UNIT, SANITIZE). */
export interface MediumOperation {
  /** What other commands are answered meanwhile. */
  readonly inProgress: Sense;
  /** Bytes to write, and written. */
  readonly total: number;
  done: number;
}

/** Why commands cannot reach the medium now, or undefined when they can. */
export function notReady(lu: StorageObject): CheckCondition | undefined {
  const { operation, volume } = lu;
  if (operation)
    return new CheckCondition(operation.inProgress, { progress: operation.done / Math.max(1, operation.total) });
  if (!volume) return new CheckCondition(lu.missing ? sense.mediumNotPresent : sense.logicalUnitNotReady);
  if (lu.ejected) return new CheckCondition(sense.mediumNotPresent);
  if (lu.power === 'stopped') return new CheckCondition(sense.initializingCommandRequired);
  return lu.mediumFailure && new CheckCondition(lu.mediumFailure.sense);
}

/** What REQUEST SENSE says when nothing is pending: pollable sense data (SPC-4 6.39, 5.13). */
export function pollable(lu: StorageObject): CheckCondition {
  const polled = { active: sense.noAdditionalSense, idle: sense.idleByCommand, standby: sense.standbyByCommand };
  if (lu.power !== 'stopped' && lu.power !== 'active') return notReady(lu) ?? new CheckCondition(polled[lu.power]);
  return notReady(lu) ?? new CheckCondition(lu.predictsFailure ? sense.failurePredictionFalse : polled.active);
}

/** Nothing may be written: the operator says so, the medium, or an initiator. */
export function isWriteProtected(lu: StorageObject): boolean {
  return lu.attributes.values.read_only === 1 || (lu.volume?.readOnly ?? false) || lu.mode.softwareWriteProtect;
}
