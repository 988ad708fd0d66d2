/** PERSISTENT RESERVE IN and OUT, RESERVE and RELEASE: CDBs and parameter lists of what persistent-reservation.ts does. */

import type { StorageObject } from './logical-unit.ts';
import { nexusesOf, portOfNexus, targetPortsOf } from './nexus.ts';
import { bits, type OpcodeRow, opcode, u8, u16, u32 } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import type { Change, PersistentReservations, Registration } from './persistent-reservation.ts';
import * as pr from './persistent-reservation.ts';
import { reservations, reservationsName, reservationTypes } from './reservation-conflict.ts';
import { CheckCondition, invalidCdb, invalidParameter, type Sense, sense } from './sense.ts';
import { type Completion, status, type Task } from './task.ts';
import { preempt as abortPreempted } from './task-management.ts';
import { decodeTransportIds, encodeTransportId } from './transport-id.ts';
import { addUnitAttention } from './unit-attention.ts';

const conflict: Completion = { status: status.reservationConflict };

const offersPersistent = (lu: StorageObject): boolean =>
  lu.attributes.values.emulate_pr === 1 && lu.attributes.values.pgr_support === 1;

// --- PERSISTENT RESERVE IN (SPC-4 6.15) ---

const reserveIn = (serviceAction: number, name: string, clause: string, data: (lu: StorageObject) => Uint8Array) =>
  opcode({
    code: 0x5e,
    serviceAction,
    name: `PERSISTENT RESERVE IN ${name}`,
    spec: `SPC-4 ${clause}`,
    cdb: { allocation: u16(7) },
    medium: 'none',
    whenReserved: 'allowed',
    runsIn: 'standby',
    offered: offersPersistent,
    execute: (lu, cdb) => (reservations.of(lu).reserved ? conflict : allocated(data(lu), cdb.allocation)),
  });

function readKeys(lu: StorageObject): Uint8Array {
  const { persistent } = reservations.of(lu);
  return withHeader(
    persistent,
    persistent.registrations.map(({ key }) => Buffer.from(key, 'hex')),
  );
}

/** PRGENERATION and ADDITIONAL LENGTH in front of descriptors. */
function withHeader(state: PersistentReservations, descriptors: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(descriptors);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(state.generation, 0);
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

function readReservation(lu: StorageObject): Uint8Array {
  const { persistent } = reservations.of(lu);
  const { reservation } = persistent;
  if (!reservation) return withHeader(persistent, []);
  const descriptor = Buffer.alloc(16);
  descriptor.write(reservation.holder?.key ?? pr.noKey, 0, 'hex');
  descriptor[13] = reservation.type;
  return withHeader(persistent, [descriptor]);
}

/** CRH, SIP_C, ATP_C, PTPL_C; TMV, ALLOW COMMANDS 001b, PTPL_A; all six types. */
function reportCapabilities(lu: StorageObject): Uint8Array {
  const persists = lu.keep !== undefined;
  const active = reservations.of(lu).persistent.aptpl;
  return Uint8Array.of(0, 8, 0x1c | (persists ? 1 : 0), 0x90 | (active ? 1 : 0), 0xea, 0x01, 0, 0);
}

function readFullStatus(lu: StorageObject): Uint8Array {
  const { persistent } = reservations.of(lu);
  return withHeader(
    persistent,
    persistent.registrations.map((registration) => {
      const transportId = encodeTransportId(registration.initiator);
      const descriptor = Buffer.alloc(24);
      const holder = pr.holds(persistent, registration);
      descriptor.write(registration.key, 0, 'hex');
      descriptor[12] = (registration.port === null ? 0x02 : 0) | (holder ? 0x01 : 0); // ALL_TG_PT, R_HOLDER
      descriptor[13] = holder ? (persistent.reservation?.type ?? 0) : 0;
      descriptor.writeUInt16BE(registration.port ?? 0, 18);
      descriptor.writeUInt32BE(transportId.length, 20);
      return Buffer.concat([descriptor, transportId]);
    }),
  );
}

// --- PERSISTENT RESERVE OUT (SPC-4 6.16) ---

/** A command, its parameter list, and the registration of its nexus. */
interface Request {
  readonly lu: StorageObject;
  readonly task: Task;
  readonly state: PersistentReservations;
  readonly registration: Registration | undefined;
  readonly scope: number;
  readonly type: number;
  readonly list: Buffer;
  /** RESERVATION KEY and SERVICE ACTION RESERVATION KEY. */
  readonly key: string;
  readonly actionKey: string;
}

/** What a service action does: a change, GOOD without one, or RESERVATION CONFLICT. */
type Outcome = Change | 'nothing' | 'conflict';

const listBytes = 24;
const transportIdsBytesMax = 8192;

const scopeAndType = { scope: bits(2, 4, 4), type: bits(2, 0, 4) };

/** What of a reservation there is: LU_SCOPE, and six types. @throws CheckCondition */
function checkScopeAndType({ scope, type }: { readonly scope: number; readonly type: number }): void {
  if (scope !== 0) throw invalidCdb(2, 7);
  if (!reservationTypes.has(type)) throw invalidCdb(2, 3);
}

const reserveOut = (
  serviceAction: number,
  name: string,
  clause: string,
  takesType: 'always' | 'sometimes' | 'never',
  act: (request: Request) => Outcome,
): OpcodeRow =>
  opcode({
    code: 0x5f,
    serviceAction,
    name: `PERSISTENT RESERVE OUT ${name}`,
    spec: `SPC-4 ${clause}`,
    cdb: { ...(takesType !== 'never' ? scopeAndType : ({} as typeof scopeAndType)), length: u32(5) },
    ignores: takesType !== 'never' ? [] : Object.values(scopeAndType),
    medium: 'none',
    whenReserved: 'allowed',
    runsIn: 'standby',
    offered: offersPersistent,
    check: (_lu, cdb) => {
      if (takesType === 'always') checkScopeAndType(cdb);
      if (cdb.length < listBytes || cdb.length > listBytes + transportIdsBytesMax)
        throw new CheckCondition(sense.parameterListLengthError);
    },
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, cdb, task) => {
      if (reservations.of(lu).reserved) return conflict;
      const list = parameterList(task.dataOut, listBytes);
      const state = reservations.of(lu).persistent;
      const registration = pr.registrationOf(state, task.nexus, task.unit!.port.relativePortId);
      const outcome = act({
        lu,
        task,
        state,
        registration,
        scope: cdb.scope,
        type: cdb.type,
        list,
        key: list.toString('hex', 0, 8),
        actionKey: list.toString('hex', 8, 16),
      });
      if (outcome === 'conflict') return conflict;
      return outcome === 'nothing' ? good : apply(lu, task, outcome, serviceAction === preemptAndAbort);
    },
  });

