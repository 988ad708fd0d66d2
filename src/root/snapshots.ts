/**
 * Snapshots of storage objects, as operators ask for them: the loops that serve make them, or this process opens the media where nothing
 * is served.
 */

import type { Snapshot, VolumeConfig } from '../backstore/backstore.ts';
import { OperatorError } from '../errors.ts';
import type { Loop } from '../loops/loop.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { closeVolume, recordedFor } from '../scsi/lost-writes.ts';
import { askSnapshots, type SnapshotRequest } from '../scsi/snapshot.ts';

/** Calls each loop; undefined while nothing is served. */
type Each = () => ((call: (loop: Loop) => Promise<readonly Snapshot[] | undefined>) => Promise<unknown[]>) | undefined;

/** The door to the snapshots of all storage objects. Engines keep them, and are asked each time. */
export class ObjectSnapshots {
  readonly #each: Each;
  readonly #seen = new WeakMap<StorageObject, readonly Snapshot[]>();

  constructor(each: Each) {
    this.#each = each;
  }

  /** The snapshots that a storage object had when it was last asked, oldest first. */
  seen(object: StorageObject): readonly Snapshot[] {
    return this.#seen.get(object) ?? [];
  }

  /** Asks a storage object for its snapshots. @throws OperatorError where it cannot have any */
  list(object: StorageObject): Promise<readonly Snapshot[]> {
    return this.#ask(object, { does: 'list' });
  }

  /**
   * Makes a snapshot of each object, all of the same instant: every write that was answered by then is in them. Either all are made or
   * none.
   * @throws OperatorError; where one of the objects cannot have a snapshot, before any initiator was held
   */
  async create(objects: readonly StorageObject[], name: string): Promise<void> {
    for (const object of objects)
      if ((await this.list(object)).some((one) => one.name === name))
        throw new OperatorError(
          `${object.name} has a snapshot ${name} already`,
          'Delete it first, or take another name.',
        );
    const made: StorageObject[] = [];
    try {
      await all(objects, (object) => this.#ask(object, { does: 'hold' }));
      await all(objects, async (object) => {
        await this.#ask(object, { does: 'create', name });
        made.push(object);
      });
      await all(objects, (object) => this.#ask(object, { does: 'let go' }));
    } catch (error) {
      await Promise.allSettled(objects.map((object) => this.#ask(object, { does: 'let go' })));
      await Promise.allSettled(made.map((object) => this.remove(object, name)));
      throw error;
    }
  }

  /** Deletes a snapshot. @throws OperatorError */
  async remove(object: StorageObject, name: string): Promise<void> {
    await this.#refuseUnknown(object, name);
    await this.#ask(object, { does: 'remove', name });
  }

  /** Gives a storage object the contents that the snapshot has. Its initiators are told. @throws OperatorError */
  async rollback(object: StorageObject, name: string): Promise<void> {
    await this.#refuseUnknown(object, name);
    await this.#ask(object, { does: 'rollback', name });
  }

  /** Makes a new medium for another storage object from a snapshot. @throws OperatorError */
  async clone(object: StorageObject, name: string, config: VolumeConfig): Promise<void> {
    await this.#refuseUnknown(object, name);
    await this.#ask(object, { does: 'clone', name, config });
  }

  /** @throws OperatorError when the storage object has no snapshot of that name; no initiator was held then */
  async #refuseUnknown(object: StorageObject, name: string): Promise<void> {
    const names = (await this.list(object)).map((one) => one.name);
    if (names.includes(name)) return;
    throw new OperatorError(
      `${object.name} has no snapshot ${name}`,
      `Snapshots that it has: ${names.slice(-5).join(', ') || 'none'}`,
    );
  }

  async #ask(object: StorageObject, request: SnapshotRequest): Promise<readonly Snapshot[]> {
    const each = this.#each();
    const answers = each
      ? await each((loop) => loop.snapshots(object.path, request))
      : [await whileClosed(object, request)];
    const answer = answers.find((one): one is readonly Snapshot[] => one !== undefined);
    if (!answer) throw new OperatorError(`${object.name} is on its way to another loop`, 'Try it again.');
    if (request.does !== 'hold' && request.does !== 'let go') this.#seen.set(object, answer);
    return answer;
  }
}

/** Waits for the work on all objects, also when one fails. */
async function all(objects: readonly StorageObject[], work: (object: StorageObject) => Promise<unknown>) {
  const failed = (await Promise.allSettled(objects.map(work))).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

/** Carries out a request on a medium that nobody serves: the medium is opened for the request, and there are no initiators to hold. */
async function whileClosed(object: StorageObject, request: SnapshotRequest): Promise<readonly Snapshot[]> {
  if (request.does === 'hold' || request.does === 'let go') return [];
  object.volume = await recordedFor(object, await object.backstore.open(object.config));
  try {
    if (request.does !== 'create') return await askSnapshots(object, request);
    await askSnapshots(object, { does: 'hold' });
    try {
      return await askSnapshots(object, request);
    } finally {
      await askSnapshots(object, { does: 'let go' });
    }
  } finally {
    await closeVolume(object);
  }
}
