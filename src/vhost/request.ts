/** What lies in a chain of descriptors: a header that is copied, a place for the response, and the data between them. */

import type { Task } from '../scsi/task.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { VhostSession } from './session.ts';

/** How a queue's chains begin: bytes of the readable part that are the header, and of the writable part that are the response. */
export interface ChainShape {
  readonly headerBytes: number;
  readonly responseBytes: number;
}

/** One for each descriptor that may head a chain, used again and again. */
export class ChainRequest {
  readonly head: number;
  /** Copied, so that the guest cannot change it after it was checked. */
  readonly header: Uint8Array;
  headerLength = 0;
  /** The guest's memory, in pieces. */
  readonly response: Uint8Array[] = [];
  responseLength = 0;
  readonly dataOut: Uint8Array[] = [];
  dataOutLength = 0;
  readonly dataIn: Uint8Array[] = [];
  dataInLength = 0;
  /** The request was taken from the ring, and is not used yet. */
  isBusy = false;
  task: Task | undefined;
  session: VhostSession | undefined;
  lun = 0;
  /** Milliseconds. */
  arrivedAt = 0;
  /** What it holds of the guest's memory while the event loop does something else. */
  held: GuestMemory | undefined;
  /** Bytes of our own that its data-out takes. */
  reserved = 0;
  /** The request waits for the bytes that are `reserved`. */
  waits = false;
  /** Its medium was asked on the fast path, and cannot do it at once. */
  tried = false;
  /** Its initiator wanted it to end. */
  abortedByInitiator = false;

  constructor(head: number, { headerBytes }: ChainShape) {
    this.head = head;
    this.header = new Uint8Array(headerBytes);
  }

  begin(): void {
    this.isBusy = true;
    this.headerLength = 0;
    this.responseLength = 0;
    this.dataOutLength = 0;
    this.dataInLength = 0;
    this.reserved = 0;
    this.waits = false;
    this.tried = false;
    this.abortedByInitiator = false;
  }

  /** Adds a piece that the guest wrote for us. */
  addReadable(buffer: ArrayBuffer, at: number, length: number): void {
    let skipped = 0;
    const missing = this.header.length - this.headerLength;
    if (missing > 0) {
      skipped = Math.min(missing, length);
      this.header.set(new Uint8Array(buffer, at, skipped), this.headerLength);
      this.headerLength += skipped;
    }
    if (skipped === length) return;
    this.dataOut.push(new Uint8Array(buffer, at + skipped, length - skipped));
    this.dataOutLength += length - skipped;
  }

  /** Adds a piece that we may write. */
  addWritable(buffer: ArrayBuffer, at: number, length: number, responseBytes: number): void {
    let skipped = 0;
    const missing = responseBytes - this.responseLength;
    if (missing > 0) {
      skipped = Math.min(missing, length);
      this.response.push(new Uint8Array(buffer, at, skipped));
      this.responseLength += skipped;
    }
    if (skipped === length) return;
    this.dataIn.push(new Uint8Array(buffer, at + skipped, length - skipped));
    this.dataInLength += length - skipped;
  }

  /** The request is used: nothing of the guest's memory is kept. */
  end(): void {
    this.isBusy = false;
    this.response.length = 0;
    this.dataOut.length = 0;
    this.dataIn.length = 0;
    this.task = undefined;
    this.session = undefined;
    this.held?.release();
    this.held = undefined;
  }
}

/** Copies `from` into pieces, one after another. @returns how many bytes had a place */
export function scatterPieces(from: Uint8Array, into: readonly Uint8Array[]): number {
  let at = 0;
  for (const piece of into) {
    if (at === from.length) break;
    const count = Math.min(piece.length, from.length - at);
    piece.set(at === 0 && count === from.length ? from : from.subarray(at, at + count));
    at += count;
  }
  return at;
}

/** Fills `into` from pieces, from byte `start` of them on. */
export function gatherPieces(from: readonly Uint8Array[], start: number, into: Uint8Array): void {
  let skip = start;
  let at = 0;
  for (const piece of from) {
    if (at === into.length) return;
    if (skip >= piece.length) {
      skip -= piece.length;
      continue;
    }
    const count = Math.min(piece.length - skip, into.length - at);
    into.set(piece.subarray(skip, skip + count), at);
    at += count;
    skip = 0;
  }
}
