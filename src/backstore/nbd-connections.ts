/**
 * The server of an NBD volume, as the volume sees it: it may go and come back. A request that only reads is asked again. A request that
 * changes the medium and was not answered is sent again only where it is proven that the medium is as it was.
 */

import { wholeReasonOf } from '../errors.ts';
import { systemError } from '../system/system-error.ts';
import { ChannelEnded } from '../wire/byte-channel.ts';
import { exportFlag } from '../wire/nbd.ts';
import type { Trouble } from './backstore.ts';
import { isChange, type NbdConnection, type NbdExtent, type NbdRequest } from './nbd-connection.ts';
import { beginPatience, within } from './patience.ts';

/** The number of connections to a server for which all of them are one. */
const connectionsMax = 4;
/** The time that a request waits for a server that is gone, by default, and the time between two attempts to reach it. */
const absenceMs = 30_000;
const retryMsMin = 50;
const retryMsMax = 1000;

/** The source of connections to an export, and the facts about its server. */
export interface NbdSource {
  /** Opens one more connection. */
  connect(): Promise<NbdConnection>;
  /**
   * Makes sure that no request on the connections so far reaches the medium any more, by ending the server. Absent: the server is not
   * ours to end, and says so itself by closing its end.
   */
  fence?(): Promise<void>;
  /**
   * Whether the medium is proven to be in the very state that all requests were sent to: nobody else can have written to it, nor put
   * another in its place. Absent: nothing is proven.
   */
  isUnchanged?(): boolean;
}

/** A server that is there again, on trial. */
export interface NbdReturn {
  readonly connection: NbdConnection;
  /** Whether the server of before is back, which then still has its cache. */
  readonly isSame: boolean;
  /** Whether the medium is unchanged, as in `NbdSource`. */
  readonly isUnchanged: boolean;
  /** The reason why the connection before it was lost. */
  readonly reason: string;
}

/** The absence of a server, until `over`; requests have waited long enough for it with `tooLong`. */
interface Absence {
  readonly since: Date;
  reason: string;
  readonly tooLong: Promise<'late'>;
  /** Resolves when no request that was sent to the server before can reach the medium any more. */
  fenced: Promise<void>;
  over: Promise<void>;
  isUnchanged: boolean;
}

/** The connections to a server. */
export class NbdConnections {
  readonly #source: NbdSource;
  readonly #patienceMs: number;
  readonly #isOne: boolean;
  readonly #accept: (back: NbdReturn) => Promise<void>;
  /** The bytes of the export. */
  #size: number;
  #connections: NbdConnection[] = [];
  /** Connections that are lost and not closed yet. */
  readonly #leaving = new Set<NbdConnection>();
  /** The absence that began with each lost connection. */
  readonly #absences = new WeakMap<NbdConnection, Absence>();
  /** The absence at hand, while the server is gone. */
  #absence: Absence | undefined;
  /** Called when trouble begins, changes or is over. */
  told: () => void = () => {};
  /** Resolves when the connections are not wanted any more. */
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;

  /** @param accept brings a server that is there again to where its predecessor was; rejects a server that must not be used */
  constructor(
    source: NbdSource,
    first: NbdConnection,
    accept: (back: NbdReturn) => Promise<void>,
    patienceMs = absenceMs,
  ) {
    this.#source = source;
    this.#patienceMs = patienceMs;
    this.#isOne = (first.terms.flags & exportFlag.multiConn) !== 0;
    this.#accept = accept;
    this.#size = first.terms.size;
    this.#join(first);
    void this.#joinMore();
  }

  /** The bytes of the export. */
  get size(): number {
    return this.#size;
  }

  get trouble(): Trouble | undefined {
    return this.#absence;
  }

