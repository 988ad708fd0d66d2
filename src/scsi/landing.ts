/**
 * Writes whose data goes to its place on a medium in memory as it comes, and is not gathered first. A task that is under
 * way fetches its data itself (SAM-5, Data-Out delivery service), and of one that ends early a part may be written.
 */

import type { Volume } from '../backstore/backstore.ts';
import type { IoVector } from '../system/io-vector.ts';
import { systemError } from '../system/system-error.ts';
import { good } from './parameter-data.ts';
import { notReady } from './readiness.ts';
import type { StorageObject } from './storage-object.ts';
import type { Completion, Task } from './task.ts';

/** Shorter ones are gathered sooner. Bytes. */
const landingBytesMin = 32 * 1024;

export class Landing {
  readonly #task: Task;
  readonly #lu: StorageObject;
  readonly #volume: Volume;
  readonly #position: number;
  readonly #length: number;
  readonly #ended = Promise.withResolvers<void>();
  #failure: unknown;

  constructor(task: Task, lu: StorageObject, volume: Volume, position: number, length: number) {
    this.#task = task;
    this.#lu = lu;
    this.#volume = volume;
    this.#position = position;
    this.#length = length;
    void lu.ranges.during(position, position + length, false, () => this.#ended.promise);
  }

  /** Writes what has come of the data, from its byte `offset` on. */
  put(bytes: Uint8Array, offset: number): void {
    if (this.#isOpen() && !this.#volume.writeNow?.(bytes, this.#position + offset, false))
      this.#failure ??= systemError('ENOSPC', 'write');
  }

  /** Adds the memory that a part of the data belongs to; false when it has to be `put`. */
  lend(offset: number, length: number, to: IoVector): boolean {
    return this.#isOpen() && this.#volume.lend!(this.#position + offset, length, to, true);
  }

  /** All data has come. @throws what is in the way of the medium, or was */
  finish(): Completion {
    if (this.#failure) throw this.#failure;
    const { statistics, blockSize } = this.#lu;
    statistics.writeCommands += 1;
    statistics.blocksWritten += this.#length / blockSize;
    return good;
  }

  /** Nothing comes any more. */
  end(): void {
    this.#ended.resolve();
  }

  #isOpen(): boolean {
    if (this.#task.aborted || this.#task.terminated) return false;
    const { volume } = this.#lu;
    this.#failure ??= notReady(this.#lu) ?? (volume === this.#volume ? undefined : systemError('EBADF', 'write'));
    return this.#failure === undefined;
  }
}

/** How an admitted task takes its data; undefined: it is gathered in `dataOut`. */
export function land(task: Task): Landing | undefined {
  const { command, unit, dataOutLength: length } = task;
  if (!unit || !command?.row.lands || length < landingBytesMin || task.dataOutOffered !== length) return undefined;
  const lu = unit.storageObject;
  const { volume } = lu;
  if (!volume?.lend || lu.tasks.ordered) return undefined;
  const position = command.cdb['lba']! * lu.blockSize;
  if (!lu.ranges.free(position, position + length, false)) return undefined;
  return new Landing(task, lu, volume, position, length);
}
