/** Unit attention conditions, and errors of commands that were answered: who is told what, once (SAM-5 5.14, SPC-4 4.5.5). */

import type { Nexus, StorageObject } from './logical-unit.ts';
import { departNexus, establishNexus, nexusesOf, unitsOf } from './nexus.ts';
import { type Sense, sense } from './sense.ts';
import { unitState } from './unit-state.ts';

/** Conditions kept for one nexus at one logical unit; further ones are dropped (SAM-5 5.14.1 leaves the number open). */
const pendingMax = 16;

interface UnitAttentions {
  /** Conditions to report to each nexus, oldest first. */
  readonly conditions: Map<Nexus, Sense[]>;
  /** Nexuses that have one. */
  readonly waiting: number;
}

const unitAttentions = unitState<UnitAttentions>({
  name: 'unit attentions',
  initial: () => ({ conditions: new Map(), waiting: 0 }),
  establish: (lu, nexus, again) => addUnitAttention(nexus, lu, again ? sense.nexusLoss : sense.powerOnReset),
  lose: (lu, nexus) => {
    keep(lu, nexus, []);
    unitAttentions.of(lu).conditions.delete(nexus);
  },
  obstructs: ({ waiting }) => (waiting > 0 ? 'reads and writes' : 'nothing'),
  spares: ({ conditions }, { nexus }) => (conditions.get(nexus)?.length ?? 0) === 0,
});

/** The LUNs that a nexus sees changed: registers it with new ones and says so at each (SPC-4 6.33). */
export function changeLunsOf(nexus: Nexus): void {
  establishNexus(nexus);
  const now = unitsOf(nexus);
  for (const lu of nexus.units) {
    if (now.has(lu)) addUnitAttention(nexus, lu, sense.reportedLunsDataChanged);
    else departNexus(lu, nexus);
  }
}

/** Establishes a condition for every nexus of a logical unit but `except`. */
export function reportToAll(lu: StorageObject, what: Sense, except?: Nexus): void {
  for (const nexus of nexusesOf(lu)) if (nexus !== except) addUnitAttention(nexus, lu, what);
}

/**
 * Conditions that a reset establishes, the most comprehensive first. Such a condition is reported before all others, and
 * one of them stands for those that follow it in this list (SAM-5 6.2).
 */
const resets: readonly Sense[] = [sense.powerOnReset, sense.busDeviceReset, sense.nexusLoss];

/** Establishes a condition for one nexus. */
export function addUnitAttention(nexus: Nexus, lu: StorageObject, what: Sense): void {
  const pending = unitAttentions.of(lu).conditions.get(nexus) ?? [];
  if (pending.includes(what)) return;
  const reset = pending[0] ? resets.indexOf(pending[0]) : -1;
  if (!resets.includes(what)) keep(lu, nexus, pending.length < pendingMax ? [...pending, what] : pending);
  else if (reset < 0) keep(lu, nexus, [what, ...pending]);
  else if (reset > resets.indexOf(what)) keep(lu, nexus, [what, ...pending.slice(1)]);
}

/** The oldest pending condition, or undefined. It stays until `clearUnitAttention`. */
export function pendingUnitAttention(nexus: Nexus, lu: StorageObject): Sense | undefined {
  return unitAttentions.of(lu).conditions.get(nexus)?.[0];
}

/** Forgets the oldest pending condition: it has been reported. */
export function clearUnitAttention(nexus: Nexus, lu: StorageObject): void {
  keep(lu, nexus, conditionsOf(nexus, lu).slice(1));
}

/** Forgets all conditions of a nexus, everywhere. */
export function clearUnitAttentions(nexus: Nexus): void {
  for (const lu of nexus.units) keep(lu, nexus, []);
}

/** REPORT LUNS has told it (SAM-5 5.14.2): the condition goes at every logical unit. */
export function clearReportedLuns(nexus: Nexus): void {
  for (const lu of nexus.units) withdrawUnitAttention(nexus, lu, sense.reportedLunsDataChanged);
}

/** Takes a condition back: the nexus brought it about, and knows it. */
export function withdrawUnitAttention(nexus: Nexus, lu: StorageObject, what: Sense): void {
  keep(
    lu,
    nexus,
    conditionsOf(nexus, lu).filter((one) => one !== what),
  );
}

const conditionsOf = (nexus: Nexus, lu: StorageObject): readonly Sense[] =>
  unitAttentions.of(lu).conditions.get(nexus) ?? [];

/** Keeps these conditions for a nexus, and the count of those that have some. */
function keep(lu: StorageObject, nexus: Nexus, pending: Sense[]): void {
  const { conditions, waiting } = unitAttentions.of(lu);
  const before = conditions.get(nexus)?.length ?? 0;
  conditions.set(nexus, pending);
  unitAttentions.set(lu, { waiting: waiting + Math.sign(pending.length) - Math.sign(before) });
}
