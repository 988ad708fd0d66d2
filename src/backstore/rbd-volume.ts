/**
 * A volume that is an image of a Ceph cluster, under its exclusive lock for as long as it is open. When the lock is lost, or the cluster
 * has shut us out, another process has the image: nothing more is sent to it, and it is not opened again by itself.
 */

import { OperatorError, systemErrorCode } from '../errors.ts';
import { runningMs } from '../system/running-time.ts';
import { systemError } from '../system/system-error.ts';
import type { Claim, Snapshots, Space, Trouble, Volume } from './backstore.ts';
import { type CephAddress, type CephCluster, joinCluster } from './ceph-cluster.ts';
import { imageInfoBytes, thick } from './librbd.ts';
import { within } from './patience.ts';
import { nameOfImage, type RbdAddress } from './rbd-address.ts';
import { RbdImage } from './rbd-image.ts';
import { holdsLock, takeLock } from './rbd-lock.ts';
import { imageSnapshots } from './rbd-snapshots.ts';
import { spaceOfImage } from './rbd-space.ts';

/** The time after which an opening, and the end of a volume, is reported as unanswered. */
const openMs = 15_000;
const closeMs = 8_000;
/** The interval of looking whether the lock is still ours, and how large the image is. */
const lookMs = 5_000;
/** The interval of looking whether earlier owners are shut out still: an operator may have let them in. */
const shutOutLookMs = 60_000;
/** The silence after which a cluster is in trouble. */
const silenceMs = 10_000;
/** The smallest piece in which a discard frees space, as OSDs allocate it. */
const discardBytes = 64 * 1024;
const blockBytes = 512;

/** The error of a client that the cluster has shut out, or that has lost the lock. */
const shutOut = 'ESHUTDOWN';
const lockLost = 'EROFS';

/** Attempts to open an image that nobody waits for any more, by their addresses: the next attempt begins when they have ended. */
const late = new Map<string, Promise<unknown>>();

/** Opens an image under its lock. @param size bytes of it that are used @throws OperatorError, or a system error */
export async function openRbdVolume(address: RbdAddress, size: number, claim: Claim): Promise<Volume> {
  const key = JSON.stringify(address);
  const before = late.get(key);
  if (before && (await within(openMs, before))) throw notAnswering(address);
  const opening = open(address, size, claim);
  if (!(await within(openMs, opening))) return opening;
  const ended = opening.then((volume) => volume.close()).catch(() => {});
  late.set(key, ended);
  void ended.then(() => late.delete(key));
  throw notAnswering(address);
}

const notAnswering = (address: RbdAddress) =>
  new OperatorError(
    `The Ceph cluster has not answered about the image ${nameOfImage(address)} for ${openMs / 1000} s`,
    'It is tried again. ceph -s shows what the cluster lacks.',
  );

/** Runs `work` with a connection, and once more with a new one where the cluster has shut out the first. */
export async function withCluster<T>(address: CephAddress, work: (cluster: CephCluster) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const cluster = await joinCluster(address);
    try {
      return await work(cluster);
    } catch (error) {
      cluster.leave();
      if (systemErrorCode(error) !== shutOut || attempt === 2) throw error;
      cluster.shutOut();
    }
  }
}

/** Opens an image, without its lock. @throws OperatorError when there is none of that name */
export async function openImage(cluster: CephCluster, address: RbdAddress): Promise<RbdImage> {
  const { pool, namespace, image } = address;
  const place = await cluster.pool(pool, namespace);
  try {
    return await RbdImage.open(cluster, place, image);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    const where = namespace === undefined ? pool : `${pool}/${namespace}`;
    throw new OperatorError(`There is no image ${nameOfImage(address)}`, `rbd ls ${where} shows which there are.`);
  }
}

const open = (address: RbdAddress, size: number, claim: Claim): Promise<Volume> =>
  withCluster(address, async (cluster) => {
    const image = await openImage(cluster, address);
    try {
      const { bytes, objectBytes } = await shapeOf(cluster, image);
      if (bytes < size)
        throw new OperatorError(
          `The image ${nameOfImage(address)} has ${bytes} bytes, ${size} are wanted`,
          'Give the size that it has, or a smaller one.',
        );
      await takeLock(cluster, image, address, claim);
      return new RbdVolume({ cluster, image, address, claim, size, bytes, objectBytes });
    } catch (error) {
      await image
        .close()
        .then(() => claim.keep(undefined))
        .catch(() => {});
      throw error;
    }
  });

