/**
 * io_uring(7): requests that have to wait for a device, handed to the kernel by one call for all of a turn of the event loop, and ended
 * without a thread that waits. Rings are shared with the kernel: their indices are read and written by Atomics alone.
 *
 *   submission entry, 32-bit words: 0 opcode 1 descriptor 2-3 position 4-5 address 6 length 7 flags 8 user data (slot)
 *   completion entry: 0 user data (slot) 2 result
 *
 * A request has a slot from its beginning until the kernel says that it has ended, and the slot has memory of its own, outside of V8's
 * heap: nobody else gets that memory before, even when the caller, or the thread, is gone.
 */

import { closeForeign } from './descriptor.ts';
import { openEvent, type WatchedEvent, watchEvent } from './eventfd.ts';
import { foreignCall, viewOf } from './ffi.ts';
import { type ForeignMemory, foreignMemory } from './foreign-memory.ts';
import { systemError } from './system-error.ts';
import { endTogether } from './turn-end.ts';

/** The number of requests that the kernel has at one time; more wait for a slot. Each slot has so much memory, used as far as it is needed. */
export const slots = 128;
export const slotBytes = 256 * 1024;
/** The number of kernel threads for requests that need one (flushes, writes that wait for one, discards): as many as Node's pool has. */
const kernelThreadsMax = 16;

/** The least number of completions that the kernel works off in one call. */
const workPerCall = 20;
/** The pause after a call for which the kernel had no memory. */
const retryMs = 1;

/** The number of the system call, the same on every architecture. */
const SYS_io_uring_setup = 425;
const SYS_io_uring_enter = 426;
const SYS_io_uring_register = 427;
/**
 * Flags of linux/io_uring.h: the completion work runs in this thread when it asks, and a flag in the ring says that there is some. Linux
 * 6.1.
 */
const IORING_SETUP_TASKRUN_FLAG = 1 << 9;
const IORING_SETUP_SINGLE_ISSUER = 1 << 12;
const IORING_SETUP_DEFER_TASKRUN = 1 << 13;
const IORING_SQ_TASKRUN = 1 << 2;
const IORING_CQ_EVENTFD_DISABLED = 1;
const IORING_ENTER_GETEVENTS = 1;
const IORING_REGISTER_EVENTFD = 4;
const IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
const IORING_OFF_SQES = 0x10000000;

/** mmap(2) */
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

/** The opcodes of linux/io_uring.h that are used here. */
export const opcode = { fsync: 3, fallocate: 17, read: 22, write: 23, fadvise: 24 } as const;
/** The advice of `fadvise` that a range will be needed. */
export const POSIX_FADV_WILLNEED = 3;
/** The flag of `fsync` that makes it fdatasync(2). */
export const IORING_FSYNC_DATASYNC = 1;

/**
 * Whether the event may be switched off for a moment. The kernel says that there is work, and then looks whether the event is wanted;
 * nothing but the order that these processors keep makes sure that one of the two sides sees the other.
 */
const canMute = process.arch === 'x64';
/** Linux 6.1 does not keep that order for what its own threads have ended: an event that got lost would be noticed by then. */
const lostEventMs = 1000;

const entryWords = 16;
const completionWords = 4;
const wordRange = 2 ** 32;
const parameterWords = 30;
/** The places in struct io_uring_params of the offsets of the two rings. */
const sqOffsets = 10;
const cqOffsets = 20;

const enterCall = foreignCall('syscall', 'int64', ['int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64']);
const setupCall = foreignCall('syscall', 'int64', ['int64', 'int64', 'void *']);
const registerCall = foreignCall('syscall', 'int64', ['int64', 'int64', 'int64', 'void *', 'int64']);
const mmapCall = foreignCall('mmap64', 'int64', ['int64', 'size_t', 'int', 'int', 'int', 'int64']);
const munmapCall = foreignCall('munmap', 'int', ['int64', 'size_t']);

/** The calls of a ring. @throws a system error where one of them cannot be had */
function ringCalls() {
  const [enter, setup, register, mmap, munmap] = [enterCall(), setupCall(), registerCall(), mmapCall(), munmapCall()];
  if (!enter || !setup || !register || !mmap || !munmap) throw systemError('ENOSYS', 'io_uring_setup');
  return { enter, setup, register, mmap, munmap };
}

/** Called in the turn in which the request ended. `memory` is the slot's, and another request's when the call returns. */
type Done = (result: number, memory: Uint8Array) => void;

/** Begins a request that waited for a slot. */
type Begin = (slot: number) => void;

interface Region {
  readonly address: number;
  readonly length: number;
}

