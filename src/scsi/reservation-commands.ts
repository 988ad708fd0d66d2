/** PERSISTENT RESERVE OUT, RESERVE and RELEASE: CDBs and parameter lists of what persistent-reservation.ts does. */

import { bit, bits, decode, type Field, hex, record, u8, u16, u32, type Values } from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';
import { portOfNexus, targetPortsOf } from './nexus.ts';
import { type OpcodeRow, opcode, serviceActionOf } from './opcode.ts';
import { conflict, good, parameterList } from './parameter-data.ts';
import type { Change, PersistentReservations, Registration } from './persistent-reservation.ts';
import * as pr from './persistent-reservation.ts';
import { reservations, reservationsName, reservationTypes } from './reservation-conflict.ts';
import { keyBytes, offersPersistent, reservationReports } from './reservation-reports.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import { keptWithChange, tellOfChange, throughShared } from './shared-reservations.ts';
import type { SharedUnit } from './shared-unit.ts';
import { type Completion, portOf, type Task } from './task.ts';
import { preempt as abortPreempted } from './task-management.ts';
import { decodeTransportIds } from './transport-id.ts';

// --- PERSISTENT RESERVE OUT (SPC-4 6.16) ---

/** A command, its parameter list, and the registration of its nexus. */
interface ReserveRequest {
  readonly lu: StorageObject;
  readonly task: Task;
  readonly state: PersistentReservations;
  readonly registration: Registration | undefined;
  readonly scope: number;
  readonly type: number;
  /** The parameter list, and what it says; of REGISTER AND MOVE look at `moveList`. */
  readonly bytes: Buffer;
  readonly list: Values<typeof outList.fields>;
}

/** The outcome of a service action: a change, GOOD without one, or RESERVATION CONFLICT. */
type ReserveOutcome = Change | 'nothing' | 'conflict';

/** Parameter lists (SPC-4 6.16.3, 6.16.4). TransportIDs follow: with SPEC_I_PT behind their length. */
const keys = { key: hex(0, keyBytes), actionKey: hex(8, keyBytes) };
const outList = record(24, { ...keys, specIPt: bit(20, 0x08), allTgPt: bit(20, 0x04), aptpl: bit(20, 0x01) });
const moveList = record(24, {
  ...keys,
  unregister: bit(17, 0x02),
  aptpl: bit(17, 0x01),
  relativePortId: u16(18),
  transportIdLength: u32(20),
});
const transportIds = record(4, { length: u32(0) });
const transportIdsBytesMax = 8192;

const scopeAndType = { scope: bits(2, 0xf0), type: bits(2, 0x0f) };

/** Checks a reservation: the scope is LU_SCOPE, and there are six types. @throws CheckCondition */
function checkScopeAndType({ scope, type }: { readonly scope: number; readonly type: number }): void {
  if (scope !== 0) throw invalidCdb(scopeAndType.scope);
  if (!reservationTypes.has(type)) throw invalidCdb(scopeAndType.type);
}

const reserveOut = (
  serviceAction: number,
  name: string,
  clause: string,
  takesType: 'always' | 'sometimes' | 'never',
  act: (request: ReserveRequest) => ReserveOutcome,
): OpcodeRow => {
  return opcode({
    code: 0x5f,
    serviceAction,
    name: `PERSISTENT RESERVE OUT ${name}`,
    spec: `SPC-4 ${clause}`,
    cdb: { ...(takesType !== 'never' ? scopeAndType : ({} as typeof scopeAndType)), length: u32(5) },
    ignores: takesType !== 'never' ? [] : Object.values(scopeAndType),
    answeredHere: true,
    medium: 'none',
    whenReserved: 'allowed',
    runsIn: 'standby',
    offered: offersPersistent,
    check: (_lu, cdb) => {
      if (takesType === 'always') checkScopeAndType(cdb);
      if (cdb.length < outList.length || cdb.length > outList.length + transportIdsBytesMax)
        throw new CheckCondition(sense.parameterListLengthError);
    },
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, cdb, task) => {
      if (lu.shared) return throughShared(lu, lu.shared, task, () => carryOut(lu, cdb, task));
      return carryOut(lu, cdb, task);
    },
  });

  function carryOut(
    lu: StorageObject,
    cdb: { scope: number; type: number },
    task: Task,
  ): Completion | Promise<Completion> {
    if (reservations.of(lu).reserved) return conflict;
    const bytes = parameterList(task.dataOut, outList.length);
    const state = reservations.of(lu).persistent;
    const registration = pr.registrationOf(state, task.nexus, portOf(task).relativePortId);
    const outcome = act({
      lu,
      task,
      state,
      registration,
      scope: cdb.scope,
      type: cdb.type,
      bytes,
      list: decode(outList, bytes),
    });
    if (outcome === 'conflict') return conflict;
    return outcome === 'nothing' ? good : apply(lu, task, outcome, serviceAction === preemptAndAbort);
  }
};

