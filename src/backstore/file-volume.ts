/** A volume over a file descriptor, through the page cache: what fileio and block have in common. */

import { close, fstatSync } from 'node:fs';
import { promisify } from 'node:util';
import { OperatorError } from '../errors.ts';
import type { IoVector } from '../system/io-vector.ts';
import { canReadCached, isCached, isInMemory, readCached, writersAreNearThrottling } from '../system/page-cache.ts';
import { readWhole, writeWhole } from '../system/positioned-io.ts';
import { systemError } from '../system/system-error.ts';
import { type IoEnd, joinRing, leaveRing, waitingIo } from '../system/waiting-io.ts';
import type { MediumError, Snapshots, Space, Straight, Volume } from './backstore.ts';
import type { DirectFile } from './direct-file.ts';
import { FileEnd } from './file-end.ts';
import { cutShort, readWholeLater, writeAll, writeZeros } from './file-transfer.ts';
import { LendableFile } from './lendable-file.ts';
import { Pace } from './pace.ts';
import { ReadAhead } from './read-ahead.ts';

/** The longest transfer that runs on the event loop, unless the file lies in memory. */
const immediateBytesMax = 1024 * 1024;
/** The number of calls that wait elsewhere after a slow one: at first, and at most (pace.ts). */
const restMin = 8;
const restMax = 1024;
/** Such numbers after a read that the page cache could not serve: asking in vain costs 20 us, as it starts the device. */
const missRestMin = 1;
const missRestMax = 64;
/** The bytes of immediate writes after which the kernel is asked whether it is about to make writers wait. */
const bytesPerThrottleCheck = 16 * 1024 * 1024;

/** sendfile(2) is two calls for each piece of data: shorter ones are copied sooner, and mapped memory is lent sooner. */
const straightBytesMin = { copied: 16 * 1024, mapped: 64 * 1024 } as const;

const closeLater = promisify(close);

/** An open file and the abilities of its kind. Both descriptors become the volume's. */
export interface Medium
  extends Pick<
    Volume,
    'size' | 'logicalBlockSize' | 'physicalBlockSize' | 'readOnly' | 'discardGranularity' | 'rotational'
  > {
  readonly fd: number;
  /** The descriptor of the same file with O_DSYNC: a write through it is on stable storage when it returns. */
  readonly durableFd: number;
  /** Present where the file is read and written past the page cache. */
  readonly direct?: DirectFile | undefined;
  readonly discardLeavesAnything?: boolean;
  discard?(position: number, length: number): Promise<void>;
  /** Zeros a range. @returns false when the medium cannot, after all: zeros are written then */
  zero?(position: number, length: number, mayDiscard: boolean): Promise<boolean>;
  extentAt?(position: number, limit: number): Promise<{ allocated: boolean; end: number }>;
  space?(): Promise<Space>;
  readonly fullyProvisioned?: true;
  /** Snapshots of the medium. @param size bytes that the volume has now */
  snapshots?(size: () => number): Snapshots | undefined;
}

/** Calls under way since the size last changed: a new size begins a new count. */
interface InFlight {
  count: number;
  whenNone?: () => void;
}

/** A volume in a file or a block device. */
export class FileVolume implements Volume {
  size: number;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  readonly discardGranularity: number;
  readonly rotational: boolean;
  readonly discardLeavesAnything?: true;
  readonly lend?: (position: number, length: number, to: IoVector, filled?: boolean) => boolean;
  readonly discard?: (position: number, length: number) => Promise<void>;
  readonly writeZeroes?: (position: number, length: number, mayDiscard: boolean) => Promise<void>;
  readonly extentAt?: (position: number, limit: number) => Promise<{ allocated: boolean; end: number }>;
  readonly space?: () => Promise<Space>;
  readonly fullyProvisioned?: true;
  readonly snapshots?: Snapshots;
  /** A file in memory has no cache to flush: as long as the file is whole, its data is as stable as it gets. */
  readonly isFlushed?: () => boolean;

