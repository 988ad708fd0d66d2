/**
 * The record of a volume's writes that were acknowledged and are not known to be on its medium. The record outlives the volume: the
 * medium tells of an error once (Linux reports a failed writeback once to each open file, and takes the pages for clean), and the loss
 * remains until the range is written again and flushed with success, or until an operator opens the medium anew.
 */

import { systemError } from '../system/system-error.ts';
import { type ByteRange, SectorSet } from './sector-set.ts';

/** The losses of a flush that failed. Plain data. */
export interface LostWrites {
  /** Ranges that were acknowledged and may not be on the medium. Absent: nobody can say which, so any. */
  readonly ranges?: readonly ByteRange[];
  /** The system error with which the first flush failed. */
  readonly reason: string;
}

/** Reads the contents of a kept file. @throws Error when they are none */
export function parseLostWrites(kept: unknown): LostWrites {
  const { ranges, reason } = (kept ?? {}) as Record<string, unknown>;
  if (typeof reason !== 'string') throw new Error('it does not say why writes were lost');
  if (ranges === undefined) return { reason };
  const isRange = (one: unknown) =>
    Array.isArray(one) && one.length === 2 && one.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!Array.isArray(ranges) || ranges.length === 0 || !ranges.every(isRange))
    throw new Error('its ranges are damaged');
  return { ranges: ranges as ByteRange[], reason };
}

/** The bytes that may be lost; undefined where nobody can say how many. */
export const lostBytes = ({ ranges }: LostWrites): number | undefined =>
  ranges?.reduce((sum, [, length]) => sum + length, 0);

/** The number of ranges that `LostWrites` tells apart. */
const rangesMax = 4096;

/** A write on its way, whose bytes may be on the medium, in a cache, or nowhere. */
export interface WriteUnderWay {
  readonly position: number;
  readonly length: number;
  /** Whether a flush failed meanwhile; or, for a durable write, a write without `durable` to the same place has ended. */
  overtaken: boolean;
}

/** The sectors that were written and not flushed. */
export class WriteRecord {
  /** The sectors that were written since the last flush began. */
  #unflushed = new SectorSet();
  /** The sectors that the flush under way brings to the medium. */
  #flushing = new SectorSet();
  readonly #underWay = new Set<WriteUnderWay>();
  readonly #durable = new Set<WriteUnderWay>();
  readonly #suspect = new SectorSet();
  #reason = '';

  /** Called when the record has grown or shrunk; its work is done before any command is answered. */
  changed: (grown: boolean) => Promise<void> = async () => {};

  /** The losses. Undefined when all that a good flush was answered for is on the medium. */
  get lost(): LostWrites | undefined {
    if (this.#suspect.isEmpty) return undefined;
    const ranges = this.#suspect.isEverything ? undefined : this.#suspect.ranges();
    return { ...(ranges && ranges.length <= rangesMax && { ranges }), reason: this.#reason };
  }

  get isSuspect(): boolean {
    return !this.#suspect.isEmpty;
  }

  /** Begins with the losses of another record, or with those that were kept over the end of the process. */
  restore(lost: LostWrites | undefined): void {
    this.#suspect.clear();
    if (!lost) return;
    const { ranges, reason } = lost;
    this.#reason = reason;
    if (ranges) for (const [position, length] of ranges) this.#suspect.add(position, length);
    else this.#suspect.addEverything();
  }

  /** Notes a write without `durable` that has ended in the turn of the event loop in which it began. */
  wrote(position: number, length: number): void {
    this.#unflushed.add(position, length);
    if (this.#durable.size > 0) this.#overtake(position, length);
  }

  begin(position: number, length: number): WriteUnderWay {
    const write = { position, length, overtaken: false };
    this.#underWay.add(write);
    return write;
  }

  /** Notes that a write without `durable` has ended, well or not. A write that a failure has overtaken proves nothing. */
  end(write: WriteUnderWay): void {
    this.#underWay.delete(write);
    if (!write.overtaken) this.wrote(write.position, write.length);
  }

  beginDurable(position: number, length: number): WriteUnderWay {
    const write = { position, length, overtaken: false };
    this.#durable.add(write);
    return write;
  }

  /** Notes that a durable write has ended. @param isGood its range is on the medium, whatever was in a cache, or lost, of it before */
  async endDurable(write: WriteUnderWay, isGood: boolean): Promise<void> {
    this.#durable.delete(write);
    if (!isGood || write.overtaken) return;
    const { position, length } = write;
    for (const set of [this.#unflushed, this.#flushing]) if (!set.isEmpty) set.remove(position, length);
    if (!this.#suspect.has(position, length)) return;
    this.#suspect.remove(position, length);
    await this.changed(false);
  }

  #overtake(position: number, length: number): void {
    for (const write of this.#durable)
      if (write.position < position + length && position < write.position + write.length) write.overtaken = true;
  }

  /** Whether all acknowledged writes in the range are on the medium. */
  isFlushed(position: number, length: number): boolean {
    return this.#suspect.isEmpty && !this.#unflushed.has(position, length) && !this.#flushing.has(position, length);
  }

  flushBegins(): void {
    [this.#flushing, this.#unflushed] = [this.#unflushed, this.#flushing];
  }

  /** Notes that the flush succeeded: all writes before it are on the medium, and losses among them are made good. */
  async flushed(): Promise<void> {
    const mended = this.isSuspect && this.#suspect.removeSet(this.#flushing);
    this.#flushing.clear();
    if (mended) await this.changed(false);
  }

  /** Notes that the flush was not answered, and may be repeated. */
  unanswered(): void {
    this.#unflushed.addSet(this.#flushing);
    this.#flushing.clear();
  }

  /** Notes that the medium has failed: all data that it was not known to hold may be gone, also data on its way. */
  async failed(reason: string): Promise<void> {
    const grown = !this.#unflushed.isEmpty || !this.#flushing.isEmpty || this.#underWay.size > 0;
    if (!this.isSuspect) this.#reason = reason;
    for (const set of [this.#unflushed, this.#flushing]) {
      this.#suspect.addSet(set);
      set.clear();
    }
    for (const write of this.#underWay) {
      this.#suspect.add(write.position, write.length);
      write.overtaken = true;
    }
    if (grown) await this.changed(true);
  }

  /** Notes that the first flush of a volume that was just opened has failed: nobody knows which earlier writes are lost. */
  async failedAtOpening(reason: string): Promise<void> {
    this.restore({ reason });
    await this.changed(true);
  }

  /** Checks that nothing may be lost. @throws EIO otherwise: nothing is stable until that is mended */
  check(): void {
    if (this.isSuspect) throw systemError('EIO', 'fdatasync');
  }

  /** Forgets losses, in a range or altogether: the range is gone, or an operator says so. */
  async forget(position = 0, length = Number.POSITIVE_INFINITY): Promise<void> {
    if (!this.isSuspect) return;
    if (length === Number.POSITIVE_INFINITY && position === 0) this.#suspect.clear();
    else
      for (const [from, bytes] of this.#suspect.ranges()) if (from + bytes > position) this.#cut(from, bytes, position);
    await this.changed(false);
  }

  #cut(from: number, bytes: number, position: number): void {
    const start = Math.max(from, position);
    this.#suspect.remove(start, from + bytes - start);
  }
}
