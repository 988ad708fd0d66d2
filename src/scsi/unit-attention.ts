/** Unit attention conditions: who is told what, once (SAM-5 5.14). */

import type { Nexus } from './nexus.ts';
import { type Sense, sense } from './sense.ts';
import type { StorageObject } from './storage-object.ts';

/** Conditions kept for one nexus at one logical unit; further ones are dropped (SAM-5 5.14.1 leaves the number open). */
const pendingMax = 16;
/** Names of lost nexuses that a logical unit remembers. */
const lostMax = 1024;

const portsOf = (nexus: Nexus): string => `${nexus.initiatorPortName}\n${nexus.targetPortName}`;

/**
 * Registers a nexus with every logical unit that it reaches now: I_T NEXUS LOSS where it was before, POWER ON where it
 * is new. A transport calls it when a session enters full feature phase, and again when the LUNs changed.
 */
export function establish(nexus: Nexus): void {
  for (const storageObject of reached(nexus)) {
    if (storageObject.nexuses.has(nexus)) continue;
    storageObject.nexuses.add(nexus);
    push(nexus, storageObject, storageObject.lostNexuses.delete(portsOf(nexus)) ? sense.nexusLoss : sense.powerOnReset);
  }
}

/** Takes a nexus away from every logical unit: its session has ended (SAM-5 6.3.4), and with it what it held there. */
export function lose(nexus: Nexus): void {
  for (const storageObject of nexus.unitAttentions.keys()) {
    storageObject.nexuses.delete(nexus);
    storageObject.preventedBy.delete(nexus);
    if (storageObject.reservations.reserved === nexus) storageObject.reservations.reserved = undefined;
    storageObject.lostNexuses.add(portsOf(nexus));
    const [oldest] = storageObject.lostNexuses;
    if (storageObject.lostNexuses.size > lostMax && oldest !== undefined) storageObject.lostNexuses.delete(oldest);
  }
  nexus.unitAttentions.clear();
}

/** The LUNs that a nexus sees changed: registers it with new ones and says so at each (SPC-4 6.33). */
export function lunsChanged(nexus: Nexus): void {
  establish(nexus);
  const now = reached(nexus);
  for (const storageObject of nexus.unitAttentions.keys()) {
    if (now.has(storageObject)) push(nexus, storageObject, sense.reportedLunsDataChanged);
    else {
      storageObject.nexuses.delete(nexus);
      storageObject.preventedBy.delete(nexus);
      nexus.unitAttentions.delete(storageObject);
    }
  }
}

/** Establishes a condition for every nexus of a logical unit but `except`. */
export function report(storageObject: StorageObject, what: Sense, except?: Nexus): void {
  for (const nexus of storageObject.nexuses) if (nexus !== except) push(nexus, storageObject, what);
}

/** What was reset, the most of it first: a condition comes before all others, and stands for those behind it (SAM-5 6.2). */
const resets: readonly Sense[] = [sense.powerOnReset, sense.busDeviceReset, sense.nexusLoss];

/** Establishes a condition for one nexus. */
export function push(nexus: Nexus, storageObject: StorageObject, what: Sense): void {
  const pending = nexus.unitAttentions.get(storageObject) ?? [];
  nexus.unitAttentions.set(storageObject, pending);
  if (pending.includes(what)) return;
  if (!resets.includes(what)) {
    if (pending.length < pendingMax) pending.push(what);
    return;
  }
  const reset = resets.indexOf(pending[0]!);
  if (reset < 0) pending.unshift(what);
  else if (reset > resets.indexOf(what)) pending[0] = what;
}

/** The oldest pending condition, or undefined. It stays until `clear`. */
export function pending(nexus: Nexus, storageObject: StorageObject): Sense | undefined {
  return nexus.unitAttentions.get(storageObject)?.[0];
}

/** Forgets the oldest pending condition: it has been reported. */
export function clear(nexus: Nexus, storageObject: StorageObject): void {
  nexus.unitAttentions.get(storageObject)?.shift();
}

/** REPORT LUNS has told it (SAM-5 5.14.2): the condition goes at every logical unit. */
export function clearReportedLuns(nexus: Nexus): void {
  for (const storageObject of nexus.unitAttentions.keys())
    withdraw(nexus, storageObject, sense.reportedLunsDataChanged);
}

/** Takes a condition back: the nexus knows it already, having brought it about. */
export function withdraw(nexus: Nexus, storageObject: StorageObject, what: Sense): void {
  const conditions = nexus.unitAttentions.get(storageObject) ?? [];
  const at = conditions.indexOf(what);
  if (at >= 0) conditions.splice(at, 1);
}

function reached(nexus: Nexus): Set<StorageObject> {
  const storageObjects = new Set<StorageObject>();
  for (const lun of nexus.luns()) {
    const view = nexus.view(lun);
    if (view) storageObjects.add(view.storageObject);
  }
  return storageObjects;
}
