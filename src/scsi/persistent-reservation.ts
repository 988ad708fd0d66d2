/**
 * Persistent reservations as plain data, and what each service action of PERSISTENT RESERVE OUT makes of them
 * (SPC-4 5.12, 6.16). Nothing here knows a CDB or tells anybody: a change is a value, applied by reservation-commands.ts.
 */

import type { Nexus } from './logical-unit.ts';

/** One registered I_T nexus. */
export interface Registration {
  /** SCSI initiator port name; the initiator's bare name when it stands for every port of it. */
  readonly initiator: string;
  /** Relative target port identifier; null for all ports (ALL_TG_PT). */
  readonly port: number | null;
  /** 16 hexadecimal digits. */
  readonly key: string;
}

/** Plain data: it goes into a file when `aptpl` says so. */
export interface PersistentReservations {
  /** PRgeneration. */
  readonly generation: number;
  /** Activate persist through power loss. */
  readonly aptpl: boolean;
  readonly registrations: readonly Registration[];
  /** `holder` is one of the registrations; null for the all registrants types. */
  readonly reservation: { readonly type: number; readonly holder: Registration | null } | null;
}

/** The state without any registration. */
export const noReservations: PersistentReservations = {
  generation: 0,
  aptpl: false,
  registrations: [],
  reservation: null,
};

/** Registrations that a logical unit keeps. */
export const registrationsMax = 512;
/** RESERVATION KEY 0, which is none. */
export const noKey = '0'.repeat(16);

const writeExclusiveAllRegistrants = 7;
/** All registrants types: everybody who is registered holds the reservation. */
export const isAllRegistrants = (type: number): boolean => type >= writeExclusiveAllRegistrants;
/** Registrants only and all registrants types: others than the holder have something of the reservation. */
export const concernsRegistrants = (type: number): boolean => type >= 5;

/** The names of a nexus that a registration goes by. */
export type NexusNames = Pick<Nexus, 'initiatorName' | 'initiatorPortName'>;

/** Whether a registration is that of a nexus at a target port. */
export const matches = (registration: Registration, nexus: NexusNames, port: number): boolean =>
  (registration.port === null || registration.port === port) &&
  (registration.initiator === nexus.initiatorPortName || registration.initiator === nexus.initiatorName);

/** The registration of a nexus at a target port. */
export function registrationOf(
  state: PersistentReservations,
  nexus: NexusNames,
  port: number,
): Registration | undefined {
  return state.registrations.find((registration) => matches(registration, nexus, port));
}

const same = (a: Registration, b: Registration): boolean => a.initiator === b.initiator && a.port === b.port;

/** Whether a nexus of a registration has one already, whatever its key. */
export const has = (state: PersistentReservations, { initiator, port }: Registration): boolean =>
  state.registrations.some(
    (one) =>
      (one.initiator === initiator || nameOf(one.initiator) === initiator || one.initiator === nameOf(initiator)) &&
      (one.port === null || port === null || one.port === port),
  );

/** The bare name in a SCSI initiator port name. */
const nameOf = (initiator: string): string => initiator.replace(/,i,0x.*$/, '');

/** Whether the registration holds the reservation. */
export function holds(state: PersistentReservations, registration: Registration): boolean {
  if (!state.reservation) return false;
  return state.reservation.holder === null || same(state.reservation.holder, registration);
}

/** A new state, and who is told what: registrations as they were before. */
export interface Change {
  readonly state: PersistentReservations;
  readonly released?: readonly Registration[];
  readonly registrationsPreempted?: readonly Registration[];
  readonly reservationsPreempted?: readonly Registration[];
}

/** REGISTER (SPC-4 5.12.7): adds registrations, or gives those that are there another key. */
export function register(state: PersistentReservations, added: readonly Registration[], aptpl: boolean): Change {
  const kept = state.registrations.filter((one) => !added.some((other) => same(one, other)));
  const { reservation } = state;
  const before = reservation?.holder;
  const holder = before && (added.find((one) => same(one, before)) ?? before);
  return {
    state: {
      generation: next(state),
      aptpl,
      registrations: [...kept, ...added],
      reservation: reservation && { type: reservation.type, holder: holder ?? null },
    },
  };
}

/** Unregistering (SPC-4 5.12.11.2.3): the reservation goes with its holder, or with the last of all registrants. */
export function unregister(state: PersistentReservations, gone: Registration, aptpl: boolean): Change {
  const registrations = state.registrations.filter((one) => !same(one, gone));
  const { reservation } = state;
  const ends =
    reservation !== null && (reservation.holder === null ? registrations.length === 0 : same(reservation.holder, gone));
  return {
    state: { generation: next(state), aptpl, registrations, reservation: ends ? null : reservation },
    released: ends && concernsRegistrants(reservation.type) ? registrations : [],
  };
}

/** RESERVE (SPC-4 5.12.9), when nobody else holds a reservation. */
export function reserve(state: PersistentReservations, type: number, by: Registration): Change {
  return { state: { ...state, reservation: { type, holder: isAllRegistrants(type) ? null : by } } };
}

