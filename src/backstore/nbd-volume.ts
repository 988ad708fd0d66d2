/** A volume that an NBD server has. The server may go and come back: what it has not answered is asked again. */

import { OperatorError, wholeReasonOf } from '../errors.ts';
import { systemError } from '../system/system-error.ts';
import { ChannelEnded } from '../wire/byte-channel.ts';
import { commandFlag, commands, exportFlag } from '../wire/nbd.ts';
import type { Trouble, Volume } from './backstore.ts';
import type { NbdConnection, NbdExtent, NbdRequest } from './nbd-connection.ts';
import { beginPatience, within } from './patience.ts';
import { Unflushed, unflushedBytesMax } from './unflushed.ts';

/** Connections to a server for which all of them are one. */
const connectionsMax = 4;
/** How long a request waits for a server that is gone unless something else is said, and how long between two looks for it. */
const absenceMs = 30_000;
/** How long the end of a volume waits for what is in flight. */
const closeMs = 5_000;
const retryMsMin = 50;
const retryMsMax = 1000;
/** Bytes in one TRIM, WRITE ZEROES or BLOCK STATUS. */
const rangeBytesMax = 1024 * 1024 * 1024;

/**
 * @param connect opens one more connection
 * @param size bytes of the export that are used
 * @param patienceMs how long a request waits for a server that is gone
 */
export async function openNbdVolume(
  connect: () => Promise<NbdConnection>,
  size: number,
  patienceMs = absenceMs,
): Promise<Volume> {
  const first = await connect();
  if (first.terms.size < size) {
    first.disconnect();
    throw new OperatorError(
      `The export has ${first.terms.size} bytes, ${size} are wanted`,
      'Give the size that it has, or a smaller one.',
    );
  }
  return new NbdVolume(connect, first, size, patienceMs);
}

/** The server is gone, until `over`; whoever waits for it has waited long enough with `tooLong`. */
interface Absence {
  readonly since: Date;
  reason: string;
  readonly tooLong: Promise<'late'>;
  over: Promise<void>;
}

class NbdVolume implements Volume {
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  readonly discardGranularity: number;
  /** TRIM promises nothing about what is read later. */
  readonly discardLeavesAnything = true as const;
  readonly rotational: boolean;
  readonly discard?: (position: number, length: number) => Promise<void>;
  readonly writeZeroes?: (position: number, length: number, mayDiscard: boolean) => Promise<void>;
  readonly extentAt?: (position: number, limit: number) => Promise<{ allocated: boolean; end: number }>;
  readonly #connect: () => Promise<NbdConnection>;
  readonly #patienceMs: number;
  readonly #flags: number;
  readonly #payloadMax: number;
  readonly #unflushed = new Unflushed();
  #connections: NbdConnection[] = [];
  /** While the server is gone. */
  #absence: Absence | undefined;
  #told: () => void = () => {};
  #flushing: Promise<void> | undefined;
  /** Why a flush failed that was ours alone: the next one that is asked for says it. */
  #flushFailure: { readonly error: unknown } | undefined;
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;
  /** Resolves when nothing is wanted of the server any more. */
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;

  constructor(connect: () => Promise<NbdConnection>, first: NbdConnection, size: number, patienceMs: number) {
    const { flags, minimumBlock, maximumPayload, allocationId } = first.terms;
    this.size = size;
    this.logicalBlockSize = Math.max(512, minimumBlock);
    this.physicalBlockSize = Math.max(512, minimumBlock);
    this.readOnly = (flags & exportFlag.readOnly) !== 0;
    this.discardGranularity = Math.max(512, minimumBlock);
    this.rotational = (flags & exportFlag.rotational) !== 0;
    this.#connect = connect;
    this.#patienceMs = patienceMs;
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
    this.#join(first);
    void this.#joinMore();
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    await this.#tracked('read', position, into.length, () =>
      this.#pieces(position, into.length, this.#payloadMax, async (offset, length) => {
        const part = into.subarray(offset - position, offset - position + length);
        await this.#ask({ type: commands.read, flags: 0, offset, length, into: part });
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
    return this.#absence;
  }

  watch(told: () => void): void {
    this.#told = told;
  }