const preemptAndAbort = 0x05;

/** For the actions that only a registered nexus with the right key may do. */
const registered =
  (act: (request: ReserveRequest, registration: Registration) => ReserveOutcome) =>
  (request: ReserveRequest): ReserveOutcome => {
    const { registration } = request;
    checkPlainList(request);
    return registration && registration.key === request.list.key ? act(request, registration) : 'conflict';
  };

/** SPEC_I_PT is 0, and nothing follows the 24 bytes. */
function checkPlainList({ list, bytes }: ReserveRequest): void {
  if (list.specIPt) throw invalidParameter(outList.fields.specIPt);
  if (bytes.length !== outList.length) throw new CheckCondition(sense.parameterListLengthError);
}

function register(request: ReserveRequest): ReserveOutcome {
  const { registration, list } = request;
  if (list.key !== (registration?.key ?? pr.noKey)) return 'conflict';
  if (registration && list.specIPt) throw invalidParameter(outList.fields.specIPt);
  return registerKey(request);
}

function registerAndIgnore(request: ReserveRequest): ReserveOutcome {
  checkPlainList(request);
  return registerKey(request);
}

function registerKey({ lu, task, state, registration, list, bytes }: ReserveRequest): ReserveOutcome {
  const { actionKey: key } = list;
  const aptpl = persists(lu, list.aptpl, outList.fields.aptpl);
  const others = list.specIPt ? otherInitiators(bytes) : [];
  if (!list.specIPt && bytes.length !== outList.length) throw new CheckCondition(sense.parameterListLengthError);
  if (key === pr.noKey) return registration ? pr.unregister(state, registration, aptpl) : 'nothing';
  const port = list.allTgPt ? null : portOf(task).relativePortId;
  const own = lu.attributes.values.enforce_pr_isids === 1 ? task.nexus.initiatorPortName : task.nexus.initiatorName;
  const added = registration
    ? [{ ...registration, key }]
    : [...new Set([own, ...others])].map((initiator) => ({ initiator, port, key }));
  // SPC-4 5.12.7: one that is registered must not be among those that a registration names.
  if (added.slice(1).some((one) => pr.has(state, one)))
    throw invalidParameter({ at: outList.length + transportIds.length, mask: 0xff });
  const change = pr.register(state, added, aptpl);
  if (change.state.registrations.length > pr.registrationsMax)
    throw new CheckCondition(sense.insufficientRegistrationResources);
  return change;
}

/** SPEC_I_PT: a list of TransportIDs behind the 24 bytes, its length in front. */
function otherInitiators(bytes: Buffer): string[] {
  const start = outList.length + transportIds.length;
  if (bytes.length < start) throw new CheckCondition(sense.parameterListLengthError);
  const { length } = decode(transportIds, bytes, outList.length);
  if (bytes.length !== start + length) throw new CheckCondition(sense.parameterListLengthError);
  return decodeTransportIds(bytes.subarray(start), start);
}

