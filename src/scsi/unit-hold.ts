/** The hold on a logical unit, and the access that it leaves to others: its reservations and its write protection as plain data. */

import { controlMode } from './control-mode.ts';
import type { StorageObject } from './logical-unit.ts';
import type { PersistentReservations } from './persistent-reservation.ts';
import { conflicts, reservations } from './reservation-conflict.ts';

/** A unit of which there is something to say. Plain data. */
export interface UnitHold {
  readonly path: string;
  readonly persistent: PersistentReservations;
  /** The initiator and session that sent RESERVE. */
  readonly reservedBy?: { readonly initiatorName: string; readonly session: number | undefined };
  /** The medium cannot be written, or an initiator has set software write protect. */
  readonly writeProtectedBy?: 'medium' | 'initiator';
}

/** Undefined: nobody has reserved it or is registered, and nothing protects it. */
export function holdOf(lu: StorageObject): UnitHold | undefined {
  const { persistent, reserved } = reservations.of(lu);
  const writeProtectedBy = lu.volume?.readOnly
    ? 'medium'
    : controlMode.of(lu).softwareWriteProtect
      ? 'initiator'
      : undefined;
  if (!reserved && !persistent.reservation && persistent.registrations.length === 0 && !writeProtectedBy)
    return undefined;
  return {
    path: lu.path,
    persistent,
    ...(reserved && { reservedBy: { initiatorName: reserved.initiatorName, session: reserved.session } }),
    ...(writeProtectedBy && { writeProtectedBy }),
  };
}

/** The name of an initiator in that of a SCSI initiator port. */
export const bareName = (portName: string): string => portName.replace(/,i,0x.*$/, '');

/** The access that a hold leaves to an initiator that comes to a target port: by the rule that its commands meet. */
export function leftBy(hold: UnitHold, initiatorName: string, port: number): { reads: boolean; writes: boolean } {
  const { persistent, reservedBy } = hold;
  const registered = persistent.registrations.find(({ initiator }) => bareName(initiator) === initiatorName);
  const nexus = { initiatorName, initiatorPortName: registered?.initiator ?? initiatorName };
  const held = {
    persistent,
    reserved: reservedBy && reservedBy.initiatorName !== initiatorName ? reservedBy : undefined,
  };
  return { reads: !conflicts(held, nexus, port, 'reads'), writes: !conflicts(held, nexus, port, 'conflicts') };
}
