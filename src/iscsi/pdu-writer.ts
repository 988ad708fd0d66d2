/** PDUs out: header, digests, data and padding behind each other in the output. */

import { crc32c } from '../wire/crc32c.ts';
import type { Output } from './output.ts';
import { digest, digestBytes, header, headerBytes, padding } from './pdu.ts';

export class PduWriter {
  /** Whether headers have digests; set when login ends. */
  headerDigest = false;
  dataDigest = false;
  readonly #output: Output;
  #start = 0;
  #dataLength = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** The slab with the PDU that was begun. */
  get bytes(): Uint8Array {
    return this.#output.bytes;
  }

  /** Bytes before the data of a PDU. */
  get headerLength(): number {
    return headerBytes + (this.headerDigest ? digestBytes : 0);
  }

  /** The place of the PDU's data. */
  get dataStart(): number {
    return this.#start + this.headerLength;
  }

  /**
   * Begins a PDU with `dataLength` bytes of data. @returns the place of its header in `bytes`: a copy of `head`, with the length
   * @param passed the data does not go through here: it follows the bytes that are written, without padding and digest
   */
  begin(head: Uint8Array, dataLength: number, passed = false): number {
    this.#dataLength = passed ? 0 : dataLength;
    const start = this.#output.room(headerBytes + this.#dataLength + padding(this.#dataLength) + 2 * digestBytes);
    const { bytes } = this.#output;
    // `set` is a call out of compiled code, which costs more than these few bytes.
    for (let at = 0; at < headerBytes; at += 1) bytes[start + at] = head[at]!;
    if (dataLength > 0) header.dataSegmentLength.set(bytes, start, dataLength);
    this.#start = start;
    return start;
  }

  /** Ends a PDU whose header and data are written: it goes out. */
  end(): void {
    const { bytes } = this.#output;
    let at = this.#start + headerBytes;
    if (this.headerDigest) at = putDigest(bytes, at, crc32c(bytes, this.#start, at));
    if (this.#dataLength > 0) {
      const first = at;
      at += this.#dataLength;
      for (let pad = padding(this.#dataLength); pad > 0; pad -= 1) bytes[at++] = 0;
      if (this.dataDigest) at = putDigest(bytes, at, crc32c(bytes, first, at));
    }
    this.#output.commit(at - this.#start);
  }
}

/** Writes a digest. @returns the place behind it */
function putDigest(bytes: Uint8Array, at: number, value: number): number {
  digest.set(bytes, at, value);
  return at + digestBytes;
}
