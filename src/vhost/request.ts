/** The contents of a chain of descriptors: a header that is copied, a place for the response, and the data between them. */

import type { Task } from '../scsi/task.ts';
import type { GuestMemory, MemoryRegion } from './guest-memory.ts';
import { scatteredPieceBytesMax, scatteredPiecesMin } from './limits.ts';
import type { VhostSession } from './session.ts';

/** The shape of a queue's chains: the bytes of the readable part that are the header, and of the writable part that are the response. */
export interface ChainShape {
  readonly headerBytes: number;
  readonly responseBytes: number;
}

/** The pieces of a request that has none. Emptying a list instead would cost more than beginning another one. */
const noPieces: readonly Uint8Array[] = [];
const noAddresses: readonly number[] = [];

/** A request. There is one for each descriptor that may head a chain, used again and again. */
export class ChainRequest {
  readonly head: number;
  /** A copy of the header, so that the guest cannot change it after it was checked. */
  readonly header: Uint8Array;
  headerLength = 0;
  /** The response and the data: pieces of the guest's memory. */
  response: readonly Uint8Array[] = noPieces;
  responseLength = 0;
  dataOut: readonly Uint8Array[] = noPieces;
  dataOutLength = 0;
  dataIn: readonly Uint8Array[] = noPieces;
  /** The addresses of the pieces of `dataIn`, for system calls. */
  dataInAddresses: readonly number[] = noAddresses;
  dataInLength = 0;
  /** Whether the request was taken from the ring, and is not used yet. */
  isBusy = false;
  task: Task | undefined;
  session: VhostSession | undefined;
  lun = 0;
  /** The time of arrival, in milliseconds. */
  arrivedAt = 0;
  /** The guest's memory that the request holds while the event loop does something else. */
  held: GuestMemory | undefined;
  /** The bytes of our own memory that its data-out takes. */
  reserved = 0;
  /** Whether the request waits for the bytes that are `reserved`. */
  waits = false;
  /** Whether its medium was asked on the fast path, and could not answer at once. */
  tried = false;
  /** Whether its initiator aborted it. */
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
  addReadable({ bytes, view }: MemoryRegion, at: number, length: number): void {
    let skipped = 0;
    const missing = this.header.length - this.headerLength;
    if (missing > 0) {
      skipped = Math.min(missing, length);
      const { header, headerLength } = this;
      for (let i = 0; i < skipped; i += 1) header[headerLength + i] = view[at + i]!;
      this.headerLength += skipped;
    }
    if (skipped === length) return;
    this.dataOut = withPiece(this.dataOut, new Uint8Array(bytes, at + skipped, length - skipped));
    this.dataOutLength += length - skipped;
  }

  /** Adds a piece that we may write. */
  addWritable({ bytes, address }: MemoryRegion, at: number, length: number, responseBytes: number): void {
    let skipped = 0;
    const missing = responseBytes - this.responseLength;
    if (missing > 0) {
      skipped = Math.min(missing, length);
      this.response = withPiece(this.response, new Uint8Array(bytes, at, skipped));
      this.responseLength += skipped;
    }
    if (skipped === length) return;
    this.dataIn = withPiece(this.dataIn, new Uint8Array(bytes, at + skipped, length - skipped));
    this.dataInAddresses = withPiece(this.dataInAddresses, address + at + skipped);
    this.dataInLength += length - skipped;
  }

  /** Ends the request, which is used: nothing of the guest's memory is kept. */
  end(): void {
    this.isBusy = false;
    this.response = this.dataOut = this.dataIn = noPieces;
    this.dataInAddresses = noAddresses;
    this.task = undefined;
    this.session = undefined;
    this.held?.release();
    this.held = undefined;
  }
}

/** Adds a piece to a list that nobody else has, unless it is empty. */
function withPiece<T>(list: readonly T[], piece: T): readonly T[] {
  if (list.length === 0) return [piece];
  (list as T[]).push(piece);
  return list;
}

/** Copies `from` into pieces, one after another. @returns the number of bytes that had a place */
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

/** Whether pieces are many and short, so that they are read at once, and copied. */
export const isScattered = (pieces: readonly Uint8Array[], length: number): boolean =>
  pieces.length >= scatteredPiecesMin && length / pieces.length < scatteredPieceBytesMax;

/** The first `length` bytes of pieces. */
export function cutPieces(pieces: readonly Uint8Array[], length: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let left = length;
  for (const piece of pieces) {
    if (left === 0) break;
    found.push(piece.length <= left ? piece : piece.subarray(0, left));
    left -= Math.min(left, piece.length);
  }
  return found;
}
