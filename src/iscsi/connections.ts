/** The connections of one event loop: their number, their clocks, their end. */

import type { Log } from '../log.ts';
import { intoReserve } from '../system/descriptor-limit.ts';
import { runningMs } from '../system/running-time.ts';
import { bracketed } from '../target/target.ts';
import type { Connection } from './connection.ts';
import { addressStrangersMax, connectionsMax, strangersMax, tickMs } from './limits.ts';

export class Connections {
  readonly #log: Log;
  readonly #all = new Set<Connection>();
  /** Connections that have not logged in, in the order in which they came. Some that have logged in, or are closed, may still be among them. */
  readonly #strangers = new Set<Connection>();
  readonly #byAddress = new Map<string, Set<Connection>>();
  readonly #timer: NodeJS.Timeout;
  readonly #ticked: () => void;
  /** The number of strangers that descriptors leave room for, beside a new one; asked again with each look at the clocks. */
  #room = Number.POSITIVE_INFINITY;

  /** @param ticked called with each look at the clocks */
  constructor(log: Log, ticked: () => void = () => {}) {
    this.#log = log;
    this.#ticked = ticked;
    // Sockets are read before anybody is found late, so that data is heard which came while this thread was held up.
    this.#timer = setInterval(() => setImmediate(() => this.#tick()), tickMs);
    this.#timer.unref();
  }

  /** Milliseconds of the clock by which initiators are judged: it only goes forward, and stands still when this thread does. */
  now(): number {
    return runningMs();
  }

  /**
   * Makes room for a new connection. Where there is none, a stranger goes: the oldest that has said nothing, or else the oldest. So an
   * initiator that logs in without delay gets in, however many strangers there are, and sessions stay.
   * @param descriptor of the connection's socket
   * @returns false when there is no room all the same
   */
  admit(descriptor: number, address: string): boolean {
    const fromThere = this.#byAddress.get(address);
    if (fromThere && countOf(fromThere) >= addressStrangersMax) this.#dropOldest(fromThere);
    else if (countOf(this.#strangers) >= strangersMax) this.#dropOldest(this.#strangers);
    const beyond = intoReserve(descriptor);
    // A new connection takes the descriptor that was freed, and its number then says nothing: so the room is remembered.
    if (beyond > 0) this.#room = Math.max(0, countOf(this.#strangers) - beyond);
    let dropped = false;
    while (countOf(this.#strangers) > this.#room) dropped = this.#dropOldest(this.#strangers);
    if (this.#all.size >= connectionsMax) this.#sweep();
    const hasRoom = this.#all.size < connectionsMax && (beyond <= 0 || dropped);
    if (hasRoom || this.#dropOldest(this.#strangers)) return true;
    this.#log({ level: 'warning', event: 'iscsi connection refused', detail: { reason: 'too many connections' } });
    return false;
  }

  add(connection: Connection): void {
    const { remoteAddress } = connection.ends;
    this.#all.add(connection);
    this.#strangers.add(connection);
    this.#byAddress.set(remoteAddress, (this.#byAddress.get(remoteAddress) ?? new Set()).add(connection));
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.values();
  }

  /** Asks all connections to log out. @returns when they are closed and their commands have stopped */
  async end(why: string): Promise<void> {
    await Promise.all([...this.#all].map((connection) => connection.requestLogout(why)));
    clearInterval(this.#timer);
  }

  /** Drops the oldest connection of a set. @returns whether there was one */
  #dropOldest(among: Set<Connection>): boolean {
    countOf(among);
    const [oldest] = among;
    if (!oldest) return false;
    const dropped = [...among].find(({ state }) => state === 'XPT_UP') ?? oldest;
    const { remoteAddress, remotePort } = dropped.ends;
    const address = `${bracketed(remoteAddress)}:${remotePort}`;
    const reason = 'others came, and it had not logged in';
    this.#log({ level: 'warning', event: 'iscsi connection dropped', detail: { address, reason } });
    void dropped.close(reason);
    dropped.output.cut?.();
    this.#all.delete(dropped);
    return true;
  }

  #tick(): void {
    this.#room = Number.POSITIVE_INFINITY;
    for (const connection of this.#all) connection.tick();
    this.#sweep();
    this.#ticked();
  }

  #sweep(): void {
    for (const connection of this.#all) if (connection.closed) this.#all.delete(connection);
    countOf(this.#strangers);
    for (const [address, from] of this.#byAddress) if (countOf(from) === 0) this.#byAddress.delete(address);
  }
}

/** Forgets connections that are strangers no more. @returns the number that is left */
function countOf(strangers: Set<Connection>): number {
  for (const one of strangers) if (one.closed || one.session) strangers.delete(one);
  return strangers.size;
}
