/** PDUs in: bytes that may be cut anywhere → headers, and data straight into the buffer that its owner names. */

import type { IoVector } from '../system/io-vector.ts';
import { sliceIsOver } from '../system/time-slice.ts';
import { crc32c } from '../wire/crc32c.ts';
import { loginSegmentBytesMax } from './limits.ts';
import { digest, digestBytes, header, headerBytes, padding } from './pdu.ts';
import { ConnectionError, FormatError } from './protocol-error.ts';

/** Additional header segments: a length of one byte, in words (RFC 7143 11.2.1.5). */
const ahsBytesMax = 255 * 4;

/** The place of a data segment that goes to no buffer. Such a segment has no digest. */
export interface SegmentPlace {
  /** Takes bytes that have come, from byte `at` of the segment on. */
  set(bytes: Uint8Array, at: number): void;
  /**
   * Adds memory for bytes that are there to be received, `available` bytes from `at` on.
   * @returns the number of bytes that the memory takes; undefined when there is none, and the bytes have to be `set`
   */
  lend(at: number, available: number, to: IoVector): number | undefined;
  /** Notes that `count` bytes from `at` on were received in that memory. */
  took(at: number, count: number): void;
}

/** The handler of all that the reader finds. */
export interface PduHandler {
  /**
   * Takes a PDU without a data digest that has come as a whole; `bytes` is lent for the call.
   * @returns whether it was taken: if not, `onHeader` follows
   */
  onWhole(bytes: Uint8Array, start: number, dataStart: number, dataLength: number): boolean;
  /**
   * Takes a header whose digest is right. `bytes` is lent for the call. A PDU without data is complete.
   * @returns the place of its data, a buffer of at least `dataLength` bytes; undefined: the data is dropped
   */
  onHeader(bytes: Uint8Array, start: number, dataLength: number): Uint8Array | SegmentPlace | undefined;
  /** Takes the end of a PDU's data. @param intact its data digest is right */
  onData(intact: boolean): void;
}

/** Finds PDUs in the bytes of one connection. */
export class PduReader {
  /** Whether headers have digests; set when login ends. */
  headerDigest = false;
  dataDigest = false;
  segmentBytesMax = loginSegmentBytesMax;
  readonly #handler: PduHandler;
  /** A header that came in pieces. */
  readonly #pieces = new Uint8Array(headerBytes + ahsBytesMax + digestBytes);
  #piecesLength = 0;
  /** Bytes still to come of the data segment at hand, and then of its padding and digest. */
  #dataLeft = 0;
  #trailerLeft = 0;
  #dataLength = 0;
  #sink: Uint8Array | SegmentPlace | undefined;
  readonly #trailer = new Uint8Array(8);
  #trailerLength = 0;

  constructor(handler: PduHandler) {
    this.#handler = handler;
  }

  /** Bytes of a header as they mostly come: with a digest, and without additional segments. */
  get headerBytes(): number {
    return headerBytes + (this.headerDigest ? digestBytes : 0);
  }

