/** Memory that one call moves to a socket or from it, piece by piece (sendmsg(2), recvmsg(2)): JavaScript never looks into it. */

import { endianness } from 'node:os';
import { addressOf } from './ffi.ts';

/** IOV_MAX (sysconf(3)) */
const piecesMax = 1024;
/** The layouts of struct iovec (base, length) and of struct msghdr (with its vector and count at these words) on 64-bit machines. */
const iovecWords = 4;
const messageWords = 14;
const vectorWord = 4;
const countWord = 6;
/** The range of one of the two words of an address. */
const wordRange = 2 ** 32;

/** Whether this machine lays the two structures out like that. */
export const hasVectors = endianness() === 'LE' && !['ia32', 'arm', 'mipsel'].includes(process.arch);

/** The pieces of one call. */
export class IoVector {
  static readonly piecesMax = piecesMax;
  readonly #message = new Uint32Array(messageWords);
  readonly #words = new Uint32Array(piecesMax * iovecWords);
  #count = 0;

  constructor() {
    const address = addressNumber(this.#words);
    this.#message[vectorWord] = address;
    this.#message[vectorWord + 1] = address / wordRange;
  }

  /** The struct msghdr, for the call. */
  get message(): Uint32Array {
    this.#message[countWord] = this.#count;
    return this.#message;
  }

  /** The array of struct iovec, of which `count` are filled, for calls that take it by itself. */
  get pieces(): Uint32Array {
    return this.#words;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether `pieces` more have a place. */
  takes(pieces: number): boolean {
    return this.#count + pieces <= piecesMax;
  }

  add(address: number, length: number): void {
    const at = this.#count * iovecWords;
    const words = this.#words;
    words[at] = address;
    words[at + 1] = address / wordRange;
    words[at + 2] = length;
    this.#count += 1;
  }

  /** Takes the last piece back. */
  undo(): void {
    this.#count -= 1;
  }

  clear(): void {
    this.#count = 0;
  }
}

/** The address of `bytes`, for `add`: they have to be held as long. It needs foreign calls. */
export const addressNumber = (bytes: ArrayBufferView): number => Number(addressOf(bytes));