/** APTPL as asked for in `field`, where the storage object has a place to keep it. */
function persists(lu: StorageObject, asked: boolean, field: Field): boolean {
  if (asked && !lu.keep) throw invalidParameter(field);
  return asked || (lu.keep !== undefined && lu.attributes.values.force_pr_aptpl === 1);
}

const reserve = registered(({ state, type }, registration) => {
  if (!state.reservation) return pr.reserve(state, type, registration);
  return pr.holds(state, registration) && state.reservation.type === type ? 'nothing' : 'conflict';
});

const release = registered(({ state, type }, registration) => {
  if (!pr.holds(state, registration)) return 'nothing';
  if (state.reservation?.type !== type) throw new CheckCondition(sense.invalidReleaseOfPersistentReservation);
  return pr.release(state, registration);
});

const clear = registered(({ state }, registration) => pr.clear(state, registration));

const preempt = registered((request, registration) => {
  const { state, type, list } = request;
  const { actionKey } = list;
  const allRegistrants = state.reservation !== null && state.reservation.holder === null;
  if (actionKey === pr.noKey && !allRegistrants) throw invalidParameter(keys.actionKey);
  // SCOPE and TYPE say what reservation there is to be; where only registrations go, nobody looks at them (SPC-4 5.12.11.2.5).
  if (pr.takesReservation(state, actionKey)) checkScopeAndType(request);
  return pr.preempt(state, registration, actionKey, type) ?? 'conflict';
});

/** REGISTER AND MOVE has a parameter list of its own (SPC-4 6.16.4): UNREG, APTPL, RELATIVE TARGET PORT IDENTIFIER, one TransportID. */
function registerAndMove({ lu, task, state, registration, bytes }: ReserveRequest): ReserveOutcome {
  const { fields, length } = moveList;
  const { key, actionKey, relativePortId: port, transportIdLength, ...list } = decode(moveList, bytes);
  if (!registration || registration.key !== key) return 'conflict';
  if (!state.reservation) throw invalidCdb(serviceActionOf(0x5f));
  // Where all registrants hold it, there is nobody to move it to.
  if (state.reservation.holder === null || !pr.holds(state, registration)) return 'conflict';
  if (actionKey === pr.noKey) throw invalidParameter(fields.actionKey);
  if (!targetPortsOf(lu).some(({ relativePortId }) => relativePortId === port))
    throw invalidParameter(fields.relativePortId);
  if (bytes.length !== length + transportIdLength) throw new CheckCondition(sense.parameterListLengthError);
  const [initiator, more] = decodeTransportIds(bytes.subarray(length), length);
  if (initiator === undefined || more !== undefined) throw invalidParameter(fields.transportIdLength);
  const own = [task.nexus.initiatorPortName, task.nexus.initiatorName];
  // The TransportID stands behind the list.
  if (own.includes(initiator)) throw invalidParameter({ at: length, mask: 0xff });
  const aptpl = persists(lu, list.aptpl, fields.aptpl);
  return pr.move(state, registration, { initiator, port, key: actionKey }, { unregister: list.unregister, aptpl });
}

/** Makes a change durable where it has to be, then true, then known. */
function apply(lu: StorageObject, task: Task, change: Change, abort: boolean): Completion | Promise<Completion> {
  const before = reservations.of(lu).persistent;
  reservations.set(lu, { persistent: change.state });
  if (lu.shared) return applyShared(lu, lu.shared, task, change, abort);
  const keep = change.state.aptpl || before.aptpl ? lu.keep : undefined;
  if (!keep && !abort) return announce(lu, task, change);
  return (async () => {
    try {
      await keep?.(reservationsName, change.state.aptpl ? change.state : undefined);
    } catch {
      if (reservations.of(lu).persistent === change.state) reservations.set(lu, { persistent: before });
      throw new CheckCondition(sense.insufficientRegistrationResources);
    }
    announce(lu, task, change);
    if (abort) await abortVictims(lu, task, change);
    return good;
  })();
}

