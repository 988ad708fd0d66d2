/**
 * A split virtqueue as its device sees it (VIRTIO 1.2 clause 2.7), with indirect descriptors and event indices. All of it lies in the
 * guest's memory, and the guest may write whatever it likes there: each word is read once, and checked before use.
 */

import { raiseEvent } from '../system/eventfd.ts';
import type { GuestMemory, MemoryRegion } from './guest-memory.ts';
import type { Inflight } from './inflight.ts';
import { ChainRequest, type ChainShape } from './request.ts';

/** The guest has written something impossible: its device ends. */
class RingError extends Error {}

/** The bytes of a struct virtq_desc: address, length, flags, next. */
const descriptorBytes = 16;
const descriptorWords = 4;
const flag = { next: 1, write: 2, indirect: 4 } as const;
/** The bytes of the flags, and of the index, that both rings begin with; at their end is the index of the next wanted event. */
const ringHead = 2;
const elementBytes = 8;
const noInterrupt = 1;
const noNotify = 1;
const wordRange = 2 ** 32;
const indexMask = 0xffff;

/** The parts of a ring, by the front-end's addresses. */
export interface RingAddresses {
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
}

/** The place of a queue, and the entry at which it goes on. */
export interface RingOptions {
  readonly size: number;
  readonly addresses: RingAddresses;
  /** The next entry of the available ring. */
  readonly base: number;
  readonly eventIndex: boolean;
  readonly indirect: boolean;
  readonly shape: ChainShape;
}

/** One queue. */
export class VirtQueue {
  readonly size: number;
  /** The eventfd that notifies the guest; -1 while there is none. */
  call = -1;
  inflight: Inflight | undefined;
  readonly #options: RingOptions;
  #memory: GuestMemory;
  #descriptors!: Uint32Array;
  #available!: Uint16Array;
  #usedIndex!: Uint16Array;
  #usedElements!: Uint32Array;
  #next: number;
  /** The number of used requests, and the number that the guest sees. */
  #used: number;
  #published: number;
  /** Entries that another process took and did not use, in their order. */
  #again: number[] = [];
  readonly #requests: (ChainRequest | undefined)[];
  /** The number of requests that were taken and are not used. */
  #busy = 0;
  #idle: (() => void)[] = [];
  /** Whether the device is over and the memory may be gone: requests still under way do not look at the ring then. */
  #isAbandoned = false;

  /** @throws RingError when a part does not lie in the memory */
  constructor(memory: GuestMemory, options: RingOptions) {
    this.#options = options;
    this.size = options.size;
    this.#memory = memory;
    this.relocate(memory);
    this.#next = options.base & indexMask;
    this.#used = Atomics.load(this.#usedIndex, 1);
    this.#published = this.#used;
    this.#requests = new Array(options.size);
  }

  /** Follows a change of the guest's memory. @throws RingError */
  relocate(memory: GuestMemory): void {
    const { size, addresses } = this.#options;
    const part = (user: number, bytes: number, alignment: number): { region: MemoryRegion; at: number } => {
      const found = memory.findByUser(user, bytes);
      if (!found) throw new RingError('a part of a ring lies outside of the memory');
      if (found.at % alignment !== 0) throw new RingError('a part of a ring is not aligned');
      return found;
    };
    const descriptors = part(addresses.descriptors, size * descriptorBytes, descriptorBytes);
    const available = part(addresses.available, 2 * (ringHead + size + 1), 2);
    const used = part(addresses.used, 2 * (ringHead + 1) + size * elementBytes, 4);
    this.#memory = memory;
    this.#descriptors = new Uint32Array(descriptors.region.bytes, descriptors.at, size * descriptorWords);
    this.#available = new Uint16Array(available.region.bytes, available.at, ringHead + size + 1);
    this.#usedIndex = new Uint16Array(used.region.bytes, used.at, ringHead + 1 + (size * elementBytes) / 2);
    this.#usedElements = new Uint32Array(used.region.bytes, used.at, 1 + (size * elementBytes) / 4);
  }