/** The ring of one event loop. */
export class IoUring {
  readonly #calls = ringCalls();
  readonly #fd: number;
  readonly #event: number;
  readonly #watched: WatchedEvent;
  readonly #regions: readonly Region[];
  readonly #ring: Int32Array;
  readonly #entries: Uint32Array;
  readonly #memory: readonly Uint8Array[];
  readonly #address: number;
  #held: ForeignMemory | undefined;
  /** The indices into `#ring`. */
  readonly #at: Readonly<
    Record<'sqHead' | 'sqTail' | 'sqFlags' | 'cqHead' | 'cqTail' | 'cqEntries' | 'cqFlags', number>
  >;
  readonly #sqMask: number;
  readonly #cqMask: number;
  readonly #done: (Done | undefined)[] = Array(slots).fill(undefined);
  /** The free slots. The one freed last is used first, since its memory is warm. */
  readonly #free = Array.from({ length: slots }, (_, at) => slots - 1 - at);
  #waiting: Begin[] = [];
  #isScheduled = false;
  #isClosing = false;
  #retrying: NodeJS.Timeout | undefined;
  readonly #retry = () => {
    this.#retrying = undefined;
    if (this.inFlight > 0) this.#submit();
  };
  readonly #lookout: NodeJS.Timeout;
  #looking: NodeJS.Immediate | undefined;
  readonly #lookAgain = () => {
    this.#looking = undefined;
    this.look();
  };
  readonly #submit = () => {
    this.#isScheduled = false;
    this.#enter();
    this.#reap();
  };

  /** @throws a system error when the kernel, or the container of this process, does not allow a ring */
  constructor() {
    const { setup, mmap } = this.#calls;
    const parameters = new Uint32Array(parameterWords);
    parameters[2] = IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    this.#fd = checked(setup.now(SYS_io_uring_setup, slots, parameters), 'io_uring_setup');
    const regions: Region[] = [];
    const region = (length: number, flags: number, fd: number, offset: number): number => {
      const address = checked(mmap.now(0, length, PROT_READ_WRITE, flags, fd, offset), 'mmap');
      regions.push({ address, length });
      return address;
    };
    this.#regions = regions;
    try {
      const word = (at: number) => parameters[at]! / Int32Array.BYTES_PER_ELEMENT;
      const ringBytes = Math.max(
        parameters[sqOffsets + 6]! + parameters[0]! * Int32Array.BYTES_PER_ELEMENT,
        parameters[cqOffsets + 5]! + parameters[1]! * completionWords * Int32Array.BYTES_PER_ELEMENT,
      );
      this.#ring = new Int32Array(viewOf(region(ringBytes, MAP_SHARED_POPULATE, this.#fd, 0), ringBytes));
      const entriesBytes = slots * entryWords * Uint32Array.BYTES_PER_ELEMENT;
      const entries = region(entriesBytes, MAP_SHARED_POPULATE, this.#fd, IORING_OFF_SQES);
      this.#entries = new Uint32Array(viewOf(entries, entriesBytes));
      this.#at = {
        sqHead: word(sqOffsets),
        sqTail: word(sqOffsets + 1),
        sqFlags: word(sqOffsets + 4),
        cqHead: word(cqOffsets),
        cqTail: word(cqOffsets + 1),
        cqEntries: word(cqOffsets + 5),
        cqFlags: word(cqOffsets + 6),
      };
      this.#sqMask = this.#ring[word(sqOffsets + 2)]!;
      this.#cqMask = this.#ring[word(cqOffsets + 2)]!;
      // The ring's entries are used in their order.
      for (let at = 0; at < slots; at += 1) this.#ring[word(sqOffsets + 6) + at] = at;
      const memory = foreignMemory(slots * slotBytes);
      this.#held = memory;
      this.#address = memory.address;
      this.#memory = Array.from({ length: slots }, (_, at) => new Uint8Array(memory.bytes, at * slotBytes, slotBytes));
      this.#event = openEvent();
    } catch (error) {
      this.#release();
      throw error;
    }
    let watched: WatchedEvent | undefined;
    try {
      watched = watchEvent(this.#event, () => void this.look());
      this.#register(IORING_REGISTER_EVENTFD, Int32Array.of(this.#event));
      this.#register(IORING_REGISTER_IOWQ_MAX_WORKERS, Int32Array.of(kernelThreadsMax, 0));
    } catch (error) {
      watched?.close();
      closeForeign(this.#event);
      this.#release();
      throw error;
    }
    this.#watched = watched;
    this.#lookout = setInterval(() => this.look(), lostEventMs).unref();
  }

  #register(what: number, values: Int32Array): void {
    checked(
      this.#calls.register.now(SYS_io_uring_register, this.#fd, what, values, values.length),
      'io_uring_register',
    );
  }

  /** The number of requests that have a slot. */
  get inFlight(): number {
    return slots - this.#free.length;
  }

  /**
   * Begins a request on memory of the ring's own, now or when there is a slot.
   * @param fill puts the bytes to be written into the slot's memory
   */
  transfer(
    code: number,
    fd: number,
    length: number,
    position: number,
    done: Done,
    fill?: (memory: Uint8Array) => void,
  ) {
    this.#withSlot((slot) => {
      fill?.(this.#memory[slot]!);
      this.#begin(slot, code, fd, this.#address + slot * slotBytes, length, position, 0, done);
    });
  }

  /** Begins a request without memory; its opcode gives `address`, `length` and `flags` their meaning. */
  command(code: number, fd: number, address: number, length: number, position: number, flags: number, done: Done) {
    this.#withSlot((slot) => this.#begin(slot, code, fd, address, length, position, flags, done));
  }

  #withSlot(begin: Begin): void {
    const slot = this.#free.pop();
    if (slot === undefined) this.#waiting.push(begin);
    else begin(slot);
  }

  #begin(
    slot: number,
    code: number,
    fd: number,
    address: number,
    length: number,
    position: number,
    flags: number,
    done: Done,
  ): void {
    if (this.inFlight === 1) this.#watched.keepAlive(true);
    this.#done[slot] = done;
    const { sqTail } = this.#at;
    const tail = this.#ring[sqTail]!;
    const at = (tail & this.#sqMask) * entryWords;
    const entry = this.#entries;
    entry[at] = code;
    entry[at + 1] = fd;
    entry[at + 2] = position;
    entry[at + 3] = position / wordRange;
    entry[at + 4] = address;
    entry[at + 5] = address / wordRange;
    entry[at + 6] = length;
    entry[at + 7] = flags;
    entry[at + 8] = slot;
    Atomics.store(this.#ring, sqTail, (tail + 1) | 0);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(this.#submit);
  }

  /** The number of requests that were begun and not handed to the kernel, which takes entries in `#enter` alone. */
  get #begun(): number {
    return (this.#ring[this.#at.sqTail]! - Atomics.load(this.#ring, this.#at.sqHead)) | 0;
  }

  /** Whether the device has ended something, so that the kernel has a part of it to do, in this thread. */
  get #hasWork(): boolean {
    return (Atomics.load(this.#ring, this.#at.sqFlags) & IORING_SQ_TASKRUN) !== 0;
  }

  /** Hands begun requests to the kernel, and lets it do its part. */
  #enter(): void {
    const ring = this.#ring;
    const { sqFlags, cqFlags } = this.#at;
    let calls = Math.ceil(this.inFlight / workPerCall);
    // The completions of these calls are taken next: an event for them would cost a turn of the event loop.
    if (canMute) Atomics.store(ring, cqFlags, IORING_CQ_EVENTFD_DISABLED);
    do {
      // The kernel leaves the flag when it finds no work: it sets the flag behind the work, which may be done by then.
      Atomics.and(ring, sqFlags, ~IORING_SQ_TASKRUN);
      this.#calls.enter.now(SYS_io_uring_enter, this.#fd, this.#begun, 0, IORING_ENTER_GETEVENTS, 0, 0);
      calls -= 1;
    } while (this.#hasWork && calls > 0);
    if (canMute) Atomics.store(ring, cqFlags, 0);
    // Nobody tells of work that is left; and the kernel had no memory for entries that it did not take.
    if (this.#begun > 0) this.#retrying ??= setTimeout(this.#retry, retryMs);
    else if (this.#hasWork) this.#looking ??= setImmediate(this.#lookAgain);
  }

  /** Takes completions. @returns whether there were any */
  #reap(): boolean {
    const { cqHead, cqTail, cqEntries } = this.#at;
    const ring = this.#ring;
    const first = ring[cqHead]!;
    if (first !== Atomics.load(ring, cqTail)) endTogether();
    // A caller that is told of its end may look in turn.
    for (let head = first; head !== Atomics.load(ring, cqTail); head = ring[cqHead]!) {
      const at = cqEntries + (head & this.#cqMask) * completionWords;
      const slot = ring[at]!;
      const result = ring[at + 2]!;
      Atomics.store(ring, cqHead, (head + 1) | 0);
      const done = this.#done[slot]!;
      this.#done[slot] = undefined;
      done(result, this.#memory[slot]!);
      const next = this.#waiting.shift();
      if (next) next(slot);
      else this.#free.push(slot);
    }
    if (ring[cqHead]! === first) return false;
    if (this.inFlight > 0) return true;
    this.#watched.keepAlive(false);
    if (this.#isClosing) this.#close();
    return true;
  }

  /** Looks, without waiting and without a call when there is nothing, whether something has ended. @returns whether it has */
  look(): boolean {
    if (this.inFlight === 0) return false;
    const { cqHead, cqTail } = this.#at;
    if (this.#hasWork || this.#begun > 0) this.#enter();
    else if (Atomics.load(this.#ring, cqTail) === this.#ring[cqHead]!) return false;
    return this.#reap();
  }

  /** Frees everything, when the requests in flight have ended; no more may be begun. */
  close(): void {
    if (this.inFlight === 0) this.#close();
    else this.#isClosing = true;
  }

  #close(): void {
    clearTimeout(this.#retrying);
    clearInterval(this.#lookout);
    clearImmediate(this.#looking);
    this.#watched.close();
    closeForeign(this.#event);
    this.#release();
  }

  #release(): void {
    closeForeign(this.#fd);
    for (const { address, length } of this.#regions) this.#calls.munmap.now(address, length);
    this.#held?.release();
  }
}

function checked(result: number, call: string): number {
  if (result < 0) throw systemError(-result, call);
  return result;
}
