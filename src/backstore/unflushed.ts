/**
 * What a server has taken and may still have in a cache of its own: if it ends before it is told to flush, that is gone,
 * although the server that comes after it flushes without an error. So it is kept, and sent to that one again.
 */

import type { NbdRequest } from './nbd-connection.ts';

/** Bytes that are kept; when there are more, the server is told to flush. A request without data counts as a few. */
export const unflushedBytesMax = 64 * 1024 * 1024;
const requestBytes = 256;

/** Iterates over the requests, oldest first, also over those that are added meanwhile. */
export class Unflushed {
  #requests: NbdRequest[] = [];
  #bytes = 0;
  /** How many were forgotten: positions count on. */
  #forgotten = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Where the next one will stand. */
  get end(): number {
    return this.#forgotten + this.#requests.length;
  }

  /** Keeps a request that has been answered; its data is copied. */
  add(request: NbdRequest): void {
    this.#requests.push(request.data ? { ...request, data: Buffer.from(request.data) } : request);
    this.#bytes += requestBytes + (request.data?.length ?? 0);
  }

  /** A flush that began when `end` was `position` has ended: what was before it is safe. */
  forget(position: number): void {
    const gone = this.#requests.splice(0, Math.max(0, position - this.#forgotten));
    this.#forgotten += gone.length;
    for (const { data } of gone) this.#bytes -= requestBytes + (data?.length ?? 0);
  }

  *[Symbol.iterator](): Generator<NbdRequest> {
    for (let at = 0; at < this.#requests.length; at += 1) yield this.#requests[at]!;
  }
}
