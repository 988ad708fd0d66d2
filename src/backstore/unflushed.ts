/**
 * The requests that a server has taken and may still have in a cache of its own. If the server ends before it is told to flush, their
 * effect is gone, although the next server flushes without an error. So they are kept, and sent to the next server again.
 */

import type { NbdRequest } from './nbd-connection.ts';

/** The bytes that are kept; when there are more, the server is told to flush. A request without data counts as a few. */
export const unflushedBytesMax = 64 * 1024 * 1024;
const requestBytes = 256;

/** The requests. Iterating goes over them oldest first, also over those that are added meanwhile. */
export class Unflushed {
  #requests: NbdRequest[] = [];
  #bytes = 0;
  /** The number of requests that were forgotten: positions count on. */
  #forgotten = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The position of the next request. */
  get end(): number {
    return this.#forgotten + this.#requests.length;
  }

  /** Keeps a request that has been answered; its data is copied. */
  add(request: NbdRequest): void {
    this.#requests.push(request.data ? { ...request, data: Buffer.from(request.data) } : request);
    this.#bytes += requestBytes + (request.data?.length ?? 0);
  }

  /** Forgets the requests before a position, because a flush that began when `end` was that position has ended. */
  forget(position: number): void {
    const gone = this.#requests.splice(0, Math.max(0, position - this.#forgotten));
    this.#forgotten += gone.length;
    for (const { data } of gone) this.#bytes -= requestBytes + (data?.length ?? 0);
  }

  *[Symbol.iterator](): Generator<NbdRequest> {
    yield* this.#requests;
  }
}
