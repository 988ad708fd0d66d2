/**
 * Portals that are drained: the initiators that came through one are asked to log out, and go on undisturbed until they do. That the last
 * of them has gone is logged.
 */

import { portalPath, type Target } from '../target/target.ts';
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

  /** Looks at the sessions: called when some may have ended. It costs nothing while no portal is drained. */
  tick(): void {
    if (this.#left.size > 0) this.#look([...this.#left.keys()]);
  }

  /** Looks at the tree and at the sessions: called when either may have changed. */
  look(): void {
    this.#look([...this.#drained()]);
  }

  /** @param paths of the portals that are drained */
  #look(paths: readonly string[]): void {
    const before = this.#left;
    const connections = paths.length > 0 ? this.#byPortal() : undefined;
    const left = new Map<string, number>();
    for (const path of paths) {
      const through = connections?.get(path) ?? [];
      for (const one of through) this.#ask(one, path);
      left.set(path, through.length);
      const was = before.get(path);
      if (was === undefined) {
        const detail = { portal: path, connections: through.length };
        this.#host.log({ level: 'info', event: 'iscsi portal drains', detail });
      }
      if (through.length === 0 && was !== 0)
        this.#host.log({ level: 'info', event: 'iscsi portal drained', detail: { portal: path } });
    }
    this.#left = left;
  }

  /** The paths of the portals that are drained. */
  *#drained(): Generator<string> {
    for (const target of this.#host.state.targets.values())
      for (const tpg of target.tpgs.values())
        for (const portal of tpg.portals)
          if (portal.drain !== '' && this.#serves(target)) yield portalPath(tpg, portal);
  }

  /** The connections of logged-in initiators, by the path of the portal that they came through. */
  #byPortal(): ReadonlyMap<string, Member[]> {
    const all = [...this.#host.sessionTable].flatMap(({ tpg, connections }) =>
      tpg ? Array.from(connections.values(), (one) => ({ one, path: `${tpg.path}/portals/${one.ends.portal}` })) : [],
    );
    const grouped = Map.groupBy(all, ({ path }) => path);
    return new Map(Array.from(grouped, ([path, members]) => [path, members.map(({ one }) => one)]));
  }

  /** Each connection is asked once: one that stays has its reasons. A drain that was taken off and begins anew asks again. */
  #ask(one: Member, path: string): void {
    if (one.state !== 'LOGGED_IN' || (this.#asked.get(one) === path && this.#left.has(path))) return;
    this.#asked.set(one, path);
    askForLogout(one.sender);
  }
}
