/**
 * An open image of a Ceph cluster: all requests that librbd carries out asynchronously. A request has slots of memory outside of V8's
 * heap until librbd says that it has ended, whether its caller still waits or not. Ended requests are polled, in a turn of the event loop
 * after the image's event was raised.
 */

import { systemErrorCode } from '../errors.ts';
import { closeForeign } from '../system/descriptor.ts';
import { openEvent, type WatchedEvent, watchEvent } from '../system/eventfd.ts';
import type { ForeignCall } from '../system/ffi.ts';
import { type ForeignMemory, foreignMemory } from '../system/foreign-memory.ts';
import { until } from '../system/running-time.ts';
import { systemError } from '../system/system-error.ts';
import type { CephCluster } from './ceph-cluster.ts';
import { type Ceph, notifyByEventfd } from './librbd.ts';

/** The number of slots of an image, and the bytes of each, which are used as far as they are needed. */
const slots = 128;
const slotBytes = 128 * 1024;
/** The number of slots of one request: 4 MiB, an object of an image as they are by default. A longer range goes in several. */
const slotsMax = 32;
/** The bytes of a `struct iovec`: address and length. Each slot has room for those of a request that begins with it. */
const vectorBytes = 16;
const vectorsAt = slots * slotBytes;
const memoryBytes = vectorsAt + slots * slotsMax * vectorBytes;
/** The number of completions that are taken at one time. */
const polledMax = 128;
/** The interval of looking whether an image is open, or closed: nothing tells. */
const lookMs = 5;
/** The interval of looking for requests that librbd has refused, and may not have told of: it tells of all that it has begun. */
const sweepMs = 1000;

const wordRange = 2 ** 32;

/** Called with the result when a request of librbd has ended. */
type Ended = (result: number) => void;

export class RbdImage {
  readonly handle: number;
  readonly #rbd: Ceph['rbd'];
  readonly #memory: ForeignMemory;
  readonly #slots: readonly Uint8Array[];
  readonly #vectors: BigUint64Array;
  /** The eventfd that librbd raises. */
  readonly #event: number;
  readonly #watched: WatchedEvent;
  /** The calls for memory in one piece, and in several. */
  readonly #transfers: Readonly<Record<'read' | 'write', readonly [ForeignCall, ForeignCall]>>;
  readonly #running = new Map<number, Ended>();
  /**
   * Completions whose end the sweep has seen, and librbd has not told of. It may yet tell: its thread says that a request has ended, and
   * puts it in the queue after that. So these are not released before: a new request would have the same address, and end in its place.
   */
  readonly #untold = new Set<number>();
  readonly #free = Array.from({ length: slots }, (_, at) => slots - 1 - at);
  readonly #sweeping: NodeJS.Timeout;
  #waiting: { readonly wants: number; readonly begin: (taken: readonly number[]) => void }[] = [];
  readonly #place = new Uint32Array(2);
  readonly #polled = new Uint32Array(2 * polledMax);

  private constructor(handle: number, rbd: Ceph['rbd']) {
    this.handle = handle;
    this.#rbd = rbd;
    this.#transfers = { read: [rbd.read, rbd.readVector], write: [rbd.write, rbd.writeVector] };
    const memory = foreignMemory(memoryBytes);
    this.#memory = memory;
    this.#slots = Array.from({ length: slots }, (_, at) => new Uint8Array(memory.bytes, at * slotBytes, slotBytes));
    this.#vectors = new BigUint64Array(memory.bytes, vectorsAt);
    this.#event = openEvent();
    this.#watched = watchEvent(this.#event, () => this.#take());
    this.#sweeping = setInterval(() => this.#sweep(), sweepMs);
    this.#sweeping.unref();
  }

