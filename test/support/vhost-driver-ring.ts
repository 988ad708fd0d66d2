/** A split virtqueue as its driver sees it (VIRTIO 1.2 clause 2.7), in memory that the test shares. */

import { closeForeign } from '../../src/system/descriptor.ts';
import { openEvent, raiseEvent, type WatchedEvent, watchEvent } from '../../src/system/eventfd.ts';

/** Where the guest has the memory. */
export const guestAddress = 0x1_0000_0000;
/** Each ring has this much of the memory, then come the buffers. */
export const ringBytes = 64 * 1024;

export interface Piece {
  readonly at: number;
  readonly length: number;
  readonly writes?: boolean;
}

/** A ring as its driver sees it. */
export class DriverRing {
  readonly number: number;
  readonly size: number;
  readonly kick = openEvent();
  readonly call = openEvent();
  readonly offset: number;
  readonly #memory: Buffer;
  #available = 0;
  #seen = 0;
  #free: number[];
  readonly #chains = new Map<number, { heads: number[]; resolve: (written: number) => void }>();
  readonly #watched: WatchedEvent;
  indirect = false;
  calls = 0;

  constructor(memory: Buffer, number: number, size: number) {
    this.number = number;
    this.size = size;
    this.offset = number * ringBytes;
    this.#memory = memory;
    this.#free = Array.from({ length: size }, (_, i) => i);
    this.#watched = watchEvent(this.call, () => {
      this.calls += 1;
      this.collect();
    });
  }

  /** The places of the parts, in the memory. */
  get descriptors(): number {
    return this.offset;
  }
  get availableRing(): number {
    return this.offset + this.size * 16;
  }
  get usedRing(): number {
    return this.offset + this.size * 16 + 6 + 2 * this.size + ((4 - ((6 + 2 * this.size) % 4)) % 4);
  }
  get usedIndex(): number {
    return this.#memory.readUInt16LE(this.usedRing + 2);
  }

  /** Whether so many descriptors are free. */
  hasRoom(descriptors: number): boolean {
    return this.#free.length >= descriptors;
  }

  writeDescriptor(table: number, index: number, piece: Piece, flags: number, next: number): void {
    const at = table + index * 16;
    this.#memory.writeBigUInt64LE(BigInt(guestAddress + piece.at), at);
    this.#memory.writeUInt32LE(piece.length, at + 8);
    this.#memory.writeUInt16LE(flags | (piece.writes ? 2 : 0), at + 12);
    this.#memory.writeUInt16LE(next, at + 14);
  }

  /** Makes a chain available without a kick. @returns what resolves with the bytes that were written */
  add(pieces: readonly Piece[], table?: number): Promise<number> {
    const heads = this.#free.splice(0, table === undefined ? pieces.length : 1);
    if (table !== undefined) {
      for (const [i, piece] of pieces.entries())
        this.writeDescriptor(table, i, piece, i + 1 < pieces.length ? 1 : 0, i + 1);
      this.writeDescriptor(this.descriptors, heads[0]!, { at: table, length: 16 * pieces.length }, 4, 0);
    } else
      for (const [i, piece] of pieces.entries())
        this.writeDescriptor(this.descriptors, heads[i]!, piece, i + 1 < pieces.length ? 1 : 0, heads[i + 1] ?? 0);
    const done = new Promise<number>((resolve) => this.#chains.set(heads[0]!, { heads, resolve }));
    this.publish(heads[0]!);
    return done;
  }

  publish(head: number): void {
    this.#memory.writeUInt16LE(head, this.availableRing + 4 + 2 * (this.#available % this.size));
    this.#available = (this.#available + 1) & 0xffff;
    this.#memory.writeUInt16LE(this.#available, this.availableRing + 2);
  }

  setAvailable(index: number): void {
    this.#memory.writeUInt16LE(index, this.availableRing + 2);
  }

  kickNow(): void {
    raiseEvent(this.kick);
  }

  /** Takes what is used. */
  collect(): void {
    while (this.#seen !== this.usedIndex) {
      const at = this.usedRing + 4 + 8 * (this.#seen % this.size);
      const head = this.#memory.readUInt32LE(at);
      this.#seen = (this.#seen + 1) & 0xffff;
      const chain = this.#chains.get(head);
      // A test may have made it available by hand.
      if (!chain) continue;
      this.#chains.delete(head);
      this.#free.push(...chain.heads);
      chain.resolve(this.#memory.readUInt32LE(at + 4));
    }
    // VIRTIO 1.2 2.7.7.2: the next used entry is wanted.
    this.#memory.writeUInt16LE(this.#seen, this.availableRing + 4 + 2 * this.size);
  }

  /** The memory is new: nothing is in flight. */
  clear(): void {
    this.#available = 0;
    this.#seen = 0;
    this.#free = Array.from({ length: this.size }, (_, i) => i);
    this.#chains.clear();
    this.#memory.fill(0, this.offset, this.offset + ringBytes);
  }

  close(): void {
    this.#watched.close();
    closeForeign(this.kick);
    closeForeign(this.call);
  }
}