const preemptAndAbort = 0x05;

/** For the actions that only a registered nexus with the right key may do. */
const registered =
  (act: (request: Request, registration: Registration) => Outcome) =>
  (request: Request): Outcome => {
    const { registration } = request;
    checkPlainList(request);
    return registration && registration.key === request.key ? act(request, registration) : 'conflict';
  };

/** SPEC_I_PT is 0, and nothing follows the 24 bytes. */
function checkPlainList({ list }: Request): void {
  if ((list[20]! & 0x08) !== 0) throw invalidParameter(20, 3);
  if (list.length !== listBytes) throw new CheckCondition(sense.parameterListLengthError);
}

function register(request: Request): Outcome {
  const { registration, key, actionKey } = request;
  if (key !== (registration?.key ?? pr.noKey)) return 'conflict';
  if (registration && (request.list[20]! & 0x08) !== 0) throw invalidParameter(20, 3);
  return registerKey(request, actionKey);
}

function registerAndIgnore(request: Request): Outcome {
  checkPlainList(request);
  return registerKey(request, request.actionKey);
}

function registerKey({ lu, task, state, registration, list }: Request, key: string): Outcome {
  const aptpl = persists(lu, (list[20]! & 0x01) !== 0);
  const others = otherInitiators(list);
  if (key === pr.noKey) return registration ? pr.unregister(state, registration, aptpl) : 'nothing';
  const port = (list[20]! & 0x04) !== 0 ? null : task.unit!.port.relativePortId;
  const own = lu.attributes.values.enforce_pr_isids === 1 ? task.nexus.initiatorPortName : task.nexus.initiatorName;
  const added = registration
    ? [{ ...registration, key }]
    : [...new Set([own, ...others])].map((initiator) => ({ initiator, port, key }));
  // SPC-4 5.12.7: one that is registered must not be among those that a registration names.
  if (added.slice(1).some((one) => pr.has(state, one))) throw invalidParameter(listBytes + 4);
  const change = pr.register(state, added, aptpl);
  if (change.state.registrations.length > pr.registrationsMax)
    throw new CheckCondition(sense.insufficientRegistrationResources);
  return change;
}

/** SPEC_I_PT: a list of TransportIDs behind the 24 bytes, its length in front. */
function otherInitiators(list: Buffer): string[] {
  if ((list[20]! & 0x08) === 0) {
    if (list.length !== listBytes) throw new CheckCondition(sense.parameterListLengthError);
    return [];
  }
  if (list.length < listBytes + 4) throw new CheckCondition(sense.parameterListLengthError);
  const length = list.readUInt32BE(listBytes);
  if (list.length !== listBytes + 4 + length) throw new CheckCondition(sense.parameterListLengthError);
  return decodeTransportIds(list.subarray(listBytes + 4), listBytes + 4);
}