/** Applies a change to a unit that gateways share: all know it before one answers. */
async function applyShared(
  lu: StorageObject,
  shared: SharedUnit,
  task: Task,
  change: Change,
  abort: boolean,
): Promise<Completion> {
  await shared.ask.keepReservations(keptWithChange(change));
  announce(lu, task, change);
  if (abort) await abortVictims(lu, task, change);
  return good;
}

async function abortVictims(lu: StorageObject, task: Task, change: Change): Promise<void> {
  const victims = change.registrationsPreempted ?? [];
  await abortPreempted(lu, task.nexus, (nexus) =>
    victims.some((one) => pr.matches(one, nexus, portOfNexus(lu, nexus)?.relativePortId ?? 0)),
  );
}

function announce(lu: StorageObject, task: Task, change: Change): Completion {
  tellOfChange(lu, change, task.nexus);
  return good;
}

// --- RESERVE and RELEASE (SPC-2 7.21, 7.16; with registrations SPC-4 5.12.3) ---

const offersReserve = (lu: StorageObject): boolean => lu.attributes.values.emulate_pr === 1;

/** With registrations they conflict, or change nothing where the nexus has what a persistent reservation gives. */
function underRegistrations(lu: StorageObject, task: Task): Completion | undefined {
  const state = reservations.of(lu).persistent;
  if (state.registrations.length === 0) return undefined;
  const registration = pr.registrationOf(state, task.nexus, portOf(task).relativePortId);
  const { reservation } = state;
  return registration && reservation && (pr.concernsRegistrants(reservation.type) || pr.holds(state, registration))
    ? good
    : conflict;
}

function reserveUnit(lu: StorageObject, task: Task): Completion {
  const answer = underRegistrations(lu, task);
  if (!answer) reservations.set(lu, { reserved: task.nexus });
  return answer ?? good;
}

function releaseUnit(lu: StorageObject, task: Task): Completion {
  const answer = underRegistrations(lu, task);
  if (!answer && reservations.of(lu).reserved === task.nexus) reservations.set(lu, { reserved: undefined });
  return answer ?? good;
}

const reserveRelease = (code: number, name: string, spec: string, ten: boolean): OpcodeRow =>
  opcode({
    code,
    name,
    spec,
    cdb: {},
    // Fields of third parties and extents are ignored, since there are none to be reserved: THIRD-PARTY DEVICE ID, list lengths.
    ignores: ten ? [u8(2), u8(3), u16(7)] : [u8(2), u16(3)],
    answeredHere: true,
    medium: 'none',
    whenReserved: name.startsWith('RELEASE') ? 'always' : 'conflicts',
    offered: offersReserve,
    execute: (lu, _cdb, task) => (name.startsWith('RELEASE') ? releaseUnit(lu, task) : reserveUnit(lu, task)),
  });

/** The commands of reservations. */
export const reservationOpcodes: readonly OpcodeRow[] = [
  ...reservationReports,
  reserveOut(0x00, 'REGISTER', '5.12.7', 'never', register),
  reserveOut(0x01, 'RESERVE', '5.12.9', 'always', reserve),
  reserveOut(0x02, 'RELEASE', '5.12.11.2.2', 'always', release),
  reserveOut(0x03, 'CLEAR', '5.12.11.2.7', 'never', clear),
  reserveOut(0x04, 'PREEMPT', '5.12.11.2.4', 'sometimes', preempt),
  reserveOut(preemptAndAbort, 'PREEMPT AND ABORT', '5.12.11.2.6', 'sometimes', preempt),
  reserveOut(0x06, 'REGISTER AND IGNORE EXISTING KEY', '5.12.7', 'never', registerAndIgnore),
  reserveOut(0x07, 'REGISTER AND MOVE', '5.12.8', 'never', registerAndMove),
  reserveRelease(0x16, 'RESERVE(6)', 'SPC-2 7.21', false),
  reserveRelease(0x17, 'RELEASE(6)', 'SPC-2 7.16', false),
  reserveRelease(0x56, 'RESERVE(10)', 'SPC-2 7.22', true),
  reserveRelease(0x57, 'RELEASE(10)', 'SPC-2 7.17', true),
];