/** The size of an image, and of its objects. */
export async function shapeOf(cluster: CephCluster, image: RbdImage): Promise<{ bytes: number; objectBytes: number }> {
  const info = new BigUint64Array(imageInfoBytes / BigUint64Array.BYTES_PER_ELEMENT);
  await cluster.call(cluster.rbd.stat, image.handle, info, imageInfoBytes);
  return { bytes: Number(info[0]), objectBytes: Number(info[1]) };
}

interface Opened {
  readonly cluster: CephCluster;
  readonly image: RbdImage;
  readonly address: RbdAddress;
  readonly claim: Claim;
  /** The bytes that are used, and those that the image has. */
  readonly size: number;
  readonly bytes: number;
  readonly objectBytes: number;
}

class RbdVolume implements Volume {
  readonly logicalBlockSize = blockBytes;
  readonly physicalBlockSize = 4096;
  readonly readOnly = false;
  readonly discardGranularity: number;
  readonly rotational = false;
  readonly client: string;
  readonly snapshots: Snapshots;
  readonly #cluster: CephCluster;
  readonly #image: RbdImage;
  readonly #address: RbdAddress;
  readonly #claim: Claim;
  readonly #objectBytes: number;
  readonly #isWhole: boolean;
  #size: number;
  /** The bytes of the image, at the last look. */
  #bytes: number;
  /** The size that the last look has seen. */
  #seen: number | undefined;
  #trouble: Trouble | undefined;
  #told: () => void = () => {};
  /** The look under way, and its beginning. */
  #look: { readonly since: number; readonly at: Date } | undefined;
  readonly #looking: NodeJS.Timeout;
  readonly #running = new Set<Promise<unknown>>();
  /** When it was seen last that earlier owners are shut out. */
  #shutOutAt = runningMs();
  #closed = false;

