/**
 * Writes whose data goes to its place on a medium in memory as it comes, and is not gathered first. A task that is under
 * way fetches its data itself (SAM-5, Data-Out delivery service), and of one that ends early some blocks may be written,
 * but no part of one. Data has to come in order.
 */

import type { Volume } from '../backstore/backstore.ts';
import { addressNumber, type IoVector } from '../system/io-vector.ts';
import { systemError } from '../system/system-error.ts';
import type { StorageObject } from './logical-unit.ts';
import { good } from './parameter-data.ts';
import { rangeLocks } from './range-locks.ts';
import { notReady } from './readiness.ts';
import { countWrite } from './statistics.ts';
import { type Completion, type Landing, status, type Task } from './task.ts';
import { taskSet } from './task-set.ts';

/** Shorter ones are gathered sooner. Bytes. */
const landingBytesMin = 32 * 1024;

class WriteLanding implements Landing {
  readonly #task: Task;
  readonly #lu: StorageObject;
  readonly #volume: Volume;
  readonly #position: number;
  /** A block that has come in part, and how much of it. */
  readonly #block: Uint8Array;
  #come = 0;
  /** Whether the memory that was lent last is `#block`. */
  #lentBlock = false;
  #failure: unknown;
  /** A part could not be written when it came: somebody else had the range for himself, or another part was in `#writing`. */
  #missed = false;
  /** A part that the volume did not take at once, on its way there. It never rejects. */
  #writing: Promise<void> | undefined;

  constructor(task: Task, lu: StorageObject, volume: Volume, position: number) {
    this.#task = task;
    this.#lu = lu;
    this.#volume = volume;
    this.#position = position;
    this.#block = new Uint8Array(lu.blockSize);
  }

  /** Takes what has come of the data, from its byte `offset` on. */
  put(bytes: Uint8Array, offset: number): void {
    let at = 0;
    if (this.#come > 0) {
      at = Math.min(bytes.length, this.#block.length - this.#come);
      this.#block.set(bytes.subarray(0, at), this.#come);
      this.#grow(offset, at);
    }
    const end = bytes.length - ((bytes.length - at) % this.#block.length);
    if (end > at) this.#write(bytes.subarray(at, end), offset + at);
    if (end === bytes.length) return;
    this.#block.set(bytes.subarray(end));
    this.#come = bytes.length - end;
  }

  /**
   * Adds memory for what has come, `available` bytes from `offset` on: whole blocks where they belong, or beside them what
   * is missing of one. @returns how many bytes, which `took` is told of; undefined when they have to be `put`
   */
  lend(offset: number, available: number, to: IoVector): number | undefined {
    const size = this.#block.length;
    this.#lentBlock = this.#come > 0 || available < size;
    if (this.#lentBlock) {
      const count = Math.min(available, size - this.#come);
      to.add(addressNumber(this.#block) + this.#come, count);
      return count;
    }
    const whole = available - (available % size);
    const lent = this.#isOpen(offset, whole) && this.#volume.lend!(this.#position + offset, whole, to, true);
    return lent ? whole : undefined;
  }

  /** `count` bytes were received where `lend` said. */
  took(offset: number, count: number): void {
    if (this.#lentBlock) this.#grow(offset, count);
  }

  /** `count` more bytes of the block are there. */
  #grow(offset: number, count: number): void {
    this.#come += count;
    if (this.#come < this.#block.length) return;
    this.#come = 0;
    this.#write(this.#block, offset + count - this.#block.length);
  }

  #write(bytes: Uint8Array, offset: number): void {
    if (!this.#isOpen(offset, bytes.length)) return;
    const position = this.#position + offset;
    if (this.#volume.writeNow?.(bytes, position, false)) return;
    // The memory that is taken for a landing is one part, however much of it the volume does not take at once.
    if (this.#writing !== undefined) this.#missed = true;
    else this.#writing = this.#writeLater(Uint8Array.from(bytes), position);
    this.#task.running = this.#writing.then(() => good);
  }

  /** Writes as any command does: the volume says what is in its way. */
  async #writeLater(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await rangeLocks
        .of(this.#lu)
        .during(position, position + bytes.length, false, () => this.#volume.write(bytes, position, false));
    } catch (error) {
      this.#failure ??= error;
    }
    this.#writing = undefined;
  }

  /** All data has come. @throws what is in the way of the medium, or was */
  finish(): Completion | Promise<Completion> {
    return this.#writing !== undefined ? this.#writing.then(() => this.#outcome()) : this.#outcome();
  }

  #outcome(): Completion {
    if (this.#failure) throw this.#failure;
    // The initiator has to send the command again: nobody holds a range for data that is still to come.
    if (this.#missed) return { status: status.busy };
    countWrite(this.#lu, this.#task.dataOutLength / this.#lu.blockSize);
    return good;
  }

  /** Whether a part may be written now. If not, the task does not end well. */
  #isOpen(offset: number, length: number): boolean {
    if (this.#task.aborted || this.#task.terminated) return false;
    const { volume } = this.#lu;
    this.#failure ??= notReady(this.#lu) ?? (volume === this.#volume ? undefined : systemError('EBADF', 'write'));
    const position = this.#position + offset;
    this.#missed ||= !rangeLocks.of(this.#lu).free(position, position + length, false);
    return this.#failure === undefined && !this.#missed;
  }
}

/** How an admitted task takes its data; undefined: it is gathered in `dataOut`. */
export function landingOf(task: Task): Landing | undefined {
  const { command, unit, dataOutLength: length } = task;
  if (!unit || !command?.row.lands || length < landingBytesMin || task.dataOutOffered !== length) return undefined;
  const lu = unit.storageObject;
  const { volume } = lu;
  // A limited command is not written before its turn.
  if (!volume?.lend || unit.limits || taskSet.of(lu).ordered) return undefined;
  const position = command.cdb['lba']! * lu.blockSize;
  return rangeLocks.of(lu).free(position, position + length, false)
    ? new WriteLanding(task, lu, volume, position)
    : undefined;
}