  /** Keeps the record of requests in flight, and takes those again that another process did not end. */
  track(inflight: Inflight): void {
    this.inflight = inflight;
    this.#again = inflight.begin(this.#used);
    if (this.#again.length > 0) this.#next = (this.#used + this.#again.length) & indexMask;
  }

  /** The next entry of the available ring: no entry from it on was taken. */
  get next(): number {
    return this.#next;
  }

  get memory(): GuestMemory {
    return this.#memory;
  }

  /** Requests that are in flight. */
  *busy(): IterableIterator<ChainRequest> {
    for (const request of this.#requests) if (request?.isBusy) yield request;
  }

  get isIdle(): boolean {
    return this.#busy === 0;
  }

  /** Resolves when nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#busy > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Whether a chain waits to be taken. */
  get hasMore(): boolean {
    return this.#again.length > 0 || Atomics.load(this.#available, 1) !== this.#next;
  }

  /** Takes the next chain. @throws RingError */
  take(): ChainRequest | undefined {
    if (this.#isAbandoned) return undefined;
    let head = this.#again.shift();
    if (head === undefined) {
      const waiting = (Atomics.load(this.#available, 1) - this.#next) & indexMask;
      if (waiting === 0) return undefined;
      if (waiting > this.size) throw new RingError('the available index has run away');
      head = this.#available[ringHead + (this.#next % this.size)]!;
      this.#next = (this.#next + 1) & indexMask;
    }
    if (head >= this.size) throw new RingError('a chain begins outside of the table');
    const request = this.#requests[head] ?? new ChainRequest(head, this.#options.shape);
    this.#requests[head] = request;
    if (request.isBusy) throw new RingError('a chain was made available twice');
    request.begin();
    this.#busy += 1;
    this.inflight?.taken(head);
    this.#walk(request);
    return request;
  }

  #walk(request: ChainRequest): void {
    const words = this.#descriptors;
    const { size } = this;
    const { responseBytes } = this.#options.shape;
    let writable = false;
    let index = request.head;
    for (let steps = 0; ; steps += 1) {
      if (index >= size || steps >= size) throw new RingError('a chain leaves its table, or has no end');
      const at = index * descriptorWords;
      const address = words[at]! + words[at + 1]! * wordRange;
      const length = words[at + 2]!;
      const last = words[at + 3]!;
      if ((last & flag.indirect) !== 0) {
        if (!this.#options.indirect || (last & flag.next) !== 0)
          throw new RingError('an indirect descriptor where none may be');
        this.#walkIndirect(request, address, length, writable);
        return;
      }
      writable = this.#add(request, address, length, (last & flag.write) !== 0, writable, responseBytes);
      if ((last & flag.next) === 0) return;
      index = last >>> 16;
    }
  }

  #walkIndirect(request: ChainRequest, address: number, length: number, wasWritable: boolean): void {
    const { responseBytes } = this.#options.shape;
    const count = length / descriptorBytes;
    if (!Number.isInteger(count) || count === 0 || count > this.size)
      throw new RingError('an indirect table that cannot be');
    const region = this.#memory.find(address, length);
    if (!region) throw new RingError('an indirect table outside of the memory');
    const { data } = region;
    const start = region.offset + address - region.guest;
    let writable = wasWritable;
    let index = 0;
    for (let steps = 0; ; steps += 1) {
      if (index >= count || steps >= count) throw new RingError('a chain leaves its table, or has no end');
      const at = start + index * descriptorBytes;
      const flags = data.getUint16(at + 12, true);
      if ((flags & flag.indirect) !== 0) throw new RingError('an indirect table in another');
      const piece = data.getUint32(at, true) + data.getUint32(at + 4, true) * wordRange;
      const bytes = data.getUint32(at + 8, true);
      writable = this.#add(request, piece, bytes, (flags & flag.write) !== 0, writable, responseBytes);
      if ((flags & flag.next) === 0) return;
      index = data.getUint16(at + 14, true);
    }
  }

  /** Adds a descriptor's piece. @returns whether the following ones have to be writable (2.7.4.2: readable descriptors come first) */
  #add(
    request: ChainRequest,
    address: number,
    length: number,
    writes: boolean,
    wasWritable: boolean,
    responseBytes: number,
  ): boolean {
    if (wasWritable && !writes) throw new RingError('a readable descriptor behind a writable one');
    if (length === 0) return writes;
    const region = this.#memory.find(address, length);
    if (!region) throw new RingError('a descriptor outside of the memory');
    const at = region.offset + address - region.guest;
    if (writes) request.addWritable(region, at, length, responseBytes);
    else request.addReadable(region, at, length);
    return writes;
  }

  /** Uses a request that is done, with `written` bytes of its writable part: `publish` shows it to the guest. */
  use(request: ChainRequest, written: number): void {
    if (!this.#isAbandoned) this.#put(request.head, written);
    request.end();
    this.#busy -= 1;
    if (this.#busy > 0 || this.#idle.length === 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resume of waiting) resume();
  }

  #put(head: number, written: number): void {
    const slot = 1 + 2 * (this.#used % this.size);
    this.#usedElements[slot] = head;
    this.#usedElements[slot + 1] = written;
    this.#used = (this.#used + 1) & indexMask;
    this.inflight?.used(head);
  }

  /** Abandons the queue, because the device is over. Requests in flight end, and are used where nobody sees it. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Shows the guest the used requests, and notifies it if it wants that. */
  publish(): void {
    const before = this.#published;
    if (this.#used === before || this.#isAbandoned) return;
    this.#published = this.#used;
    Atomics.store(this.#usedIndex, 1, this.#used);
    this.inflight?.published(this.#used);
    if (this.call < 0) return;
    const isWanted = this.#options.eventIndex
      ? ((this.#used - Atomics.load(this.#available, ringHead + this.size) - 1) & indexMask) <
        ((this.#used - before) & indexMask)
      : (Atomics.load(this.#available, 0) & noInterrupt) === 0;
    if (isWanted) raiseEvent(this.call);
  }

  /** Says that kicks are not needed for now. */
  quiet(): void {
    if (!this.#options.eventIndex && !this.#isAbandoned) Atomics.store(this.#usedIndex, 0, noNotify);
  }

  /** Says that kicks are wanted again. @returns whether a request came meanwhile */
  listen(): boolean {
    if (this.#isAbandoned) return false;
    if (this.#options.eventIndex) Atomics.store(this.#usedIndex, ringHead + (this.size * elementBytes) / 2, this.#next);
    else Atomics.store(this.#usedIndex, 0, 0);
    return this.hasMore;
  }
}