/** APTPL as asked for, where the storage object has a place to keep it. */
function persists(lu: StorageObject, asked: boolean): boolean {
  if (asked && !lu.keep) throw invalidParameter(20, 0);
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
  const { state, type, actionKey } = request;
  const allRegistrants = state.reservation !== null && state.reservation.holder === null;
  if (actionKey === pr.noKey && !allRegistrants) throw invalidParameter(8);
  // SCOPE and TYPE say what reservation there is to be; where only registrations go, nobody looks at them (SPC-4 5.12.11.2.5).
  if (pr.takesReservation(state, actionKey)) checkScopeAndType(request);
  return pr.preempt(state, registration, actionKey, type) ?? 'conflict';
});

/** Its own parameter list (SPC-4 6.16.4): UNREG, APTPL, RELATIVE TARGET PORT IDENTIFIER, one TransportID. */
function registerAndMove({ lu, task, state, registration, list, key, actionKey }: Request): Outcome {
  if (!registration || registration.key !== key) return 'conflict';
  if (!state.reservation) throw invalidCdb(1, 4);
  // Where all registrants hold it, there is nobody to move it to.
  if (state.reservation.holder === null || !pr.holds(state, registration)) return 'conflict';
  if (actionKey === pr.noKey) throw invalidParameter(8);
  const port = list.readUInt16BE(18);
  if (!targetPortsOf(lu).some((one) => one.relativePortId === port)) throw invalidParameter(18);
  if (list.length !== listBytes + list.readUInt32BE(20)) throw new CheckCondition(sense.parameterListLengthError);
  const [initiator, more] = decodeTransportIds(list.subarray(listBytes), listBytes);
  if (initiator === undefined || more !== undefined) throw invalidParameter(20);
  const own = [task.nexus.initiatorPortName, task.nexus.initiatorName];
  if (own.includes(initiator)) throw invalidParameter(listBytes);
  return pr.move(
    state,
    registration,
    { initiator, port, key: actionKey },
    { unregister: (list[17]! & 0x02) !== 0, aptpl: persists(lu, (list[17]! & 0x01) !== 0) },
  );
}

/** Makes a change durable where it has to be, then true, then known. */
function apply(lu: StorageObject, task: Task, change: Change, abort: boolean): Completion | Promise<Completion> {
  const before = reservations.of(lu).persistent;
  reservations.set(lu, { persistent: change.state });
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
    const victims = change.registrationsPreempted ?? [];
    if (abort)
      await abortPreempted(lu, task.nexus, (nexus) =>
        victims.some((one) => pr.matches(one, nexus, portOfNexus(lu, nexus)?.relativePortId ?? 0)),
      );
    return good;
  })();
}

function announce(lu: StorageObject, task: Task, change: Change): Completion {
  const tell = (registrations: readonly Registration[] | undefined, what: Sense) => {
    if (!registrations?.length) return;
    for (const nexus of nexusesOf(lu))
      if (
        nexus !== task.nexus &&
        registrations.some((one) => pr.matches(one, nexus, portOfNexus(lu, nexus)?.relativePortId ?? 0))
      )
        addUnitAttention(nexus, lu, what);
  };
  tell(change.released, sense.reservationsReleased);
  tell(change.registrationsPreempted, sense.registrationsPreempted);
  tell(change.reservationsPreempted, sense.reservationsPreempted);
  return good;
}

// --- RESERVE and RELEASE (SPC-2 7.21, 7.16; with registrations SPC-4 5.12.3) ---

const offersReserve = (lu: StorageObject): boolean => lu.attributes.values.emulate_pr === 1;

/** With registrations they conflict, or change nothing where the nexus has what a persistent reservation gives. */
function underRegistrations(lu: StorageObject, { nexus, unit }: Task): Completion | undefined {
  const state = reservations.of(lu).persistent;
  if (state.registrations.length === 0) return undefined;
  const registration = pr.registrationOf(state, nexus, unit!.port.relativePortId);
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
    // Of third parties and extents, which have to be there to be reserved: THIRD-PARTY DEVICE ID, list lengths.
    ignores: ten ? [u8(2), u8(3), u16(7)] : [u8(2), u16(3)],
    medium: 'none',
    whenReserved: name.startsWith('RELEASE') ? 'always' : 'conflicts',
    offered: offersReserve,
    execute: (lu, _cdb, task) => (name.startsWith('RELEASE') ? releaseUnit(lu, task) : reserveUnit(lu, task)),
  });

export const reservationOpcodes: readonly OpcodeRow[] = [
  reserveIn(0x00, 'READ KEYS', '6.15.2', readKeys),
  reserveIn(0x01, 'READ RESERVATION', '6.15.3', readReservation),
  reserveIn(0x02, 'REPORT CAPABILITIES', '6.15.4', reportCapabilities),
  reserveIn(0x03, 'READ FULL STATUS', '6.15.5', readFullStatus),
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