  /** Opens an image. @throws a system error: ENOENT when there is no such image */
  static async open(cluster: CephCluster, pool: number, name: string): Promise<RbdImage> {
    const { rbd } = cluster;
    const place = foreignMemory(BigInt64Array.BYTES_PER_ELEMENT);
    try {
      await polled(rbd, 'rbd_open', (completion) => rbd.open.now(pool, name, place.address, 0, completion));
      const image = new RbdImage(Number(new BigInt64Array(place.bytes)[0]), rbd);
      await cluster.call(rbd.notifyBy, image.handle, image.#event, notifyByEventfd);
      return image;
    } finally {
      place.release();
    }
  }

  /** The number of requests that librbd has. */
  get inFlight(): number {
    return this.#running.size;
  }

  /** Fills `into`. @throws a system error, when all parts have ended */
  read(into: Uint8Array, position: number): Promise<void> {
    return inPieces(into, (piece, at) => this.#transfer('read', piece, position + at));
  }

  /** Writes all of `from`. @throws a system error, when all parts have ended */
  write(from: Uint8Array, position: number): Promise<void> {
    return inPieces(from, (piece, at) => this.#transfer('write', piece, position + at));
  }

  async flush(): Promise<void> {
    await this.#command('rbd_flush', 0, (_taken, completion) => this.#rbd.flush.now(this.handle, completion));
  }

  async discard(position: number, length: number): Promise<void> {
    await this.#command('rbd_discard', 0, (_taken, completion) =>
      this.#rbd.discard.now(this.handle, position, length, completion),
    );
  }

  /** Writes zeros. @param flags of rbd_write_zeroes */
  async writeZeroes(position: number, length: number, flags: number): Promise<void> {
    await this.#command('rbd_write_zeroes', 0, (_taken, completion) =>
      this.#rbd.writeZeroes.now(this.handle, position, length, completion, flags, 0),
    );
  }

  /** Makes a request of a call: resolves once the request has ended. @param slotsWanted memory that `begin` is given */
  async #command(
    call: string,
    slotsWanted: number,
    begin: (taken: readonly number[], completion: number) => number,
    done: (taken: readonly number[], result: number) => void = () => {},
  ): Promise<number> {
    const result = await new Promise<number>((resolve) =>
      this.#withSlots(slotsWanted, (taken) =>
        this.#begin(
          (completion) => begin(taken, completion),
          (ended) => {
            done(taken, ended);
            this.#giveBack(taken);
            resolve(ended);
          },
        ),
      ),
    );
    if (result < 0) throw systemError(-result, call);
    return result;
  }

  /** Writes `data` if the image holds `expected`, both of which are one block of 512 bytes. @returns whether it did */
  async compareAndWrite(expected: Uint8Array, data: Uint8Array, position: number): Promise<boolean> {
    const begin = ([first = 0, second = 0]: readonly number[], completion: number) => {
      this.#slots[first]!.set(expected);
      this.#slots[second]!.set(data);
      const [old, now] = [this.#addressOf(first), this.#addressOf(second)];
      // librbd also gives the place where they differ, and version 16 gives a wrong one.
      const { compareAndWrite: call } = this.#rbd;
      return call.now(this.handle, position, data.length, old, now, completion, this.#vectorAddress(first), 0);
    };
    try {
      await this.#command('rbd_compare_and_write', 2, begin);
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'EILSEQ') return false;
      throw error;
    }
  }

  async #transfer(does: 'read' | 'write', bytes: Uint8Array, position: number): Promise<void> {
    const wants = Math.ceil(bytes.length / slotBytes);
    const [plain, vector] = this.#transfers[does];
    const begin = (taken: readonly number[], completion: number) => {
      if (does === 'write') this.#each(taken, bytes, (slot, part) => slot.set(part));
      const [first = 0] = taken;
      if (taken.length === 1) return plain.now(this.handle, position, bytes.length, this.#addressOf(first), completion);
      for (const [at, slot] of taken.entries()) {
        this.#vectors[(first * slotsMax + at) * 2] = BigInt(this.#addressOf(slot));
        this.#vectors[(first * slotsMax + at) * 2 + 1] = BigInt(Math.min(slotBytes, bytes.length - at * slotBytes));
      }
      return vector.now(this.handle, this.#vectorAddress(first), taken.length, position, completion);
    };
    const result = await this.#command(`rbd_${does}`, wants, begin, (taken, ended) => {
      if (does === 'read' && ended > 0)
        this.#each(taken, bytes, (slot, part) => part.set(slot.subarray(0, part.length)));
    });
    // The image ends before the range: it was made smaller meanwhile.
    if (does === 'read' && result !== bytes.length) throw systemError('EIO', 'rbd_read');
  }

  #each(taken: readonly number[], bytes: Uint8Array, work: (slot: Uint8Array, part: Uint8Array) => void): void {
    for (const [at, slot] of taken.entries())
      work(this.#slots[slot]!, bytes.subarray(at * slotBytes, (at + 1) * slotBytes));
  }

  #addressOf(slot: number): number {
    return this.#memory.address + slot * slotBytes;
  }

  #vectorAddress(slot: number): number {
    return this.#memory.address + vectorsAt + slot * slotsMax * vectorBytes;
  }

  /** Hands out slots in the order of asking: a request for many is not passed over by requests for few. */
  #withSlots(wants: number, begin: (taken: readonly number[]) => void): void {
    if (this.#waiting.length === 0 && this.#free.length >= wants) begin(this.#free.splice(this.#free.length - wants));
    else this.#waiting.push({ wants, begin });
  }

  #giveBack(taken: readonly number[]): void {
    this.#free.push(...taken);
    for (let [next] = this.#waiting; next && this.#free.length >= next.wants; [next] = this.#waiting) {
      this.#waiting.shift();
      next.begin(this.#free.splice(this.#free.length - next.wants));
    }
  }

  #begin(begin: (completion: number) => number, ended: Ended): void {
    const completion = newCompletion(this.#rbd, this.#place);
    if (this.#running.size === 0) this.#watched.keepAlive(true);
    this.#running.set(completion, ended);
    const refused = begin(completion);
    if (refused >= 0) return;
    // librbd has not taken the request, and says nothing more of it.
    this.#end(completion, refused);
  }

  #take(): void {
    for (;;) {
      const count = this.#rbd.poll.now(this.handle, this.#polled, polledMax);
      for (let at = 0; at < count; at += 1) {
        const completion = this.#polled[2 * at]! + this.#polled[2 * at + 1]! * wordRange;
        this.#end(completion, this.#rbd.result.now(completion));
      }
      if (count < polledMax) return;
    }
  }

  #sweep(): void {
    this.#take();
    for (const [completion, ended] of this.#running)
      if (this.#rbd.isComplete.now(completion) !== 0) {
        this.#untold.add(completion);
        this.#answer(completion, ended, this.#rbd.result.now(completion));
      }
  }

  /** Ends a request that librbd will not tell of any more. */
  #end(completion: number, result: number): void {
    const ended = this.#running.get(completion);
    if (!ended && !this.#untold.delete(completion)) return;
    this.#rbd.release.now(completion);
    if (ended) this.#answer(completion, ended, result);
  }

  #answer(completion: number, ended: Ended, result: number): void {
    this.#running.delete(completion);
    if (this.#running.size === 0) this.#watched.keepAlive(false);
    ended(result);
  }

  /** Closes the image, once no request is in flight. Resolves when librbd has closed it. */
  async close(): Promise<void> {
    // librbd frees an image some time before it is seen here to be closed: nobody may ask it for ended requests any more.
    clearInterval(this.#sweeping);
    this.#watched.close();
    await polled(this.#rbd, 'rbd_close', (completion) => this.#rbd.close.now(this.handle, completion)).finally(() => {
      for (const completion of this.#untold) this.#rbd.release.now(completion);
      closeForeign(this.#event);
      this.#memory.release();
    });
  }
}

function newCompletion(rbd: Ceph['rbd'], place: Uint32Array): number {
  const refused = rbd.completion.now(0, 0, place);
  if (refused < 0) throw systemError(-refused, 'rbd_aio_create_completion');
  const [low = 0, high = 0] = place;
  return low + high * wordRange;
}

/** Makes a request that no image's event can tell of, by polling. @throws a system error */
async function polled(rbd: Ceph['rbd'], call: string, begin: (completion: number) => number): Promise<void> {
  const completion = newCompletion(rbd, new Uint32Array(2));
  let result = begin(completion);
  if (result >= 0) {
    await until(lookMs, Number.POSITIVE_INFINITY, () => rbd.isComplete.now(completion) !== 0 || undefined);
    result = rbd.result.now(completion);
  }
  rbd.release.now(completion);
  if (result < 0) throw systemError(-result, call);
}

/** Begins the pieces one after the other at once; the first error is thrown, when all have ended. */
async function inPieces(bytes: Uint8Array, work: (piece: Uint8Array, at: number) => Promise<void>): Promise<void> {
  const most = slotsMax * slotBytes;
  if (bytes.length === 0) return;
  if (bytes.length <= most) return work(bytes, 0);
  const pieces: Promise<void>[] = [];
  for (let at = 0; at < bytes.length; at += most) pieces.push(work(bytes.subarray(at, at + most), at));
  const failed = (await Promise.allSettled(pieces)).find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}
