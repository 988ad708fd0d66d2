/** The watches of one client of the control socket, by the numbers of its requests. */

import { OperatorError } from '../errors.ts';
import type { Host } from '../root/host.ts';
import type { Sampler } from './samples.ts';
import { Watch, type WatchOptions, type WatchReader } from './watch.ts';

/** The number of watches of one client. */
const watchesMax = 8;

export class Watches {
  readonly #host: Host;
  readonly #sampler: Sampler;
  readonly #readerOf: (id: number) => WatchReader;
  readonly #all = new Map<number, Watch>();

  /** @param readerOf the reader that gets the messages of a request */
  constructor(host: Host, sampler: Sampler, readerOf: (id: number) => WatchReader) {
    this.#host = host;
    this.#sampler = sampler;
    this.#readerOf = readerOf;
  }

  /** Begins a watch. @throws OperatorError */
  begin(id: number, options: WatchOptions): void {
    if (this.#all.has(id)) throw new OperatorError(`Request ${id} is a watch already.`);
    if (this.#all.size >= watchesMax)
      throw new OperatorError(`A client may have ${watchesMax} watches at a time.`, 'One watch may be of all topics.');
    const watch = new Watch(this.#host, this.#sampler, options, this.#readerOf(id));
    this.#all.set(id, watch);
    // The answer to the request goes first.
    setImmediate(() => this.#all.get(id) === watch && watch.begin());
  }

  /** Ends a watch. @throws OperatorError when there is none of this number */
  stop(id: number): void {
    const watch = this.#all.get(id);
    if (!watch) throw new OperatorError(`Request ${id} is no watch.`);
    watch.end();
    this.#all.delete(id);
  }

  /** Goes on when the client has read what it was sent. */
  resumed(): void {
    for (const watch of this.#all.values()) watch.resumed();
  }

  end(): void {
    for (const watch of this.#all.values()) watch.end();
    this.#all.clear();
  }
}
