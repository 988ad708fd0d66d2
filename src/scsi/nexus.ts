/** The life of an I_T nexus at the logical units that it reaches (SAM-5 4.5, 6.3.4). */

import type { Nexus, StorageObject, TargetPort } from './logical-unit.ts';
import { establishAt, loseAt, unitState } from './unit-state.ts';

/** Names of lost nexuses that a logical unit remembers. */
const lostMax = 1024;

const nexuses = unitState({
  name: 'nexuses',
  initial: () => ({
    /** The nexuses that reach the unit. */
    present: new Set<Nexus>(),
    /** Ports of nexuses that reached it once, oldest first: they tell a nexus that comes back from a new one. */
    lost: new Set<string>(),
  }),
});

/** The nexuses that reach a logical unit. */
export const nexusesOf = (lu: StorageObject): ReadonlySet<Nexus> => nexuses.of(lu).present;

const portsOf = (nexus: Nexus): string => `${nexus.initiatorPortName}\n${nexus.targetPortName}`;

/**
 * Registers a nexus with every logical unit that it reaches now. A transport calls it when a session enters full feature
 * phase, and again when the LUNs changed.
 */
export function establishNexus(nexus: Nexus): void {
  for (const lu of unitsOf(nexus)) {
    const { present, lost } = nexuses.of(lu);
    if (present.has(nexus)) continue;
    present.add(nexus);
    nexus.units.add(lu);
    establishAt(lu, nexus, lost.delete(portsOf(nexus)));
  }
}

/** Takes a nexus away from every logical unit: its session has ended (SAM-5 6.3.4), and with it what it held there. */
export function loseNexus(nexus: Nexus): void {
  for (const lu of nexus.units) {
    departNexus(lu, nexus);
    const { lost } = nexuses.of(lu);
    lost.add(portsOf(nexus));
    const [oldest] = lost;
    if (lost.size > lostMax && oldest !== undefined) lost.delete(oldest);
  }
}

/** A nexus reaches a logical unit no more, while its session goes on. */
export function departNexus(lu: StorageObject, nexus: Nexus): void {
  nexus.units.delete(lu);
  nexuses.of(lu).present.delete(nexus);
  loseAt(lu, nexus);
}

/** The logical units behind the LUNs of a nexus, each once. */
export const unitsOf = (nexus: Nexus): Set<StorageObject> =>
  new Set(nexus.luns().flatMap((lun) => nexus.view(lun)?.storageObject ?? []));

/** The target port through which a nexus reaches a logical unit. */
export function portOfNexus(lu: StorageObject, nexus: Nexus): TargetPort | undefined {
  for (const lun of nexus.luns()) {
    const view = nexus.view(lun);
    if (view?.storageObject === lu) return view.port;
  }
  return undefined;
}

/** The target ports that export a logical unit; where no tree says so, those that a nexus uses now. */
export function targetPortsOf(lu: StorageObject): readonly TargetPort[] {
  if (lu.ports) return lu.ports();
  const ports = [...nexusesOf(lu)].flatMap((nexus) => portOfNexus(lu, nexus) ?? []);
  return ports.filter((port, i) => ports.findIndex((one) => one.relativePortId === port.relativePortId) === i);
}
