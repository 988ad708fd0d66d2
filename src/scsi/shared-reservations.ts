/**
 * Persistent reservations of a unit that gateways share: what one of them answers, all of them know. The gateway that serves the
 * unit changes them; the others have it carried out there, and tell their own initiators of what has changed.
 */

import { WorkQueue } from '../system/work-queue.ts';
import type { Nexus, StorageObject } from './logical-unit.ts';
import { nexusesOf, portOfNexus } from './nexus.ts';
import type { Change, Registration } from './persistent-reservation.ts';
import * as pr from './persistent-reservation.ts';
import { reservations } from './reservation-conflict.ts';
import { CheckCondition, type Sense, sense } from './sense.ts';
import { type SharedUnit, standingNow } from './shared-unit.ts';
import { type Completion, portOf, type Task } from './task.ts';
import { addUnitAttention } from './unit-attention.ts';

/** Commands about the reservations of one unit come one after the other. */
const turns = new WeakMap<StorageObject, WorkQueue>();
/** Nobody here knows what gateways share of the unit's reservations: something was put down, or was not. */
const doubtful = new WeakSet<StorageObject>();

function inTurn<T>(lu: StorageObject, work: () => Promise<T>): Promise<T> {
  const queue = turns.get(lu) ?? new WorkQueue();
  turns.set(lu, queue);
  return queue.take(work);
}

/** Gateways cannot be asked now: it is tried again (SPC-4 5.15.2.5). */
const notNow = () => new CheckCondition(sense.asymmetricAccessTransition);

/** The state that is put down, and who is to hear of the change. */
export const keptWithChange = ({ state, ...told }: Change): object => ({ ...state, told });

/** PERSISTENT RESERVE OUT: here, if this gateway serves the unit, else where it is served. */
export function throughShared(
  lu: StorageObject,
  shared: SharedUnit,
  task: Task,
  here: () => Completion | Promise<Completion>,
): Promise<Completion> {
  if (standingNow(shared) === 'alone') throw notNow();
  if (standingNow(shared) !== 'active') return relayed(shared, task);
  return inTurn(lu, async () => {
    if (doubtful.has(lu)) await load(lu, shared);
    const before = reservations.of(lu).persistent;
    try {
      return await here();
    } catch (error) {
      if (error instanceof CheckCondition) throw error;
      if (reservations.of(lu).persistent !== before) reservations.set(lu, { persistent: before });
      doubtful.add(lu);
      throw notNow();
    }
  });
}

async function relayed(shared: SharedUnit, task: Task): Promise<Completion> {
  const { nexus, cdb, dataOut, dataOutLength } = task;
  const command = {
    initiatorName: nexus.initiatorName,
    initiatorPortName: nexus.initiatorPortName,
    targetPortName: nexus.targetPortName,
    relativePortId: portOf(task).relativePortId,
    cdb: Buffer.from(cdb).toString('base64'),
    data: Buffer.from(dataOut.subarray(0, dataOutLength)).toString('base64'),
  };
  const { status, sense: bytes } = await shared.ask.relay(command).catch(() => {
    throw notNow();
  });
  return { status, ...(bytes !== undefined && { sense: Buffer.from(bytes, 'base64') }) };
}

/** PERSISTENT RESERVE IN: what all gateways have put down until now. */
export function asShared(lu: StorageObject, shared: SharedUnit, answer: () => Completion): Promise<Completion> {
  return inTurn(lu, async () => {
    await load(lu, shared);
    return answer();
  });
}

async function load(lu: StorageObject, shared: SharedUnit): Promise<void> {
  let kept: unknown;
  try {
    kept = await shared.ask.reservations();
    takeReservations(lu, kept);
  } catch {
    throw notNow();
  }
}

/** Takes what gateways share of the unit's reservations. @throws Error when it is damaged */
export function takeReservations(lu: StorageObject, kept: unknown): void {
  const persistent = kept == null ? pr.noReservations : pr.parseSharedReservations(kept);
  doubtful.delete(lu);
  reservations.set(lu, { persistent });
}

/** Another gateway has changed them: initiators here hear of it, too. @throws Error when it is damaged */
export function hearOfReservations(lu: StorageObject, kept: unknown): void {
  const before = reservations.of(lu).persistent;
  takeReservations(lu, kept);
  const now = reservations.of(lu).persistent;
  if (now.generation === before.generation && JSON.stringify(now.reservation) === JSON.stringify(before.reservation))
    return;
  const { told } = (kept ?? {}) as { told?: Omit<Change, 'state'> };
  if (told) tellOfChange(lu, told, undefined);
}

/** Tells the initiators that a change concerns. @param by who has brought it about */
export function tellOfChange(lu: StorageObject, change: Omit<Change, 'state'>, by: Nexus | undefined): void {
  const tell = (registrations: readonly Registration[] | undefined, what: Sense) => {
    if (!registrations?.length) return;
    for (const nexus of nexusesOf(lu))
      if (
        nexus !== by &&
        registrations.some((one) => pr.matches(one, nexus, portOfNexus(lu, nexus)?.relativePortId ?? 0))
      )
        addUnitAttention(nexus, lu, what);
  };
  tell(change.released, sense.reservationsReleased);
  tell(change.registrationsPreempted, sense.registrationsPreempted);
  tell(change.reservationsPreempted, sense.reservationsPreempted);
}