  constructor({ cluster, image, address, claim, size, bytes, objectBytes }: Opened) {
    this.#cluster = cluster;
    this.#image = image;
    this.#address = address;
    this.#claim = claim;
    this.#size = size;
    this.#bytes = bytes;
    this.#isWhole = size === bytes - (bytes % blockBytes);
    this.#objectBytes = objectBytes;
    this.client = cluster.client;
    this.snapshots = imageSnapshots(cluster, image, address, (work) => this.#tracked('snapshot', 0, 0, work));
    this.discardGranularity = Math.min(discardBytes, objectBytes);
    this.#looking = setInterval(() => this.#lookAgain(), lookMs);
    this.#looking.unref();
  }

  get size(): number {
    return this.#size;
  }

  /** The size in bytes of an image that is used as a whole. */
  get found(): number {
    return this.#isWhole ? this.#bytes - (this.#bytes % blockBytes) : this.#size;
  }

  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  watch(told: () => void): void {
    this.#told = told;
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return this.#tracked('read', position, into.length, () => this.#image.read(into, position));
  }

  /** Every write that librbd has acknowledged is on the OSDs, also without a flush. */
  isFlushed(): boolean {
    return true;
  }

  write(from: Uint8Array, position: number): Promise<void> {
    return this.#tracked('write', position, from.length, () => this.#image.write(from, position));
  }

  flush(): Promise<void> {
    return this.#tracked('flush', 0, 0, () => this.#image.flush());
  }

  async discard(position: number, length: number): Promise<void> {
    if (length > 0) await this.#tracked('discard', position, length, () => this.#image.discard(position, length));
  }

  async writeZeroes(position: number, length: number, mayDiscard: boolean): Promise<void> {
    const flags = mayDiscard ? 0 : thick;
    if (length > 0)
      await this.#tracked('write', position, length, () => this.#image.writeZeroes(position, length, flags));
  }

  /** Librbd refuses more than a block (EINVAL). */
  canCompareAndWrite(position: number, length: number): boolean {
    return length === blockBytes && position % blockBytes === 0;
  }

  compareAndWrite(expected: Uint8Array, data: Uint8Array, position: number): Promise<boolean> {
    return this.#tracked('write', position, data.length, () => this.#image.compareAndWrite(expected, data, position));
  }

  space(): Promise<Space> {
    return this.#tracked('space', 0, 0, () =>
      spaceOfImage(this.#cluster, this.#image, this.#address, this.#bytes, this.#objectBytes),
    );
  }

  async resize(size: number): Promise<void> {
    const isLess = size < this.#size;
    this.#size = size;
    if (isLess) await Promise.allSettled(this.#running);
    const { bytes } = await shapeOf(this.#cluster, this.#image);
    this.#bytes = bytes;
    if (bytes < size) throw new OperatorError(`The image has ${bytes} bytes, ${size} are wanted`);
  }

  async close(): Promise<void> {
    this.#refuse('close', 0, 0);
    this.#closed = true;
    clearInterval(this.#looking);
    const closing = Promise.allSettled(this.#running)
      .then(() => this.#image.close())
      // An image from which we are shut out is closed all the same.
      .catch(() => {})
      .then(() => this.#claim.keep(undefined))
      .catch(() => {})
      .then(() => this.#cluster.leave());
    await within(closeMs, closing);
  }

  #lookAgain(): void {
    if (this.#trouble?.isOver) return;
    if (!this.#look) {
      this.#look = { since: runningMs(), at: new Date() };
      const looking = this.#lookOnce().finally(() => {
        this.#look = undefined;
        this.#running.delete(looking);
      });
      this.#running.add(looking);
    } else if (runningMs() - this.#look.since >= silenceMs && !this.#trouble) {
      this.#say({ since: this.#look.at, reason: 'the Ceph cluster does not answer; what is asked of it waits' });
    }
  }

  async #lookOnce(): Promise<void> {
    const { shutOut = [] } = this.#claim;
    try {
      if (runningMs() - this.#shutOutAt > shutOutLookMs) {
        await this.#cluster.shutOutOthers(shutOut);
        this.#shutOutAt = runningMs();
      }
      if (!(await holdsLock(this.#cluster, this.#image))) return this.#lose('another client has its exclusive lock');
      const { bytes } = await shapeOf(this.#cluster, this.#image);
      // A size that we change ourselves is news only at the next look.
      const isNews = bytes !== this.#bytes && bytes === this.#seen;
      this.#seen = bytes;
      if (isNews) this.#bytes = bytes;
      if (this.#trouble && !this.#trouble.isOver) this.#say(undefined);
      else if (isNews) this.#told();
    } catch (error) {
      this.#judge(error);
    }
  }

  #say(trouble: Trouble | undefined): void {
    this.#trouble = trouble;
    this.#told();
  }

  /** Judges an error. @returns whether the error says that the image is not ours any more */
  #judge(error: unknown): boolean {
    const code = systemErrorCode(error);
    if (code === shutOut) {
      this.#cluster.shutOut();
      this.#lose('the Ceph cluster has shut out this client, so another gateway serves it now');
    } else if (code === lockLost) this.#lose('another client has its exclusive lock');
    return code === shutOut || code === lockLost;
  }

  #lose(reason: string): void {
    if (this.#trouble?.isOver) return;
    const hint = 'It is not served here until you say so: reopen';
    this.#say({ since: new Date(), reason: `${reason}. ${hint}`, isOver: true });
  }

  async #tracked<T>(call: string, position: number, length: number, work: () => Promise<T>): Promise<T> {
    this.#refuse(call, position, length);
    const running = work();
    this.#running.add(running);
    try {
      const done = await running;
      // The request ended, but perhaps at the image of another process.
      if (this.#trouble?.isOver) throw systemError('ENODEV', call);
      return done;
    } catch (error) {
      if (this.#judge(error)) throw systemError('ENODEV', call);
      // The image was made smaller, and the storage object has not followed yet.
      throw systemErrorCode(error) === 'EINVAL' ? systemError('ERANGE', call) : error;
    } finally {
      this.#running.delete(running);
    }
  }

  #refuse(call: string, position: number, length: number): void {
    if (this.#closed) throw systemError('EBADF', call);
    if (this.#trouble?.isOver && call !== 'close') throw systemError('ENODEV', call);
    if (position < 0 || position + length > this.#size) throw systemError('ERANGE', call);
  }
}