  /**
   * Asks until there is an answer, of whatever connection.
   * @throws a system error; ETIMEDOUT when the server does not come back, ECONNRESET when nobody knows whether a change was carried out,
   * and it must not be sent again
   */
  async ask(request: NbdRequest): Promise<NbdExtent[]> {
    for (;;) {
      const connection = await this.#usable();
      try {
        return await connection.send(request);
      } catch (error) {
        if (!(error instanceof ChannelEnded)) throw error;
        if (this.#isOver) throw systemError('ETIMEDOUT', 'nbd');
        const absence = this.#lose(connection, error.message);
        if (isChange(request)) await this.#mayRepeat(absence);
      }
    }
  }

  /** Does work during which nobody may be connected; requests wait meanwhile. Afterwards the medium is as it was, or as `work` made it. */
  async whileAway(reason: string, work: () => Promise<void>): Promise<void> {
    await this.#usable();
    const outcome = Promise.withResolvers<void>();
    const fail = (error: unknown) => {
      outcome.reject(error);
      throw error;
    };
    this.#leave(reason, async (absence) => {
      await absence.fenced;
      const [{ status }] = await Promise.allSettled([work().then(outcome.resolve, fail)]);
      return status === 'fulfilled';
    });
    await outcome.promise;
  }

  /** Says goodbye and closes. Requests without an answer by then never get one. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#over.resolve();
    const connections = this.#connections;
    this.#connections = [];
    for (const connection of this.#leaving) connection.destroy();
    for (const connection of connections) connection.disconnect();
    await Promise.all(connections.map(({ closed }) => closed));
  }

  /**
   * Whether a change may be sent again. A client that is told that its change has failed may write newer data at once: the old change
   * must not come behind that.
   */
  async #mayRepeat(absence: Absence): Promise<void> {
    await Promise.race([absence.fenced, this.#over.promise]);
    if (this.#source.isUnchanged) await this.#endOf(absence);
    if (!absence.isUnchanged) throw systemError('ECONNRESET', 'nbd');
  }

  async #usable(): Promise<NbdConnection> {
    while (this.#absence) await this.#endOf(this.#absence);
    if (this.#connections.length === 0) throw systemError('ETIMEDOUT', 'nbd');
    return this.#connections.reduce((least, one) => (one.load < least.load ? one : least));
  }

  async #endOf({ over, tooLong }: Absence): Promise<void> {
    const outcome = await Promise.race([over, tooLong, this.#over.promise.then(() => 'late')]);
    // The error is not EIO: whether data is lost is known when the server is back.
    if (outcome === 'late') throw systemError('ETIMEDOUT', 'nbd');
  }

  #join(connection: NbdConnection): void {
    this.#connections.push(connection);
    void connection.lost.then((why) => {
      if (!this.#isOver) this.#lose(connection, why);
    });
  }

  /** Opens more connections where they are one to the server; a connection that cannot be opened is not missed. */
  async #joinMore(): Promise<void> {
    if (!this.#isOne) return;
    const [first] = this.#connections;
    for (let count = 1; count < connectionsMax; count += 1) {
      const more = await this.#source.connect().catch(() => undefined);
      if (!more) return;
      if (this.#isOver || first === undefined || !this.#connections.includes(first)) return more.disconnect();
      this.#join(more);
    }
  }

  /** Drops all connections because one is lost, for the server may be another one. @returns the absence that began with the loss */
  #lose(connection: NbdConnection, why: string): Absence {
    return (
      this.#absences.get(connection) ??
      this.#leave(why, async (absence) => {
        absence.fenced = Promise.all([this.#source.fence?.(), absence.fenced]).then(() => {});
        await Promise.race([absence.fenced, this.#over.promise]);
        return false;
      })
    );
  }

  /**
   * Begins an absence. @param before runs before the server is looked for again; says whether it is the same server, which has gone on
   * meanwhile
   */
  #leave(reason: string, before: (absence: Absence) => Promise<boolean>): Absence {
    const lost = this.#connections;
    this.#connections = [];
    for (const one of lost) {
      this.#leaving.add(one);
      void one.closed.then(() => this.#leaving.delete(one));
      one.leave();
    }
    const { promise: tooLong, resolve } = Promise.withResolvers<'late'>();
    const patience = beginPatience(this.#patienceMs, { owed: () => true, heard: () => 0, lost: () => resolve('late') });
    const fenced = Promise.all(lost.map(({ closed }) => closed)).then(() => {});
    const absence: Absence = {
      since: new Date(),
      reason,
      tooLong,
      fenced,
      over: Promise.resolve(),
      isUnchanged: false,
    };
    for (const one of lost) this.#absences.set(one, absence);
    this.#absence = absence;
    absence.over = before(absence)
      .then((isSame) => this.#return(absence, isSame))
      .finally(() => {
        patience.end();
        if (this.#absence === absence) this.#absence = undefined;
        this.told();
      });
    this.told();
    return absence;
  }

  /** Resolves when the server is back and was accepted, or the connections are not wanted any more. */
  async #return(absence: Absence, isSame: boolean): Promise<void> {
    for (let pause = retryMsMin; !this.#isOver; pause = Math.min(2 * pause, retryMsMax)) {
      try {
        const connection = await this.#source.connect();
        if (this.#isOver) return connection.disconnect();
        const { size } = connection.terms;
        absence.isUnchanged = isSame || (size === this.#size && this.#source.isUnchanged?.() === true);
        const { isUnchanged, reason } = absence;
        await this.#accept({ connection, isSame, isUnchanged, reason }).catch((error) => {
          connection.destroy();
          throw error;
        });
        if (this.#isOver) return;
        this.#size = size;
        this.#join(connection);
        void this.#joinMore();
        return;
      } catch (error) {
        const reason = wholeReasonOf(error);
        const isNews = reason !== absence.reason;
        absence.reason = reason;
        if (isNews) this.told();
      }
      await within(pause, this.#over.promise);
    }
  }
}