/** RELEASE by a holder (SPC-4 5.12.11.2.2). */
export function release(state: PersistentReservations, by: Registration): Change {
  const type = state.reservation?.type ?? 0;
  return {
    state: { ...state, reservation: null },
    released: concernsRegistrants(type) ? state.registrations.filter((one) => !same(one, by)) : [],
  };
}

/** CLEAR (SPC-4 5.12.11.2.7). */
export function clear(state: PersistentReservations, by: Registration): Change {
  return {
    state: { ...state, generation: next(state), registrations: [], reservation: null },
    reservationsPreempted: state.registrations.filter((one) => !same(one, by)),
  };
}

/** Whether PREEMPT of a key takes the reservation, and not registrations alone (SPC-4 5.12.11.2.4). */
export const takesReservation = ({ reservation }: PersistentReservations, key: string): boolean =>
  reservation !== null && (reservation.holder === null ? key === noKey : reservation.holder.key === key);

/**
 * PREEMPT (SPC-4 5.12.11.2.4): takes registrations away by `key`, and with them the reservation when the key is its
 * holder's (for all registrants: when it is 0, which means all).
 * @returns undefined when no registration has the key: RESERVATION CONFLICT
 */
export function preempt(
  state: PersistentReservations,
  by: Registration,
  key: string,
  type: number,
): Change | undefined {
  const { reservation, registrations } = state;
  if (!reservation || !takesReservation(state, key)) {
    const victims = registrations.filter((one) => one.key === key);
    if (victims.length === 0) return undefined;
    return {
      state: without(state, victims),
      registrationsPreempted: victims.filter((one) => !same(one, by)),
    };
  }
  const victims = registrations.filter((one) => !same(one, by) && (key === noKey || one.key === key));
  const rest = without(state, victims);
  return {
    state: reserve(rest, type, by).state,
    registrationsPreempted: victims,
    released: type === reservation.type ? [] : rest.registrations.filter((one) => !same(one, by)),
  };
}

function without(state: PersistentReservations, victims: readonly Registration[]): PersistentReservations {
  const registrations = state.registrations.filter((one) => !victims.includes(one));
  const { reservation } = state;
  const holder = reservation?.holder;
  const lost = holder ? victims.some((one) => same(one, holder)) : registrations.length === 0;
  return { ...state, generation: next(state), registrations, reservation: lost ? null : reservation };
}

/** REGISTER AND MOVE (SPC-4 5.12.8): the reservation goes to `to`. */
export function move(
  state: PersistentReservations,
  by: Registration,
  to: Registration,
  options: { unregister: boolean; aptpl: boolean },
): Change {
  const registrations = state.registrations.filter((one) => !same(one, to) && !(options.unregister && same(one, by)));
  return {
    state: {
      generation: next(state),
      aptpl: options.aptpl,
      registrations: [...registrations, to],
      reservation: { type: state.reservation!.type, holder: to },
    },
  };
}

/** PRgeneration counts in 32 bits. */
const next = (state: PersistentReservations): number => (state.generation + 1) >>> 0;

const isRegistration = (value: unknown): value is Registration => {
  const { initiator, port, key } = (value ?? {}) as Record<string, unknown>;
  const isPort = port === null || (Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 0xffff);
  return typeof initiator === 'string' && isPort && typeof key === 'string' && /^[0-9a-f]{16}$/.test(key);
};

/** Reads what gateways that share a unit keep: nothing begins anew with one of them. @throws Error when it is none */
export function parseSharedReservations(kept: unknown): PersistentReservations {
  const { generation, aptpl } = (kept ?? {}) as Record<string, unknown>;
  if (!Number.isInteger(generation) || typeof aptpl !== 'boolean') throw new Error('it has no generation');
  return { ...parseReservations(kept), generation: Number(generation) >>> 0, aptpl };
}

/**
 * Reads the contents of a kept file. PRgeneration starts at 0 with every power on (SPC-4 5.12.2).
 * @throws Error when they are none, or their parts do not fit together
 */
export function parseReservations(kept: unknown): PersistentReservations {
  const { registrations, reservation } = (kept ?? {}) as Record<string, unknown>;
  if (!Array.isArray(registrations) || registrations.length > registrationsMax || !registrations.every(isRegistration))
    throw new Error('its registrations are damaged');
  const plain = registrations.map(({ initiator, port, key }) => ({ initiator, port, key }));
  return { generation: 0, aptpl: true, registrations: plain, reservation: parseReservation(reservation, plain) };
}

function parseReservation(
  kept: unknown,
  registrations: readonly Registration[],
): PersistentReservations['reservation'] {
  if (kept === null) return null;
  const { type, holder } = (kept ?? {}) as Record<string, unknown>;
  const isType = typeof type === 'number' && [1, 3, 5, 6, 7, 8].includes(type);
  if (isType && isAllRegistrants(type) && holder === null && registrations.length > 0) return { type, holder };
  const found = isRegistration(holder) && registrations.find((one) => same(one, holder));
  if (!isType || isAllRegistrants(type) || !found) throw new Error('its reservation is damaged');
  return { type, holder: found };
}
