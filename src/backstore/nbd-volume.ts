/**
 * A volume that an NBD server has. The server may go and come back. Reads are asked again; writes that were not flushed, or not answered,
 * are sent again only where it is proven that the medium is as it was: another client may have written to it meanwhile, and its data are
 * newer. Otherwise such writes count as lost, and the loss is reported.
 */

import { OperatorError } from '../errors.ts';
import { systemError } from '../system/system-error.ts';
import { commandFlag, commands, exportFlag } from '../wire/nbd.ts';
import type { Trouble, Volume } from './backstore.ts';
import type { NbdConnection, NbdRequest } from './nbd-connection.ts';
import { NbdConnections, type NbdReturn, type NbdSource } from './nbd-connections.ts';
import { within } from './patience.ts';
import { Unflushed, unflushedBytesMax } from './unflushed.ts';

/** The time that the end of a volume waits for I/O in flight. */
const closeMs = 5_000;
/** The bytes of one TRIM, WRITE ZEROES or BLOCK STATUS. */
const rangeBytesMax = 1024 * 1024 * 1024;

/**
 * Opens a volume. @param size bytes of the export that are used
 * @param patienceMs the time that a request waits for a server that is gone
 */
export async function openNbdVolume(source: NbdSource, size: number, patienceMs?: number): Promise<NbdVolume> {
  const first = await source.connect();
  if (first.terms.size < size) {
    first.disconnect();
    throw new OperatorError(
      `The export has ${first.terms.size} bytes, ${size} are wanted`,
      'Give the size that it has, or a smaller one.',
    );
  }
  return new NbdVolume(source, first, size, patienceMs);
}

