/** Output that gathers until it is sent: bytes in a slab, and between them memory that volumes lend. */

import type { Volume } from '../backstore/backstore.ts';
import { addressNumber, IoVector } from '../system/io-vector.ts';
import type { DirectSocket } from '../system/socket-io.ts';
import { flushBytesMax, segmentBytesMax } from './limits.ts';

/** The length of a slab: a batch that is not yet due, and behind it the longest PDU. */
const slabBytes = flushBytesMax + segmentBytesMax + 4096;
/** The number of slabs that are kept for the next batch; the slab used last is used first, while it is in the cache. */
const slabsKept = 16;
/** The size of a page; a loan has no more pieces than pages. */
const pageBytes = 4096;

export interface Slab {
  readonly bytes: Uint8Array;
  /** The address of the slab's first byte; 0 until it is needed. */
  address: number;
}

const noSlab: Slab = { bytes: new Uint8Array(), address: 0 };
const slabs: Slab[] = [];

/** Takes back a slab that nobody reads any more. */
export function keepSlab(slab: Slab): void {
  if (slabs.length < slabsKept) slabs.push(slab);
}

/** A range of a volume, behind the first `behind` bytes of the slab. */
interface Loan {
  behind: number;
  volume: Volume;
  position: number;
  length: number;
}

/**
 * The memory that volumes lend to a batch. A batch with loans is sent before its thread does anything else: so only one
 * batch has loans at a time, and nobody has to count them.
 */
const loans: Loan[] = [];
let loanCount = 0;
let vector: IoVector | undefined;
let borrower: Batch | undefined;

/** The output of one connection until it is sent. */
export class Batch {
  #slab = noSlab;
  #end = 0;
  /** The number of bytes of the slab that stand in the vector already. */
  #listed = 0;
  #lentBytes = 0;

  /** The slab that is written to. */
  get bytes(): Uint8Array {
    return this.#slab.bytes;
  }

  /** The place of the next byte. */
  get end(): number {
    return this.#end;
  }

  /** The number of bytes, lent ones included. */
  get length(): number {
    return this.#end + this.#lentBytes;
  }

  hasRoom(length: number): boolean {
    return this.#slab.bytes.length - this.#end >= length;
  }

  /** Gives an empty batch a slab. */
  open(): void {
    if (this.#slab === noSlab) this.#slab = slabs.pop() ?? newSlab();
  }

  commit(length: number): void {
    this.#end += length;
  }

  /**
   * Puts a range of a volume behind the `header` bytes that are committed next.
   * @returns false when it has to be copied
   */
  lend(volume: Volume, position: number, length: number, header: number): boolean {
    if (!volume.lend) return false;
    if (borrower && borrower !== this) return false;
    vector ??= new IoVector();
    if (!vector.takes(2 + Math.ceil(length / pageBytes))) return false;
    this.#slab.address ||= addressNumber(this.bytes);
    const behind = this.#end + header;
    vector.add(this.#slab.address + this.#listed, behind - this.#listed);
    if (!volume.lend(position, length, vector)) {
      vector.undo();
      return false;
    }
    borrower = this;
    this.#listed = behind;
    this.#lentBytes += length;
    if (loanCount === loans.length) loans.push({ behind, volume, position, length });
    const loan = loans[loanCount]!;
    loan.behind = behind;
    loan.volume = volume;
    loan.position = position;
    loan.length = length;
    loanCount += 1;
    return true;
  }

  /** Sends the batch. @returns the number of bytes that the socket took. @param more will follow at once */
  send(socket: DirectSocket, more: boolean): number {
    if (this.#lentBytes === 0) return socket.send(this.bytes, this.#end, more);
    if (this.#end > this.#listed) vector!.add(this.#slab.address + this.#listed, this.#end - this.#listed);
    return socket.sendVector(vector!, more);
  }

  /** The bytes behind the first `taken`, in a slab of the batch. @returns undefined when a volume's part cannot be had */
  rest(taken: number): Uint8Array | undefined {
    if (this.#lentBytes === 0) return this.bytes.subarray(taken, this.#end);
    const from = this.#slab;
    const into = slabs.pop() ?? newSlab();
    this.#slab = into;
    // `sent`: bytes of the batch that are still to be left out; `at`: how much is copied; `listed`: of the old slab.
    let [sent, at, listed] = [taken, 0, 0];
    const copy = (bytes: Uint8Array) => {
      into.bytes.set(bytes, at);
      at += bytes.length;
    };
    for (const { behind, volume, position, length } of loans.slice(0, loanCount)) {
      const header = behind - listed;
      copy(from.bytes.subarray(listed + Math.min(sent, header), behind));
      sent -= Math.min(sent, header);
      listed = behind;
      const skipped = Math.min(sent, length);
      sent -= skipped;
      if (skipped < length) {
        if (!volume.readNow?.(into.bytes.subarray(at, at + length - skipped), position + skipped)) return undefined;
        at += length - skipped;
      }
    }
    copy(from.bytes.subarray(listed + sent, this.#end));
    keepSlab(from);
    return into.bytes.subarray(0, at);
  }

  /** Empties the batch. @returns its slab */
  clear(): Slab {
    const slab = this.#slab;
    this.#slab = noSlab;
    this.#end = this.#listed = this.#lentBytes = 0;
    if (borrower === this) {
      borrower = undefined;
      vector!.clear();
      loanCount = 0;
    }
    return slab;
  }
}

const newSlab = (): Slab => ({ bytes: Buffer.allocUnsafeSlow(slabBytes), address: 0 });
