/**
 * Portals that are drained: the initiators that came through one are asked to log out, and go on undisturbed until they do. That the last
 * of them has gone is logged.
 */

import type { Target, Tpg } from '../target/target.ts';
import { type Portal, portalPath, printPortal } from '../target/target.ts';
import type { ConnectionHost } from './host.ts';
import { askForLogout } from './notices.ts';
import type { Member } from './session.ts';

export class Drains {
  readonly #host: ConnectionHost;
  readonly #serves: (target: Target) => boolean;
  /** The number of connections that each drained portal still had at the last look, by the path of the portal. */
  #left: ReadonlyMap<string, number> = new Map();
  /** The connections that were asked, by the path of their portal. */
  readonly #asked = new WeakMap<Member, string>();

  constructor(host: ConnectionHost, serves: (target: Target) => boolean) {
    this.#host = host;
    this.#serves = serves;
  }

  /** Looks at the tree and at the sessions: called when either may have changed. */
  look(): void {
    const before = this.#left;
    const left = new Map<string, number>();
    for (const { tpg, portal } of this.#drained()) {
      const path = portalPath(tpg, portal);
      const through = this.#through(tpg, portal);
      for (const one of through) this.#ask(one, path);
      left.set(path, through.length);
      const was = before.get(path);
      const connections = through.length;
      if (was === undefined)
        this.#host.log({ level: 'info', event: 'iscsi portal drains', detail: { portal: path, connections } });
      if (connections === 0 && was !== 0)
        this.#host.log({ level: 'info', event: 'iscsi portal drained', detail: { portal: path } });
    }
    this.#left = left;
  }

  *#drained(): Generator<{ tpg: Tpg; portal: Portal }> {
    for (const target of this.#host.state.targets.values())
      for (const tpg of target.tpgs.values())
        for (const portal of tpg.portals) if (portal.drain !== '' && this.#serves(target)) yield { tpg, portal };
  }

  /** The connections of logged-in initiators that came through a portal. */
  #through(tpg: Tpg, portal: Portal): Member[] {
    const name = printPortal(portal);
    const sessions = [...this.#host.sessionTable].filter((session) => session.tpg === tpg);
    return sessions.flatMap(({ connections }) => [...connections.values()].filter(({ ends }) => ends.portal === name));
  }

  /** Each connection is asked once: one that stays has its reasons. A drain that was taken off and begins anew asks again. */
  #ask(one: Member, path: string): void {
    if (one.state !== 'LOGGED_IN' || (this.#asked.get(one) === path && this.#left.has(path))) return;
    this.#asked.set(one, path);
    askForLogout(one.sender);
  }
}
