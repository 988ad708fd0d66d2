/** START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL: power conditions, and a medium that can be ejected (SBC-3 5.25, 5.10). */

import { bit, bits } from '../wire/layout.ts';
import { mediumOf, synchronizeCache } from './block-access.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import { type Cdb, type OpcodeRow, opcode } from './opcode.ts';
import { good } from './parameter-data.ts';
import { type PowerCondition, power } from './readiness.ts';
import { CheckCondition, invalidCdb, sense } from './sense.ts';
import { statistics } from './statistics.ts';
import type { Completion, Task } from './task.ts';
import { reportToAll } from './unit-attention.ts';
import { unitState } from './unit-state.ts';

/**
 * POWER CONDITION (SBC-3 5.25) → the condition that the unit enters. LU_CONTROL leaves it to timers, which are off; the
 * reserved codes change nothing either, for that is what initiators were seen to expect (iscsi-test-cu StartStopUnit).
 */
const powerConditions: Readonly<Record<number, PowerCondition>> = {
  1: 'active',
  2: 'idle',
  3: 'standby',
  10: 'idle', // FORCE_IDLE_0
  11: 'standby', // FORCE_STANDBY_0
};

const cdb = {
  immediate: bit(1, 0x01),
  modifier: bits(3, 0x0f),
  condition: bits(4, 0xf0),
  noFlush: bit(4, 0x04),
  eject: bit(4, 0x02),
  start: bit(4, 0x01),
};

const prevent = bits(4, 0x03);

/** Nexuses that PREVENT ALLOW MEDIUM REMOVAL holds the medium in for. */
const prevented = unitState({
  name: 'medium removal',
  initial: () => ({ by: new Set<Nexus>() }),
  reset: () => ({ by: new Set<Nexus>() }),
  lose: allowRemoval,
});

/** A nexus does not hold the medium in any more. */
export function allowRemoval(lu: StorageObject, nexus: Nexus): void {
  prevented.of(lu).by.delete(nexus);
}

const isRemovable = (lu: StorageObject): boolean => lu.attributes.values.removable === 1;

/** START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL. */
export const startStopOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x1b,
    name: 'START STOP UNIT',
    spec: 'SBC-3 5.25',
    cdb,
    medium: 'none',
    // SBC-3 table 13: START without a power condition runs under any reservation.
    whenReserved: (bytes) => (cdb.condition.get(bytes, 0) === 0 && cdb.start.get(bytes, 0) ? 'allowed' : 'conflicts'),
    check: checkStartStop,
    execute: startStop,
  }),
  opcode({
    code: 0x1e,
    name: 'PREVENT ALLOW MEDIUM REMOVAL',
    spec: 'SBC-3 5.10',
    cdb: { prevent },
    medium: 'none',
    whenReserved: (bytes) => (prevent.get(bytes, 0) === 0 ? 'allowed' : 'conflicts'),
    check: (_lu, asked) => {
      if (asked.prevent > 1) throw invalidCdb(prevent);
    },
    execute: (lu, asked, { nexus }) => {
      if (asked.prevent === 1) prevented.of(lu).by.add(nexus);
      else allowRemoval(lu, nexus);
      return good;
    },
  }),
];

function checkStartStop(lu: StorageObject, { condition, modifier, eject }: Cdb<typeof cdb>): void {
  if (modifier !== 0) throw invalidCdb(cdb.modifier);
  if (condition === 0 && eject && !isRemovable(lu)) throw invalidCdb(cdb.eject);
}

/** With a power condition START and LOEJ are ignored. STOP puts the unit into standby, its cache flushed. */
function startStop(
  lu: StorageObject,
  { condition, immediate, noFlush, eject, start }: Cdb<typeof cdb>,
  { nexus }: Task,
): Completion | Promise<Completion> {
  if (condition !== 0) {
    power.set(lu, { condition: powerConditions[condition] ?? power.of(lu).condition });
    return good;
  }
  if (eject && prevented.of(lu).by.size > 0) throw new CheckCondition(sense.mediumRemovalPrevented);
  if (start) {
    mediumOf(lu);
    if (lu.ejected && eject) {
      lu.ejected = false;
      statistics.of(lu).loadCycles += 1;
      reportToAll(lu, sense.mediumMayHaveChanged, nexus);
    }
    power.set(lu, { condition: 'active' });
    return good;
  }
  const leave = (): Completion => {
    if (eject) lu.ejected = true;
    else statistics.of(lu).startStopCycles += 1;
    power.set(lu, { condition: 'standby' });
    return good;
  };
  if (noFlush || !lu.volume) return leave();
  const flushed = synchronizeCache(lu, immediate);
  return flushed instanceof Promise ? flushed.then(leave) : leave();
}
