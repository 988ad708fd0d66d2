/** The conflicts of commands with a reservation of a logical unit (SPC-4 5.12.1; SPC-2 5.5.1 for RESERVE and RELEASE). */

import type { Nexus } from './logical-unit.ts';
import {
  holds,
  isAllRegistrants,
  type NexusNames,
  noReservations,
  type PersistentReservations,
  parseReservations,
  registrationOf,
} from './persistent-reservation.ts';
import { unitState } from './unit-state.ts';

/**
 * How a command stands to a reservation that another nexus holds: `always` runs; `allowed` runs under a persistent
 * reservation but not under RESERVE; `reads` runs under write exclusive types; `conflicts` never runs.
 */
export type ReservationClass = 'always' | 'allowed' | 'reads' | 'conflicts';

/** The permissions of a nexus that does not hold the reservation: by type, for registered nexuses and for others. */
const matrix: Readonly<Record<number, { registered: Permission; others: Permission }>> = {
  1: { registered: 'reads', others: 'reads' }, // Write Exclusive
  3: { registered: 'nothing', others: 'nothing' }, // Exclusive Access
  5: { registered: 'all', others: 'reads' }, // Write Exclusive – Registrants Only
  6: { registered: 'all', others: 'nothing' }, // Exclusive Access – Registrants Only
  7: { registered: 'all', others: 'reads' }, // Write Exclusive – All Registrants
  8: { registered: 'all', others: 'nothing' }, // Exclusive Access – All Registrants
};
type Permission = 'all' | 'reads' | 'nothing';

/** The types there are (SPC-4 6.15.3.4). */
export const reservationTypes: ReadonlySet<number> = new Set(Object.keys(matrix).map(Number));

/** The reservations of a logical unit: persistent ones, and the one of RESERVE. */
export interface Reservations {
  readonly persistent: PersistentReservations;
  /** The nexus that RESERVE was sent on. */
  readonly reserved: Nexus | undefined;
}

/** Persistent reservations with APTPL are kept under this name. */
export const reservationsName = 'reservations';

/** The reservation of a logical unit, by RESERVE or persistently. */
export const reservations = unitState<Reservations, PersistentReservations, PersistentReservations>({
  name: reservationsName,
  initial: () => ({ persistent: noReservations, reserved: undefined }),
  reset: () => ({ reserved: undefined }),
  lose: (lu, nexus) => {
    if (reservations.of(lu).reserved === nexus) reservations.set(lu, { reserved: undefined });
  },
  move: { pack: ({ persistent }) => persistent, unpack: (_lu, persistent) => ({ persistent }) },
  keep: {
    folder: 'reservations',
    lostEvent: 'reservations lost',
    parse: parseReservations,
    restore: (_lu, persistent) => ({ persistent }),
  },
  obstructs: ({ persistent, reserved }) => (reserved || persistent.reservation ? 'reads and writes' : 'nothing'),
  spares: (held, { kind, nexus, view }) =>
    !conflicts(held, nexus, view.port.relativePortId, kind === 'read' ? 'reads' : 'conflicts'),
});

/** The facts that decide about a command: the holder of the unit, as the nexus in question sees it. */
interface Held {
  readonly persistent: PersistentReservations;
  readonly reserved: unknown;
}

/** Whether a command of this class ends with RESERVATION CONFLICT. @param port relative target port identifier of the nexus */
export function conflicts(held: Held, nexus: NexusNames, port: number, command: ReservationClass): boolean {
  if (command === 'always') return false;
  if (held.reserved) return held.reserved !== nexus;
  const { reservation } = held.persistent;
  if (!reservation || command === 'allowed') return false;
  const registration = registrationOf(held.persistent, nexus, port);
  if (registration && (isAllRegistrants(reservation.type) || holds(held.persistent, registration))) return false;
  const row = matrix[reservation.type]!;
  const permission = registration ? row.registered : row.others;
  return !(permission === 'all' || (permission === 'reads' && command === 'reads'));
}
