/** Snapshots of storage objects, as operators ask for them: of the loops that serve, or of the media where nothing is served. */

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

  /** Those that a storage object had when it was last asked, oldest first. */
  seen(object: StorageObject): readonly Snapshot[] {
    return this.#seen.get(object) ?? [];
  }

  /** Asks a storage object for its snapshots. @throws OperatorError where it cannot have any */
  list(object: StorageObject): Promise<readonly Snapshot[]> {
    return this.#ask(object, { does: 'list' });
  }

  /**
   * Makes a snapshot of each, all of the same instant: what was answered by then is in them. All of them or none.
   * @throws OperatorError; before any initiator was held where one of them cannot have it
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

  /** Deletes one. @throws OperatorError */
  async remove(object: StorageObject, name: string): Promise<void> {
    await this.#ask(object, { does: 'remove', name });
  }

  /** The storage object holds again what it held then. Its initiators are told. @throws OperatorError */
  async rollback(object: StorageObject, name: string): Promise<void> {
    await this.#ask(object, { does: 'rollback', name });
  }

  /** Makes the medium of another storage object of it. @throws OperatorError */
  async clone(object: StorageObject, name: string, config: VolumeConfig): Promise<void> {
    await this.#ask(object, { does: 'clone', name, config });
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

/** Waits for all of them, also when one fails. */
async function all(objects: readonly StorageObject[], work: (object: StorageObject) => Promise<unknown>) {
  const failed = (await Promise.allSettled(objects.map(work))).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

/** Of a medium that nobody serves: it is opened for that, and there is nobody to be held. */
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
