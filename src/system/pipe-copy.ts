/**
 * Copies many pieces of mapped files into other memory of this process, by two calls for all of them. The kernel touches the pages, so that
 * one that is gone, because somebody has cut its file, is an error and not the end of the process: vmsplice(2) puts references to
 * the pages into a pipe, and readv(2) copies from there. For short pieces that is a third cheaper than a pread(2) for each.
 */

import { closeForeign } from './descriptor.ts';
import { foreignCall } from './ffi.ts';
import { IoVector } from './io-vector.ts';

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const SPLICE_F_NONBLOCK = 2;
/** The bytes of a pipe that a user may have by default (/proc/sys/fs/pipe-max-size). */
const pipeBytes = 1024 * 1024;

const pipe2 = foreignCall('pipe2', 'int', ['void *', 'int']);
const fcntl = foreignCall('fcntl', 'int', ['int', 'int', 'int']);
const vmsplice = foreignCall('vmsplice', 'int64', ['int', 'void *', 'size_t', 'uint']);
const readv = foreignCall('readv', 'int64', ['int', 'void *', 'int']);
const getpagesize = foreignCall('getpagesize', 'int', []);

/** A pipe, and the pieces that wait to be copied through it. */
export class PipeCopy {
  readonly from = new IoVector();
  readonly into = new IoVector();
  #ends: Int32Array | undefined;
  #pageBytes = 1;
  /** The pages that the pipe holds at one time; 0 when there is no pipe. */
  #pagesMax = 0;
  #pages = 0;
  #bytes = 0;

  /** The pages of a range, each of which takes a place in the pipe. */
  #pagesOf(position: number, length: number): number {
    return Math.floor((position + length - 1) / this.#pageBytes) - Math.floor(position / this.#pageBytes) + 1;
  }

  /** Whether an empty pipe takes a range of a file, as `pieces`. The first call opens the pipe. */
  mayTake(position: number, length: number, pieces: number): boolean {
    if (!this.#ends) this.#open();
    return this.#pagesOf(position, length) <= this.#pagesMax && pieces <= IoVector.piecesMax;
  }

  /** Whether the pipe takes a range besides those that wait. */
  takes(position: number, length: number, pieces: number): boolean {
    return (
      this.#pages + this.#pagesOf(position, length) <= this.#pagesMax && this.from.takes(1) && this.into.takes(pieces)
    );
  }

  /** Counts a range that the caller has added to both vectors. */
  added(position: number, length: number): void {
    this.#pages += this.#pagesOf(position, length);
    this.#bytes += length;
  }

  #clear(): void {
    this.#pages = 0;
    this.#bytes = 0;
    this.from.clear();
    this.into.clear();
  }

  /** Copies all pieces that wait. @returns false when a part was not copied: the contents of all places mean nothing then */
  copy(): boolean {
    const [reading = -1, writing = -1] = this.#ends ?? [];
    const { from, into } = this;
    const bytes = this.#bytes;
    const put = vmsplice()?.now(writing, from.pieces, from.count, SPLICE_F_NONBLOCK) ?? -1;
    const isWhole = put === bytes && readv()?.now(reading, into.pieces, into.count) === bytes;
    this.#clear();
    // A rest in the pipe must not come before what is copied next.
    if (!isWhole) this.close();
    return isWhole;
  }

  #open(): void {
    const ends = new Int32Array(2);
    this.#ends = ends;
    const control = fcntl();
    const page = getpagesize()?.now() ?? 0;
    const result = pipe2()?.now(ends, O_CLOEXEC | O_NONBLOCK) ?? -1;
    if (result < 0 || page <= 0 || !control || !vmsplice() || !readv()) {
      if (result >= 0) this.close();
      this.#ends = Int32Array.of(-1, -1);
      return;
    }
    this.#pageBytes = page;
    const [reading = -1] = ends;
    control.now(reading, F_SETPIPE_SZ, pipeBytes);
    this.#pagesMax = Math.floor(Math.max(0, control.now(reading, F_GETPIPE_SZ, 0)) / page);
  }

  /** Closes the pipe; another is opened when there is something to copy again. */
  close(): void {
    for (const end of this.#ends ?? []) if (end >= 0) closeForeign(end);
    this.#ends = undefined;
    this.#pagesMax = 0;
  }
}
