/**
 * A volume in front of another, of whatever kind, that keeps a record of writes that are not flushed, and answers for the medium by it.
 * Nothing counts as stable as long as an acknowledged write may be lost.
 */

import { reasonOf, systemErrorCode } from '../errors.ts';
import type { IoVector } from '../system/io-vector.ts';
import type { Snapshots, Space, Straight, Trouble, Volume } from './backstore.ts';
import type { WriteRecord } from './write-record.ts';

/** The errors of a flush that nobody carried out: the medium is as it was. */
const unanswered: readonly (string | undefined)[] = ['EBADF', 'ETIMEDOUT'];

/** Puts a record in front of `inner`. A volume in memory has no other medium, and a SCSI device answers for itself: those stay as they are. */
export function recorded(inner: Volume, record: WriteRecord): Volume {
  return inner.isFlushed || inner.passThrough ? inner : new RecordedVolume(inner, record);
}

/**
 * Puts a record in front of a volume that was just opened. Earlier writers may have left data in a cache: that is brought to the medium
 * first, so that the record is complete from the beginning.
 */
export async function recordedAtOpening(inner: Volume, record: WriteRecord): Promise<Volume> {
  const volume = recorded(inner, record);
  if (volume === inner || inner.readOnly) return volume;
  try {
    await inner.flush();
  } catch (error) {
    if (!unanswered.includes(systemErrorCode(error))) await record.failedAtOpening(reasonOf(error));
  }
  return volume;
}

class RecordedVolume implements Volume {
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  readonly discardGranularity: number;
  readonly rotational: boolean;
  readonly discardLeavesAnything?: true;
  readonly atomicWriteBytesMax?: number;
  readonly space?: () => Promise<Space>;
  readonly fullyProvisioned?: true;
  readonly readNow?: (into: Uint8Array, position: number) => boolean;
  readonly lend?: (position: number, length: number, to: IoVector, filled?: boolean) => boolean;
  readonly straight?: (position: number, length: number) => Straight | undefined;
  readonly straightBytesMin?: number;
  readonly writeNow?: (from: Uint8Array, position: number, durable: boolean) => boolean;
  readonly discard?: (position: number, length: number) => Promise<void>;
  readonly writeZeroes?: (position: number, length: number, mayDiscard: boolean) => Promise<void>;
  readonly extentAt?: (position: number, limit: number) => Promise<{ allocated: boolean; end: number }>;
  readonly resize?: (size: number) => Promise<void>;
  readonly cut?: () => void;
  readonly watch?: (told: () => void) => void;
  readonly snapshots?: Snapshots;
  readonly client?: string;
  readonly #inner: Volume;
  readonly #record: WriteRecord;
  /** The flush under way; it never rejects. */
  #flushing: Promise<unknown> | undefined;
  /** The flush after it, for all callers since it began. */
  #next: Promise<void> | undefined;

  constructor(inner: Volume, record: WriteRecord) {
    this.#inner = inner;
    this.#record = record;
    this.logicalBlockSize = inner.logicalBlockSize;
    this.physicalBlockSize = inner.physicalBlockSize;
    this.readOnly = inner.readOnly;
    this.discardGranularity = inner.discardGranularity;
    this.rotational = inner.rotational;
    if (inner.discardLeavesAnything) this.discardLeavesAnything = true;
    if (inner.atomicWriteBytesMax !== undefined) this.atomicWriteBytesMax = inner.atomicWriteBytesMax;
    if (inner.fullyProvisioned) this.fullyProvisioned = true;
    if (inner.space) this.space = inner.space.bind(inner);
    if (inner.readNow) this.readNow = inner.readNow.bind(inner);
    if (inner.straight) this.straight = inner.straight.bind(inner);
    if (inner.straightBytesMin !== undefined) this.straightBytesMin = inner.straightBytesMin;
    if (inner.extentAt) this.extentAt = inner.extentAt.bind(inner);
    if (inner.resize) this.resize = inner.resize.bind(inner);
    inner.watchLosses?.((reason) => void record.failed(reason));
    if (inner.client !== undefined) this.client = inner.client;
    if (inner.watch) this.watch = inner.watch.bind(inner);
    const { snapshots } = inner;
    if (snapshots)
      this.snapshots = {
        list: () => snapshots.list(),
        create: (name) => snapshots.create(name),
        remove: (name) => snapshots.remove(name),
        clone: (name, config) => snapshots.clone(name, config),
        // Lost writes are not missed after a rollback: all of the volume is what it was, and stable.
        rollback: (name) => snapshots.rollback(name).then(() => record.forget()),
      };
    if (inner.lend)
      this.lend = (position, length, to, filled = false) => {
        if (!inner.lend?.(position, length, to, filled)) return false;
        if (filled) record.wrote(position, length);
        return true;
      };
    if (inner.writeNow)
      this.writeNow = (from, position, durable) => {
        if ((durable && record.isSuspect) || !inner.writeNow?.(from, position, durable)) return false;
        if (!durable) record.wrote(position, from.length);
        return true;
      };
    if (inner.discard)
      this.discard = (position, length) => this.#during(position, length, () => inner.discard!(position, length));
    if (inner.writeZeroes)
      this.writeZeroes = (position, length, mayDiscard) =>
        this.#during(position, length, () => inner.writeZeroes!(position, length, mayDiscard));
    if (inner.cut)
      this.cut = () => {
        inner.cut?.();
        void record.forget(inner.size);
      };
  }

  get trouble(): Trouble | undefined {
    return this.#inner.trouble;
  }

  get size(): number {
    return this.#inner.size;
  }

  get found(): number | undefined {
    return this.#inner.found;
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return this.#inner.read(into, position);
  }

  write(from: Uint8Array, position: number, durable: boolean): Promise<void> {
    return durable
      ? this.#writeDurably(from, position)
      : this.#during(position, from.length, () => this.#inner.write(from, position, false));
  }

  isFlushed(position: number, length: number): boolean {
    return this.#record.isFlushed(position, length);
  }

  /** Flushes. A flush under way does not cover writes since it began: callers that come then share the next one. */
  flush(): Promise<void> {
    this.#next ??= this.#turn();
    return this.#next;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #turn(): Promise<void> {
    await this.#flushing;
    this.#next = undefined;
    const outcome = this.#flush();
    this.#flushing = outcome.catch(() => {});
    return outcome;
  }

  async #flush(): Promise<void> {
    this.#record.flushBegins();
    try {
      await this.#inner.flush();
    } catch (error) {
      if (unanswered.includes(systemErrorCode(error))) this.#record.unanswered();
      else await this.#record.failed(reasonOf(error));
      throw error;
    }
    await this.#record.flushed();
    this.#record.check();
  }

  async #writeDurably(from: Uint8Array, position: number): Promise<void> {
    const write = this.#record.beginDurable(position, from.length);
    try {
      await this.#inner.write(from, position, true);
    } catch (error) {
      await this.#record.endDurable(write, false);
      // Either the medium has refused this write alone, or it has lost others as well. Where the error does not say which (no space, no
      // such place …), a flush does.
      if (systemErrorCode(error) === 'EIO') await this.#record.failed(reasonOf(error));
      else await this.flush().catch(() => {});
      throw error;
    }
    await this.#record.endDurable(write, true);
    this.#record.check();
  }

  async #during(position: number, length: number, work: () => Promise<void>): Promise<void> {
    const write = this.#record.begin(position, length);
    try {
      await work();
    } finally {
      this.#record.end(write);
    }
  }
}
