/**
 * Snapshots of a logical unit's medium while initiators use it: what they were answered is in it, and nothing else. One is
 * made while new commands are held and those under way have ended; several units can be held at one time, so that all have
 * theirs of the same instant.
 */

import { checkSnapshotName, type Snapshot, type Snapshots, type VolumeConfig } from '../backstore/backstore.ts';
import { within } from '../backstore/patience.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import { whenLate } from '../system/running-time.ts';
import type { StorageObject } from './logical-unit.ts';
import { commandOfWork, mediumWork } from './medium-work.ts';
import { rangeLocks } from './range-locks.ts';
import { sense } from './sense.ts';
import { taskSet } from './task-set.ts';
import { reportToAll } from './unit-attention.ts';

/** A request on a unit's snapshots. Plain data. */
export type SnapshotRequest =
  | { readonly does: 'list' | 'hold' | 'let go' }
  | { readonly does: 'create' | 'remove' | 'rollback'; readonly name: string }
  | { readonly does: 'clone'; readonly name: string; readonly config: VolumeConfig };

/** How long a hold waits for commands under way and for the flush, and how long it lasts at most: commands wait meanwhile. */
const quietMs = 10_000;
const holdMs = 20_000;

/** The units that are held: by whom asks for it, until he lets go, or it lasts too long. */
const holds = new WeakMap<StorageObject, { letGo(): void }>();

/**
 * Carries out a request at a unit whose volume is open.
 * @returns the snapshots that there are then @throws OperatorError
 */
export async function askSnapshots(lu: StorageObject, request: SnapshotRequest): Promise<readonly Snapshot[]> {
  const snapshots = snapshotsOf(lu);
  if ('name' in request) checkSnapshotName(request.name);
  try {
    await carryOut(lu, snapshots, request);
    return await snapshots.list();
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    const what = 'name' in request ? `${request.does} the snapshot ${request.name} of ${lu.name}` : request.does;
    throw new OperatorError(`Could not ${what}: ${reasonOf(error)}`);
  }
}

/** @throws OperatorError where there are none, and why */
function snapshotsOf({ name, backstore, missing, volume }: StorageObject): Snapshots {
  if (!volume || missing !== undefined)
    throw new OperatorError(`The medium of ${name} is not there: ${missing ?? 'it is being opened'}`);
  if (volume.snapshots) return volume.snapshots;
  throw new OperatorError(`The medium of ${name} cannot have snapshots.`, backstore.snapshots?.needs);
}

async function carryOut(lu: StorageObject, snapshots: Snapshots, request: SnapshotRequest): Promise<void> {
  switch (request.does) {
    case 'list':
      return;
    case 'hold':
      return hold(lu);
    case 'let go': {
      const held = holds.get(lu);
      if (!held) throw new OperatorError(`${lu.name} could not be held for longer: its commands go on`);
      return held.letGo();
    }
    case 'create':
      if (!holds.has(lu)) throw new OperatorError(`${lu.name} is not held any more: its commands go on`);
      return snapshots.create(request.name);
    case 'remove':
      return snapshots.remove(request.name);
    case 'rollback':
      return rollback(lu, snapshots, request.name);
    case 'clone':
      return snapshots.clone(request.name, request.config);
  }
}

/** Waits until nothing is under way, and lets nothing begin; then all that was answered is on the medium. */
async function hold(lu: StorageObject): Promise<void> {
  refuseDuringWork(lu);
  if (holds.has(lu)) throw new OperatorError(`${lu.name} is held already: another snapshot is being made of it`);
  const quiet = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const letGo = () => {
    holds.delete(lu);
    inTime();
    over.resolve();
  };
  const inTime = whenLate(holdMs, letGo);
  holds.set(lu, { letGo });
  void alone(lu, async () => {
    quiet.resolve();
    await over.promise;
  });
  try {
    if (await within(quietMs, quiet.promise)) throw tooLong(lu);
    if (await within(quietMs, flushed(lu))) throw tooLong(lu);
  } catch (error) {
    letGo();
    throw error;
  }
}

/** @throws OperatorError */
async function flushed({ name, path, volume }: StorageObject): Promise<void> {
  try {
    await volume?.flush();
  } catch (error) {
    throw new OperatorError(
      `What was written to ${name} could not be brought to its medium: ${reasonOf(error)}`,
      `Nothing was changed. What may be lost: ${path} info`,
    );
  }
}

async function rollback(lu: StorageObject, snapshots: Snapshots, name: string): Promise<void> {
  await hold(lu);
  try {
    const wanted = (await snapshots.list()).find((one) => one.name === name);
    const { size } = lu.volume!;
    if (wanted && wanted.size !== size)
      throw new OperatorError(
        `${lu.name} has ${size} bytes, and had ${wanted.size} when the snapshot ${name} was made`,
        `Give it that size first: ${lu.path} resize ${wanted.size}${wanted.size < size ? ' force=true' : ''}`,
      );
    await snapshots.rollback(name);
  } finally {
    // Initiators' caches are of another medium, also where only a part of it came back.
    reportToAll(lu, sense.mediumMayHaveChanged);
    holds.get(lu)?.letGo();
  }
}

/** Holds all of the unit. What transports are still reading of it comes first. */
const alone = (lu: StorageObject, work: () => Promise<void>): Promise<void> =>
  rangeLocks.of(lu).during(0, Number.MAX_SAFE_INTEGER, true, async () => {
    // Data that was read in the same turn of the event loop may have to be sent yet (`Volume.lend`).
    await null;
    while (Array.from(taskSet.of(lu)).some(({ extent }) => extent)) await taskSet.of(lu).changed();
    await work();
  });

const tooLong = ({ name, path }: StorageObject): OperatorError =>
  new OperatorError(
    `${name} was not quiet within ${quietMs / 1000} s: its medium does not answer, or a command takes long`,
    `Nothing was changed. What goes on there: ${path} info`,
  );

/** FORMAT UNIT and SANITIZE write without a command. @throws OperatorError */
function refuseDuringWork(lu: StorageObject): void {
  const { work } = mediumWork.of(lu);
  if (work) throw new OperatorError(`${commandOfWork(work)} of ${lu.name} is going on, or has failed`);
}