  flush(): Promise<void> {
    return this.#tracked('flush', 0, 0, async () => {
      const failure = this.#flushFailure;
      this.#flushFailure = undefined;
      await this.#flush();
      if (failure) throw failure.error;
    });
  }

  async #extent(position: number, limit: number): Promise<{ allocated: boolean; end: number }> {
    const length = Math.min(limit - position, rangeBytesMax);
    const extents = await this.#ask({ type: commands.blockStatus, flags: 0, offset: position, length });
    const hole = extents[0]?.hole ?? false;
    let end = position;
    for (const extent of extents) {
      if (extent.hole !== hole) break;
      end += extent.length;
    }
    return { allocated: !hole, end: end > position ? Math.min(end, limit) : limit };
  }

  async close(): Promise<void> {
    this.#refuse('close', 0, 0);
    this.#closed = true;
    await within(closeMs, Promise.allSettled(this.#running));
    this.#isOver = true;
    this.#over.resolve();
    const connections = this.#connections;
    this.#connections = [];
    for (const connection of connections) connection.disconnect();
    await Promise.all(connections.map(({ closed }) => closed));
  }

  #fua(durable: boolean): number {
    return durable && (this.#flags & exportFlag.fua) !== 0 ? commandFlag.fua : 0;
  }

  async #clear(type: number, flags: number, position: number, length: number): Promise<void> {
    await this.#pieces(position, length, rangeBytesMax, (offset, bytes) =>
      this.#change({ type, flags, offset, length: bytes }, false),
    );
  }

  /** Something that a server with a cache may forget again until it flushes. */
  async #change(request: NbdRequest, durable: boolean): Promise<void> {
    if (this.#unflushed.bytes > unflushedBytesMax) await this.#relieve();
    await this.#ask(request);
    if ((this.#flags & exportFlag.flush) === 0) return;
    // What is durable is kept only behind what is not: sent again alone, the older would undo it.
    if (durable && this.#unflushed.bytes === 0) return;
    this.#unflushed.add(request);
  }

  /** A flush of our own, as too much is kept. What it fails for concerns whoever has written, not this change alone. */
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
    await this.#ask({ type: commands.flush, flags: 0, offset: 0, length: 0 });
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

  /** Asks until there is an answer, of whatever connection. @throws a system error; EIO when the server does not come back */
  async #ask(request: NbdRequest): Promise<NbdExtent[]> {
    for (;;) {
      const connection = await this.#usable();
      try {
        return await connection.send(request);
      } catch (error) {
        if (!(error instanceof ChannelEnded)) throw error;
        this.#lose(connection, error.message);
      }
    }
  }

  async #usable(): Promise<NbdConnection> {
    while (this.#absence) {
      const { over, tooLong } = this.#absence;
      const outcome = await Promise.race([over, tooLong, this.#over.promise.then(() => 'late')]);
      // Not EIO: what was not flushed is kept, and sent to the server that comes back.
      if (outcome === 'late') throw systemError('ETIMEDOUT', 'nbd');
    }
    if (this.#connections.length === 0) throw systemError('ETIMEDOUT', 'nbd');
    return this.#connections.reduce((least, one) => (one.load < least.load ? one : least));
  }

  #join(connection: NbdConnection): void {
    this.#connections.push(connection);
    void connection.closed.then((why) => this.#lose(connection, why));
  }

  /** More connections where they are one to the server; what cannot be had is not missed. */
  async #joinMore(): Promise<void> {
    if ((this.#flags & exportFlag.multiConn) === 0) return;
    const [first] = this.#connections;
    for (let count = 1; count < connectionsMax; count += 1) {
      const more = await this.#connect().catch(() => undefined);
      if (!more) return;
      if (this.#closed || first === undefined || !this.#connections.includes(first)) return more.disconnect();
      this.#join(more);
    }
  }

  /** One is lost, so none is believed: the server may be another one. */
  #lose(connection: NbdConnection, why: string): void {
    if (!this.#connections.includes(connection)) return;
    const lost = this.#connections;
    this.#connections = [];
    for (const one of lost) one.destroy();
    const { promise: tooLong, resolve } = Promise.withResolvers<'late'>();
    const patience = beginPatience(this.#patienceMs, { owed: () => true, heard: () => 0, lost: () => resolve('late') });
    const absence: Absence = { since: new Date(), reason: why, tooLong, over: Promise.resolve() };
    absence.over = this.#return(absence).finally(() => {
      patience.end();
      if (this.#absence === absence) this.#absence = undefined;
      this.#told();
    });
    this.#absence = absence;
    this.#told();
  }

  /** Resolves when the server is back and has what its predecessor may have forgotten. Goes on until the volume is closed. */
  async #return(absence: Absence): Promise<void> {
    for (let pause = retryMsMin; !this.#isOver; pause = Math.min(2 * pause, retryMsMax)) {
      try {
        const connection = await this.#connect();
        if (this.#isOver) return connection.disconnect();
        await this.#remind(connection);
        if (this.#isOver) return;
        this.#join(connection);
        void this.#joinMore();
        return;
      } catch (error) {
        const reason = wholeReasonOf(error);
        const isNews = reason !== absence.reason;
        absence.reason = reason;
        if (isNews) this.#told();
      }
      await within(pause, this.#over.promise);
    }
  }

  /** @throws when it is not the server that there was, or goes away again */
  async #remind(connection: NbdConnection): Promise<void> {
    const { size, flags, minimumBlock } = connection.terms;
    try {
      if (size < this.size) throw new OperatorError(`the export has ${size} bytes now, ${this.size} are wanted`);
      if ((flags & exportFlag.readOnly) !== 0 && !this.readOnly) throw new OperatorError('the export is read-only now');
      if (minimumBlock > this.logicalBlockSize)
        throw new OperatorError(`blocks have ${minimumBlock} bytes now, not ${this.logicalBlockSize}`);
      for (const request of this.#unflushed) await connection.send(request);
    } catch (error) {
      connection.destroy();
      throw error;
    }
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
