/** The connections of one event loop: how many there may be, their clocks, their end. */

import { runningMs } from '../system/running-time.ts';
import type { Connection } from './connection.ts';
import { connectionsMax, tickMs } from './limits.ts';

export class Connections {
  readonly #all = new Set<Connection>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    // What has come while nobody listened is heard before anybody is found late: sockets are read in between.
    this.#timer = setInterval(() => setImmediate(() => this.#tick()), tickMs);
    this.#timer.unref();
  }

  /** Milliseconds of the clock by which initiators are judged: it only goes forward, and stands still when this thread does. */
  now(): number {
    return runningMs();
  }

  get full(): boolean {
    if (this.#all.size >= connectionsMax) this.#sweep();
    return this.#all.size >= connectionsMax;
  }

  add(connection: Connection): void {
    this.#all.add(connection);
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.values();
  }

  /** Asks all of them to log out. @returns when they are closed and their commands have stopped */
  async end(why: string): Promise<void> {
    await Promise.all([...this.#all].map((connection) => connection.requestLogout(why)));
    clearInterval(this.#timer);
  }

  #tick(): void {
    for (const connection of this.#all) connection.tick();
    this.#sweep();
  }

  #sweep(): void {
    for (const connection of this.#all) if (connection.closed) this.#all.delete(connection);
  }
}
