/** All sessions of the process, by TSIH: joining, reinstating and ending them. */

import type { SessionInfo } from '../target/service.ts';
import type { Tpg } from '../target/target.ts';
import type { LoggedIn } from './login.ts';
import { LoginError, loginStatus } from './protocol-error.ts';
import { Session } from './session.ts';

const tsihMax = 0xffff;

export class Sessions {
  readonly #byTsih = new Map<number, Session>();
  /** Sessions that have ended and whose tasks have not stopped yet. */
  readonly #ending = new Set<Session>();
  #lastTsih = 0;
  readonly #fabric: string;

  /** @param fabric the name of the sessions' fabric */
  constructor(fabric: string) {
    this.#fabric = fabric;
  }

  get(tsih: number): Session | undefined {
    return this.#byTsih.get(tsih);
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#byTsih.values();
  }

  /** Ends the sessions that `meant` picks. @returns whether there were any */
  dismiss(meant: (session: Session) => boolean, why: string): boolean {
    const ending = [...this].filter(meant);
    for (const session of ending) session.dismiss(why);
    return ending.length > 0;
  }

  /** Tells the initiators in a TPG that their sessions are over, and ends them. */
  cut(tpg: Tpg, why: string): void {
    for (const session of this) if (session.tpg === tpg) session.cut(why);
  }

  /** The facts of all sessions that `sessions` shows. */
  describe(): SessionInfo[] {
    return Array.from(this, (session) => session.info(this.#fabric));
  }

  /**
   * Makes the session of a login that succeeded, or finds the one that it joins, once the session that it replaces has stopped.
   * @param id the number of a new session, for people
   * @param enter called in the same moment in which every fact that the login stands on was found to be so still
   * @throws LoginError and errors of `enter`
   */
  async join(loggedIn: LoggedIn<Session>, cmdSn: number, id: number, enter: (session: Session) => void): Promise<void> {
    const { session, cid } = loggedIn;
    if (session) await session.connections.get(cid)?.close('replaced by a login with its CID', 'ended by another');
    else await this.#reinstate(loggedIn);
    try {
      loggedIn.confirm();
      enter(session ?? this.#open(loggedIn, cmdSn, id));
    } finally {
      // The session's last connection was replaced by one that did not come.
      if (session?.connections.size === 0) void this.end(session);
    }
  }

  /** Ends the sessions that the login reinstates (RFC 7143 6.3.5, 7.4.2), also one that another login makes meanwhile. */
  async #reinstate({ identity }: LoggedIn<Session>): Promise<void> {
    const others = () => [...this.#byTsih.values(), ...this.#ending].filter((one) => one.identity === identity);
    for (let found = others(); found.length > 0; found = others())
      await Promise.all(
        found.flatMap((session) => [
          ...[...session.connections.values()].map((one) => one.close('session reinstated', 'ended by another')),
          this.end(session),
        ]),
      );
  }

  #open(loggedIn: LoggedIn<Session>, cmdSn: number, id: number): Session {
    if (this.#byTsih.size >= tsihMax) throw new LoginError(loginStatus.outOfResources, 'no TSIH is free');
    // 0 means "no session" and is never given (RFC 7143 11.12.6).
    do this.#lastTsih = (this.#lastTsih % tsihMax) + 1;
    while (this.#byTsih.has(this.#lastTsih));
    const session = new Session(id, this.#lastTsih, loggedIn, cmdSn);
    this.#byTsih.set(session.tsih, session);
    return session;
  }

  /** Ends a session whose connections are gone. @returns when its tasks have stopped */
  async end(session: Session): Promise<void> {
    if (this.#byTsih.get(session.tsih) === session) this.#byTsih.delete(session.tsih);
    this.#ending.add(session);
    await session.end();
    this.#ending.delete(session);
  }
}