  readonly #fd: number;
  readonly #durableFd: number;
  readonly #direct: DirectFile | undefined;
  readonly #inMemory: boolean;
  /** The end of a file. A device has no end that can be cut. */
  readonly #end: FileEnd | undefined;
  /** The pages of a file in memory, where files can be mapped. */
  #pages: LendableFile | undefined;
  readonly #readsCached: boolean;
  readonly #readPace: Pace;
  readonly #ahead: ReadAhead | undefined;
  readonly #writePace = new Pace(restMin, restMax);
  #bytesUntilThrottleCheck = bytesPerThrottleCheck;
  #inFlight: InFlight = { count: 0 };
  /** Resolves when calls from before the last change of size have ended. */
  #earlier: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(medium: Medium) {
    this.size = medium.size;
    this.logicalBlockSize = medium.logicalBlockSize;
    this.physicalBlockSize = medium.physicalBlockSize;
    this.readOnly = medium.readOnly;
    this.discardGranularity = medium.discardGranularity;
    this.rotational = medium.rotational;
    this.#fd = medium.fd;
    this.#durableFd = medium.durableFd;
    this.#direct = medium.direct;
    this.#inMemory = isInMemory(medium.fd);
    this.#readsCached = !this.#inMemory && canReadCached(medium.fd);
    this.#readPace = this.#readsCached ? new Pace(missRestMin, missRestMax) : new Pace(restMin, restMax);
    if (this.#readsCached && !medium.direct)
      this.#ahead = new ReadAhead((position, length) => {
        const inFlight = this.#inFlight;
        inFlight.count += 1;
        waitingIo().fetch(this.#fd, position, length, () => endOne(inFlight));
      });
    if (fstatSync(medium.fd).isFile()) this.#end = new FileEnd(medium.fd, this.#inMemory || this.#readsCached);
    if (this.#inMemory) {
      this.isFlushed = () => !this.#closed && this.#whole() === this.size;
      this.#pages = this.#map();
    }
    if (this.#pages)
      this.lend = (position, length, to, filled = false) =>
        this.#holds(position, length) && !(filled && this.readOnly) && this.#pages?.lend(position, length, to) === true;
    const { discard, zero, extentAt, space } = medium;
    if (medium.discardLeavesAnything) this.discardLeavesAnything = true;
    if (discard)
      this.discard = (position, length) =>
        this.#run('discard', position, length, () =>
          this.#empty(position, length, async () => {
            if (length > 0) await discard(position, length);
          }),
        );
    if (zero)
      this.writeZeroes = (position, length, mayDiscard) =>
        this.#run('write', position, length, () =>
          this.#empty(position, length, async () => {
            if (length > 0 && !(await zero(position, length, mayDiscard))) await writeZeros(this.#fd, position, length);
          }),
        );
    if (extentAt)
      this.extentAt = (position, limit) =>
        this.#run('lseek', position, limit - position, () => extentAt(position, limit));
    if (medium.fullyProvisioned) this.fullyProvisioned = true;
    if (space) this.space = () => this.#run('statfs', 0, 0, space);
    const snapshots = medium.snapshots?.(() => this.size);
    if (snapshots) this.snapshots = during(snapshots, (work) => this.#run('ioctl', 0, 0, work));
    if (!this.#inMemory) joinRing();
  }

  readNow(into: Uint8Array, position: number): boolean {
    if (this.#direct || !this.#holds(position, into.length)) return false;
    if (this.#inMemory) return readWhole(this.#fd, into, position);
    if (into.length > immediateBytesMax || !this.#readPace.mayTry()) return false;
    if (this.#readsCached) {
      const cached = readCached(this.#fd, into, position);
      if (!cached) this.#readPace.slow();
      else {
        this.#readPace.quick();
        this.#ahead?.saw(position, into.length, this.size);
      }
      return cached;
    }
    const start = performance.now();
    const whole = readWhole(this.#fd, into, position);
    this.#readPace.took(performance.now() - start, into.length);
    return whole;
  }

  get straightBytesMin(): number {
    return this.#pages ? straightBytesMin.mapped : straightBytesMin.copied;
  }

  straight(position: number, length: number): Straight | undefined {
    if (length < this.straightBytesMin || this.#direct || !this.#holds(position, length)) return undefined;
    const fd = this.#fd;
    if (!this.#inMemory && !isCached(fd, position, length)) return undefined;
    this.#ahead?.saw(position, length, this.size);
    return {
      send: (to) => to.sendFile(fd, position, length),
      copy: (into, from) => readWhole(fd, into, position + from) || !into.fill(0),
    };
  }

  writeNow(from: Uint8Array, position: number, durable: boolean): boolean {
    if (this.readOnly || this.#direct || !this.#holds(position, from.length)) return false;
    this.#end?.wrote();
    // Memory is as durable as it gets; a device has to be waited for.
    if (this.#inMemory) {
      this.#pages?.written(position, from.length);
      return writeWhole(this.#fd, from, position);
    }
    if (durable || from.length > immediateBytesMax || !this.#writePace.mayTry()) return false;
    this.#bytesUntilThrottleCheck -= from.length;
    if (this.#bytesUntilThrottleCheck <= 0) {
      this.#bytesUntilThrottleCheck = bytesPerThrottleCheck;
      if (writersAreNearThrottling()) {
        this.#writePace.slow();
        return false;
      }
    }
    const start = performance.now();
    const whole = writeWhole(this.#fd, from, position);
    this.#writePace.took(performance.now() - start, from.length);
    return whole;
  }

  read(into: Uint8Array, position: number): Promise<void> {
    const refusal = this.#refusal('read', position, into.length);
    if (refusal) return Promise.reject(refusal);
    this.#ahead?.saw(position, into.length, this.size);
    const inFlight = this.#inFlight;
    inFlight.count += 1;
    // The promise is made by hand, since each further one adds to the cost of a cold read.
    return new Promise((resolve, reject) => {
      const whole = (error?: MediumError) => {
        endOne(inFlight);
        if (error) reject(error);
        else resolve();
      };
      if (this.#direct) this.#direct.read(into, position, whole);
      else readWholeLater(this.#fd, into, position, whole);
    });
  }

  write(from: Uint8Array, position: number, durable: boolean): Promise<void> {
    return this.#run('write', position, from.length, () =>
      this.#change('write', position, from.length, async () => {
        if (this.#direct) await this.#direct.write(from, position, durable);
        else await writeAll(from, position, (piece, at, ended) => this.#write(piece, at, durable, ended));
        this.#pages?.written(position, from.length);
      }),
    );
  }

  #write(from: Uint8Array, position: number, durable: boolean, ended: IoEnd): void {
    if (durable) waitingIo().writeDurably(this.#fd, this.#durableFd, from, position, ended);
    else waitingIo().write(this.#fd, from, position, ended);
  }

  flush(): Promise<void> {
    // Data behind a cut will never be there.
    return this.#run('fdatasync', 0, this.size, () => waitingIo().sync(this.#fd));
  }

  async resize(size: number): Promise<void> {
    if (this.#closed) throw systemError('EBADF', 'resize');
    const found = fstatSync(this.#fd);
    if (found.isFile() && found.size < size)
      throw replaced(`The file that is served has ${found.size} bytes, and not ${size}`);
    this.#direct?.check('The volume', size);
    this.size = size;
    this.#end?.mended();
    const pages = this.#pages;
    if (pages) this.#pages = this.#map(pages);
    const before = this.#inFlight;
    this.#inFlight = { count: 0 };
    this.#earlier = Promise.all([ended(before), this.#earlier]);
    await this.#earlier;
    pages?.close();
  }

  async close(): Promise<void> {
    if (this.#closed) throw systemError('EBADF', 'close');
    this.#closed = true;
    await Promise.all([ended(this.#inFlight), this.#earlier]);
    this.#pages?.close();
    if (!this.#inMemory) leaveRing();
    const descriptors = [this.#fd, this.#durableFd, ...(this.#direct?.descriptors ?? [])];
    await Promise.all([...new Set(descriptors)].map((fd) => closeLater(fd)));
  }

  #map(before?: LendableFile): LendableFile | undefined {
    return LendableFile.of(this.#fd, this.size, !this.readOnly, before);
  }

  /** Does work that may make holes. */
  async #empty(position: number, length: number, work: () => Promise<void>): Promise<void> {
    this.#pages?.emptying(position, length);
    try {
      await this.#change('write', position, length, () => this.#direct?.alone(position, length, work) ?? work());
    } finally {
      this.#pages?.emptied(position, length);
    }
  }

  /** Does work that makes a file longer that was cut short. */
  async #change(call: string, position: number, length: number, work: () => Promise<void>): Promise<void> {
    if (!this.#end) return work();
    const whole = await this.#end.writing(this.size, position + length, work);
    if (whole < position + length) throw cutShort(call, position, whole);
  }

  /** The position up to which the file is unharmed. */
  #whole(): number {
    return this.#end?.whole(this.size) ?? this.size;
  }

  #holds(position: number, length: number): boolean {
    return !this.#closed && position >= 0 && position + length <= this.#whole();
  }

  #refusal(call: string, position: number, length: number): NodeJS.ErrnoException | undefined {
    if (this.#closed) return systemError('EBADF', call);
    if (position < 0 || position + length > this.size) return systemError('ERANGE', call);
    const whole = this.#whole();
    return position + length > whole ? cutShort(call, position, whole) : undefined;
  }

  async #run<T>(call: string, position: number, length: number, work: () => Promise<T>): Promise<T> {
    const refusal = this.#refusal(call, position, length);
    if (refusal) throw refusal;
    const inFlight = this.#inFlight;
    inFlight.count += 1;
    try {
      return await work();
    } finally {
      endOne(inFlight);
    }
  }
}

/** Snapshots that keep the volume open while they work. */
const during = (snapshots: Snapshots, run: <T>(work: () => Promise<T>) => Promise<T>): Snapshots => ({
  list: () => run(() => snapshots.list()),
  create: (name) => run(() => snapshots.create(name)),
  remove: (name) => run(() => snapshots.remove(name)),
  rollback: (name) => run(() => snapshots.rollback(name)),
  clone: (name, config) => run(() => snapshots.clone(name, config)),
});

function endOne(inFlight: InFlight): void {
  inFlight.count -= 1;
  if (inFlight.count === 0) inFlight.whenNone?.();
}

const ended = (inFlight: InFlight): Promise<void> =>
  new Promise((resolve) => {
    if (inFlight.count === 0) resolve();
    else inFlight.whenNone = resolve;
  });

/** The error for a path that has come to mean another file than the open one. */
export const replaced = (message: string): OperatorError =>
  new OperatorError(message, 'Another one has taken its place: tcli daemon restart goes on with that one.');