/** A volume that an NBD server has. */
export class NbdVolume implements Volume {
  /** The size; the code that makes the export larger or smaller sets it. */
  size: number;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  readonly discardGranularity: number;
  /** TRIM promises nothing about later reads. */
  readonly discardLeavesAnything = true as const;
  readonly rotational: boolean;
  readonly discard?: (position: number, length: number) => Promise<void>;
  readonly writeZeroes?: (position: number, length: number, mayDiscard: boolean) => Promise<void>;
  readonly extentAt?: (position: number, limit: number) => Promise<{ allocated: boolean; end: number }>;
  readonly #server: NbdConnections;
  readonly #flags: number;
  readonly #payloadMax: number;
  readonly #unflushed = new Unflushed();
  #lostWrites: (reason: string) => void = () => {};
  /** The number of times that writes were lost. */
  #losses = 0;
  #flushing: Promise<void> | undefined;
  /** The failure of a flush that was ours alone, which the next flush that is asked for reports. */
  #flushFailure: { readonly error: unknown } | undefined;
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(source: NbdSource, first: NbdConnection, size: number, patienceMs?: number) {
    const { flags, minimumBlock, maximumPayload, allocationId } = first.terms;
    this.size = size;
    this.logicalBlockSize = Math.max(512, minimumBlock);
    this.physicalBlockSize = Math.max(512, minimumBlock);
    this.readOnly = (flags & exportFlag.readOnly) !== 0;
    this.discardGranularity = Math.max(512, minimumBlock);
    this.rotational = (flags & exportFlag.rotational) !== 0;
    this.#flags = flags;
    this.#payloadMax = Math.floor(maximumPayload / this.logicalBlockSize) * this.logicalBlockSize;
    if ((flags & exportFlag.trim) !== 0)
      this.discard = (position, length) =>
        this.#tracked('discard', position, length, () => this.#clear(commands.trim, 0, position, length));
    if ((flags & exportFlag.writeZeroes) !== 0)
      this.writeZeroes = (position, length, mayDiscard) => {
        const flag = mayDiscard ? 0 : commandFlag.noHole;
        return this.#tracked('write', position, length, () =>
          this.#clear(commands.writeZeroes, flag, position, length),
        );
      };
    if (allocationId !== undefined)
      this.extentAt = (position, limit) => this.#tracked('lseek', position, 0, () => this.#extent(position, limit));
    this.#server = new NbdConnections(source, first, (back) => this.#takeBack(back), patienceMs);
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    await this.#tracked('read', position, into.length, () =>
      this.#pieces(position, into.length, this.#payloadMax, async (offset, length) => {
        const part = into.subarray(offset - position, offset - position + length);
        await this.#server.ask({ type: commands.read, flags: 0, offset, length, into: part });
      }),
    );
  }

  async write(from: Uint8Array, position: number, durable: boolean): Promise<void> {
    await this.#tracked('write', position, from.length, async () => {
      await this.#pieces(position, from.length, this.#payloadMax, (offset, length) => {
        const data = from.subarray(offset - position, offset - position + length);
        return this.#change({ type: commands.write, flags: this.#fua(durable), offset, length, data }, durable);
      });
      if (durable && this.#fua(durable) === 0) await this.#flush();
    });
  }

  get trouble(): Trouble | undefined {
    return this.#server.trouble;
  }

  watch(told: () => void): void {
    this.#server.told = told;
  }

  watchLosses(lost: (reason: string) => void): void {
    this.#lostWrites = lost;
  }

  flush(): Promise<void> {
    return this.#tracked('flush', 0, 0, async () => {
      const [outcome] = await Promise.allSettled([this.#flush()]);
      const failure = this.#flushFailure;
      this.#flushFailure = undefined;
      if (failure) throw failure.error;
      if (outcome.status === 'rejected') throw outcome.reason;
    });
  }

  async #extent(position: number, limit: number): Promise<{ allocated: boolean; end: number }> {
    const length = Math.min(limit - position, rangeBytesMax);
    const extents = await this.#server.ask({ type: commands.blockStatus, flags: 0, offset: position, length });
    const hole = extents[0]?.hole ?? false;
    let end = position;
    for (const extent of extents) {
      if (extent.hole !== hole) break;
      end += extent.length;
    }
    return { allocated: !hole, end: end > position ? Math.min(end, limit) : limit };
  }

  /** The bytes of the export. */
  get exportSize(): number {
    return this.#server.size;
  }

  /** Does work while nobody is connected, as `NbdConnections` does; all earlier writes are flushed first. */
  async whileAway(reason: string, work: () => Promise<void>): Promise<void> {
    await this.#flush();
    await this.#server.whileAway(reason, work);
  }

  /** Resolves when no request from before the last change of size goes on. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async close(): Promise<void> {
    this.#refuse('close', 0, 0);
    this.#closed = true;
    await within(closeMs, Promise.allSettled(this.#running));
    await this.#server.end();
  }

  #fua(durable: boolean): number {
    return durable && (this.#flags & exportFlag.fua) !== 0 ? commandFlag.fua : 0;
  }

  async #clear(type: number, flags: number, position: number, length: number): Promise<void> {
    await this.#pieces(position, length, rangeBytesMax, (offset, bytes) =>
      this.#change({ type, flags, offset, length: bytes }, false),
    );
  }

  /** Sends a request whose effect a server with a cache may forget again until it flushes. */
  async #change(request: NbdRequest, durable: boolean): Promise<void> {
    if (this.#unflushed.bytes > unflushedBytesMax) await this.#relieve();
    await this.#server.ask(request);
    if ((this.#flags & exportFlag.flush) === 0) return;
    // A durable request is kept only behind requests that are not durable: sent again alone, the older ones would undo it.
    if (durable && this.#unflushed.bytes === 0) return;
    this.#unflushed.add(request);
  }

  /** Flushes because too much is kept. A failure concerns all writers, not this change alone. */
  #relieve(): Promise<void> {
    this.#flushing ??= this.#flush()
      .catch((error: unknown) => {
        this.#flushFailure ??= { error };
        throw error;
      })
      .finally(() => {
        this.#flushing = undefined;
      });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    if ((this.#flags & exportFlag.flush) === 0) return;
    const position = this.#unflushed.end;
    const losses = this.#losses;
    await this.#server.ask({ type: commands.flush, flags: 0, offset: 0, length: 0 });
    // The server that flushed is not the one that took the writes.
    if (this.#losses !== losses) throw systemError('EIO', 'nbd');
    this.#unflushed.forget(position);
  }

  async #pieces(
    position: number,
    length: number,
    most: number,
    work: (offset: number, length: number) => Promise<void>,
  ): Promise<void> {
    if (length <= most) return length > 0 ? work(position, length) : undefined;
    for (let done = 0; done < length; done += most) await work(position + done, Math.min(most, length - done));
  }

  /** Takes back a server. @throws when it is not the server that there was, or goes away again */
  async #takeBack({ connection, isSame, isUnchanged, reason }: NbdReturn): Promise<void> {
    const { size, flags, minimumBlock } = connection.terms;
    if (size < this.size) throw new OperatorError(`the export has ${size} bytes now, ${this.size} are wanted`);
    if ((flags & exportFlag.readOnly) !== 0 && !this.readOnly) throw new OperatorError('the export is read-only now');
    if (minimumBlock > this.logicalBlockSize)
      throw new OperatorError(`blocks have ${minimumBlock} bytes now, not ${this.logicalBlockSize}`);
    if (isSame) return;
    if (isUnchanged) for (const request of this.#unflushed) await connection.send(request);
    else this.#lose(reason);
  }

  /** Gives up writes that were not flushed: they may be on the medium, or not, and are not sent again. */
  #lose(why: string): void {
    if (this.#unflushed.bytes === 0) return;
    this.#unflushed.forget(this.#unflushed.end);
    this.#losses += 1;
    this.#flushFailure ??= { error: systemError('EIO', 'nbd') };
    this.#lostWrites(`the server went away before it had flushed, and somebody else may have written since (${why})`);
  }

  async #tracked<T>(call: string, position: number, length: number, work: () => Promise<T>): Promise<T> {
    this.#refuse(call, position, length);
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  #refuse(call: string, position: number, length: number): void {
    if (this.#closed) throw systemError('EBADF', call);
    if (position < 0 || position + length > this.size) throw systemError('ERANGE', call);
  }
}