  /** The rest of the data that is being received, for a transport that can receive into it. */
  get wanted(): Uint8Array | undefined {
    if (this.#dataLeft === 0 || !(this.#sink instanceof Uint8Array)) return undefined;
    return this.#sink.subarray(this.#dataLength - this.#dataLeft, this.#dataLength);
  }

  /** The bytes that are still to come of data that goes to a place. */
  get left(): number {
    return this.#sink && !(this.#sink instanceof Uint8Array) ? this.#dataLeft : 0;
  }

  /** Adds the memory that `available` bytes go to. @returns the number of bytes that it takes; undefined when they have to be fed */
  lend(available: number, to: IoVector): number | undefined {
    const { left } = this;
    return left > 0
      ? (this.#sink as SegmentPlace).lend(this.#dataLength - left, Math.min(available, left), to)
      : undefined;
  }

  /** Notes that `count` bytes were received where `lend` said. */
  took(count: number): void {
    (this.#sink as SegmentPlace).took(this.#dataLength - this.#dataLeft, count);
    this.filled(count);
  }

  /** Notes that `count` bytes were received into `wanted`. */
  filled(count: number): void {
    this.#dataLeft -= count;
    if (this.#dataLeft === 0 && this.#trailerLeft === 0) this.#complete();
  }

  /**
   * Takes bytes until the time slice is over. @returns the place of the first byte that is left, `end` when none is
   * @throws ConnectionError, FormatError when framing is lost; an error of the handler passes through
   */
  feed(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.#dataLeft > 0) at = this.#takeData(bytes, at, end);
      else if (this.#trailerLeft > 0) at = this.#takeTrailer(bytes, at, end);
      else at = this.#takeHeader(bytes, at, end);
      if (at < end && sliceIsOver()) break;
    }
    return at;
  }

  #takeHeader(bytes: Uint8Array, at: number, end: number): number {
    if (this.#piecesLength === 0 && end - at >= headerBytes) {
      const length = this.#headerLength(bytes, at);
      if (end - at >= length) return this.#header(bytes, at, length, end);
    }
    const known = this.#piecesLength >= headerBytes;
    const length = known ? this.#headerLength(this.#pieces, 0) : headerBytes;
    const count = Math.min(end - at, length - this.#piecesLength);
    this.#pieces.set(bytes.subarray(at, at + count), this.#piecesLength);
    this.#piecesLength += count;
    if (this.#piecesLength >= headerBytes && this.#piecesLength === this.#headerLength(this.#pieces, 0)) {
      this.#piecesLength = 0;
      const whole = this.#headerLength(this.#pieces, 0);
      this.#header(this.#pieces, 0, whole, whole);
    }
    return at + count;
  }

  #headerLength(bytes: Uint8Array, at: number): number {
    return headerBytes + (this.headerDigest ? digestBytes : 0) + header.totalAhsLength.get(bytes, at) * 4;
  }

  /** Takes a header. @returns its end, or the end of its PDU if that was taken */
  #header(bytes: Uint8Array, at: number, length: number, end: number): number {
    const digestAt = at + length - digestBytes;
    // RFC 7143 7.8: a wrong header digest means that no length can be believed.
    if (this.headerDigest && crc32c(bytes, at, digestAt) !== digest.get(bytes, digestAt))
      throw new ConnectionError('header digest is wrong');
    const dataLength = header.dataSegmentLength.get(bytes, at);
    if (dataLength > this.segmentBytesMax) throw new FormatError(`a data segment of ${dataLength} bytes`);
    const dataStart = at + length;
    const behind = dataStart + dataLength + padding(dataLength);
    const hasDigest = this.dataDigest && dataLength > 0;
    if (behind <= end && !hasDigest && this.#handler.onWhole(bytes, at, dataStart, dataLength)) return behind;
    this.#dataLength = dataLength;
    this.#trailerLength = 0;
    this.#trailerLeft = dataLength > 0 ? padding(dataLength) + (this.dataDigest ? digestBytes : 0) : 0;
    // Only a PDU that is taken has data: the handler may throw.
    this.#sink = this.#handler.onHeader(bytes, at, dataLength);
    this.#dataLeft = dataLength;
    return dataStart;
  }

  #takeData(bytes: Uint8Array, at: number, end: number): number {
    const count = Math.min(end - at, this.#dataLeft);
    this.#sink?.set(bytes.subarray(at, at + count), this.#dataLength - this.#dataLeft);
    this.filled(count);
    return at + count;
  }

  #takeTrailer(bytes: Uint8Array, at: number, end: number): number {
    const count = Math.min(end - at, this.#trailerLeft);
    this.#trailer.set(bytes.subarray(at, at + count), this.#trailerLength);
    this.#trailerLength += count;
    this.#trailerLeft -= count;
    if (this.#trailerLeft === 0) this.#complete();
    return at + count;
  }

  #complete(): void {
    const intact = this.#intact();
    this.#sink = undefined;
    this.#handler.onData(intact);
  }

  #intact(): boolean {
    if (!this.dataDigest || !(this.#sink instanceof Uint8Array) || this.#dataLength === 0) return true;
    const pad = padding(this.#dataLength);
    const computed = crc32c(this.#trailer, 0, pad, crc32c(this.#sink, 0, this.#dataLength));
    return computed === digest.get(this.#trailer, pad);
  }
}
