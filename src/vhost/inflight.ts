/**
 * The record of the requests of a queue that are in flight, written where a crash of this process leaves it: memory that the front-end
 * keeps for us (QEMU, docs/interop/vhost-user.rst, "Inflight I/O tracking", split virtqueues). The next process runs those requests
 * again.
 */

import { mapShared, type SharedMemory } from '../system/shared-memory.ts';
import type { InflightDescription } from '../wire/vhost-user.ts';
import { queueSizeMax, queuesMax } from './limits.ts';

/**
 * The head of a queue's part: features, version, number of descriptors, head of the last batch, used index; behind it is a state for each
 * descriptor.
 */
const headBytes = 16;
const at = { version: 8, size: 10, lastBatch: 12, usedIndex: 14 } as const;
/** A descriptor's state: in flight, the next of its batch, and the time at which it was taken. */
const stateBytes = 16;
const state = { inFlight: 0, next: 6, counter: 8 } as const;
const version = 1;

/** The alignment of parts: a line of the cache. */
const alignment = 64;

const partBytes = (queueSize: number): number =>
  Math.ceil((headBytes + queueSize * stateBytes) / alignment) * alignment;

/** The bytes for so many queues; undefined where a device cannot have them. */
export const inflightMemoryBytes = ({ queues, queueSize }: InflightDescription): number | undefined =>
  queues === 0 || queues > queuesMax || queueSize === 0 || queueSize > queueSizeMax
    ? undefined
    : queues * partBytes(queueSize);

/** The memory for all queues of a device, mapped. */
export class InflightMemory {
  readonly #description: InflightDescription;
  readonly #shared: SharedMemory;

  private constructor(description: InflightDescription, shared: SharedMemory) {
    this.#description = description;
    this.#shared = shared;
  }

  /** Maps the memory. Undefined when it does not fit. @param fd stays open @throws a system error */
  static of(description: InflightDescription, fd: number): InflightMemory | undefined {
    const { bytes, offset } = description;
    const needed = inflightMemoryBytes(description);
    if (needed === undefined || needed > bytes || offset % alignment !== 0) return undefined;
    return Number.isSafeInteger(offset + bytes)
      ? new InflightMemory(description, mapShared(fd, offset + bytes))
      : undefined;
  }

  /** The part of a queue, if there is one. */
  partOf(ring: number, size: number): Inflight | undefined {
    const { offset, queues, queueSize } = this.#description;
    if (ring >= queues || size > queueSize) return undefined;
    return new Inflight(this.#shared.bytes, offset + ring * partBytes(queueSize), size);
  }

  unmap(): void {
    this.#shared.unmap();
  }
}

/** The record of one queue. */
export class Inflight {
  readonly #view: DataView;
  readonly #size: number;
  /** The heads that are used, and not published yet. */
  readonly #batch: number[] = [];
  #counter = 0n;

  /** @param bytes the memory, zeros when it is new @param offset of the queue's part in it */
  constructor(bytes: ArrayBuffer, offset: number, size: number) {
    this.#view = new DataView(bytes, offset, headBytes + size * stateBytes);
    this.#size = size;
  }

  /**
   * Begins, or goes on where another process ended.
   * @param usedIndex of the ring
   * @returns the heads that were in flight, in the order in which they were taken
   */
  begin(usedIndex: number): number[] {
    const view = this.#view;
    if (view.getUint16(at.version, true) !== version) {
      view.setUint16(at.version, version, true);
      view.setUint16(at.size, this.#size, true);
      view.setUint16(at.usedIndex, usedIndex, true);
      return [];
    }
    // The last batch was published, and not all of it was struck off.
    const published = (usedIndex - view.getUint16(at.usedIndex, true)) & 0xffff;
    let head = view.getUint16(at.lastBatch, true);
    for (let i = 0; i < Math.min(published, this.#size) && head < this.#size; i += 1) {
      this.#strike(head);
      head = view.getUint16(this.#at(head) + state.next, true);
    }
    view.setUint16(at.usedIndex, usedIndex, true);
    const heads = Array.from({ length: this.#size }, (_, i) => i).filter((one) => this.#isInFlight(one));
    const counterOf = (one: number) => view.getBigUint64(this.#at(one) + state.counter, true);
    heads.sort((a, b) => (counterOf(a) < counterOf(b) ? -1 : 1));
    for (const one of heads) if (counterOf(one) >= this.#counter) this.#counter = counterOf(one) + 1n;
    return heads;
  }

  taken(head: number): void {
    this.#view.setBigUint64(this.#at(head) + state.counter, this.#counter, true);
    this.#counter += 1n;
    this.#view.setUint8(this.#at(head) + state.inFlight, 1);
  }

  /** Notes that the request of `head` is used; it will be published with the next used index. */
  used(head: number): void {
    this.#view.setUint16(this.#at(head) + state.next, this.#view.getUint16(at.lastBatch, true), true);
    this.#view.setUint16(at.lastBatch, head, true);
    this.#batch.push(head);
  }

  published(usedIndex: number): void {
    for (const head of this.#batch) this.#strike(head);
    this.#batch.length = 0;
    this.#view.setUint16(at.usedIndex, usedIndex, true);
  }

  #at(head: number): number {
    return headBytes + head * stateBytes;
  }

  #isInFlight(head: number): boolean {
    return this.#view.getUint8(this.#at(head) + state.inFlight) === 1;
  }

  #strike(head: number): void {
    this.#view.setUint8(this.#at(head) + state.inFlight, 0);
  }
}
