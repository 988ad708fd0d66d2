/** All sessions of the process, by TSIH: joining, reinstating and ending them. */

import type { SessionInfo } from '../target/fabric.ts';
import type { LoggedIn } from './login.ts';
import { LoginError, loginStatus } from './protocol-error.ts';
import { Session } from './session.ts';

const tsihMax = 0xffff;

export class Sessions {
  readonly #byTsih = new Map<number, Session>();
  #lastTsih = 0;

  get(tsih: number): Session | undefined {
    return this.#byTsih.get(tsih);
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#byTsih.values();
  }

  /** Ends the sessions that are meant. @returns whether there were any */
  dismiss(meant: (session: Session) => boolean, why: string): boolean {
    const ending = [...this].filter(meant);
    for (const session of ending) session.dismiss(why);
    return ending.length > 0;
  }

  describe(): SessionInfo[] {
    return Array.from(this, (session) => session.info());
  }

  /**
   * The session of a login that succeeded: the one it joins, or a new one. What it replaces has stopped by then.
   * @param id the number of a new session, for people
   * @throws LoginError
   */
  async join(loggedIn: LoggedIn<Session>, cmdSn: number, id: number): Promise<Session> {
    const { session, cid } = loggedIn;
    if (!session) {
      await this.#reinstate(loggedIn);
      return this.#open(loggedIn, cmdSn, id);
    }
    await session.connections.get(cid)?.close('replaced by a login with its CID', 'ended by another');
    if (session.ended) throw new LoginError(loginStatus.sessionDoesNotExist, 'the session ended');
    return session;
  }

  /** Ends the session that the login reinstates (RFC 7143 6.3.5, 7.4.2). */
  async #reinstate({ identity }: LoggedIn<Session>): Promise<void> {
    for (const session of this.#byTsih.values()) {
      if (session.identity !== identity) continue;
      const closing = [...session.connections.values()].map((one) =>
        one.close('session reinstated', 'ended by another'),
      );
      await Promise.all([...closing, this.end(session)]);
    }
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
  end(session: Session): Promise<void> {
    this.#byTsih.delete(session.tsih);
    return session.end();
  }
}
