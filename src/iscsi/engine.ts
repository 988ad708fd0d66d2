/** The sessions of the targets that one event loop serves: they follow the tree. */

import { randomBytes } from 'node:crypto';
import { admit } from '../target/access.ts';
import type { Arrival, EngineContext, FabricEngine, FabricState, SessionInfo } from '../target/fabric.ts';
import type { Portal, Tpg } from '../target/tpg.ts';
import { noTraffic } from '../target/traffic.ts';
import { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import type { Host } from './host.ts';
import type { Output } from './output.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import { SocketTransport, socketOf } from './socket-transport.ts';

export const startIscsi = (state: FabricState, context: EngineContext): FabricEngine => new Engine(state, context);

class Engine implements FabricEngine, Host {
  readonly state: FabricState;
  readonly sessionTable = new Sessions();
  readonly log: EngineContext['log'];
  readonly #context: EngineContext;
  readonly #connections = new Connections();
  /** What portals listen on, as the last arrivals said. */
  readonly #boundPorts = new Map<string, number | undefined>();

  constructor(state: FabricState, context: EngineContext) {
    this.state = state;
    this.log = context.log;
    this.#context = context;
  }

  now(): number {
    return this.#connections.now();
  }

  random(bytes: number): Uint8Array {
    return randomBytes(bytes);
  }

  boundPort(portal: Portal): number | undefined {
    return this.#boundPorts.get(nameOf(portal.address, portal.port));
  }

  take({ id, ends, socket, received, sent, targetName, tpgTag, portal, boundPorts }: Arrival): void {
    for (const [address, port, bound] of boundPorts) this.#boundPorts.set(nameOf(address, port), bound);
    const tpgs = () => {
      const tpg = this.state.targets.get(targetName)?.tpgs.get(tpgTag);
      return tpg ? [tpg] : [];
    };
    if (this.#connections.full) {
      this.log({ level: 'warning', event: 'iscsi connection refused', detail: { reason: 'too many connections' } });
      socketOf(socket).destroy();
      return;
    }
    const open = (output: Output) => {
      const connection = new Connection(this, { ...ends, id, portal, tpgs }, output);
      this.#connections.add(connection);
      return connection;
    };
    new SocketTransport(socket, open, { received, sent });
  }

  async reconcile(): Promise<void> {
    for (const session of this.sessionTable) {
      const why = this.#dismissal(session);
      // A logical unit is served by one loop at a time: there is nothing to wait for.
      if (session.tpg && !this.#context.serves(session.tpg.target)) session.cut('its target moves to another loop');
      else if (why) session.dismiss(why);
      else session.refresh();
    }
  }

  sessions(): SessionInfo[] {
    return this.sessionTable.describe();
  }

  endSessions(tpg: Tpg, why: string): void {
    for (const session of this.sessionTable) if (session.tpg === tpg) session.cut(why);
  }

  endSession(id: number, why: string): boolean {
    return this.sessionTable.dismiss((session) => session.id === id, why);
  }

  resetTraffic(): void {
    for (const { traffic } of this.sessionTable) Object.assign(traffic, noTraffic());
  }

  async stop(): Promise<void> {
    await this.#connections.end('the target stops');
  }

  /** Why access no longer admits the session, or undefined. */
  #dismissal({ tpg, acl, initiatorName }: Session): string | undefined {
    if (!tpg) return undefined;
    if (this.state.targets.get(tpg.target.wwn)?.tpgs.get(tpg.tag) !== tpg) return `${tpg.path} was deleted`;
    const admission = admit(tpg, initiatorName);
    if (!admission.admitted) return admission.because;
    return admission.acl === acl ? undefined : `the ACL of ${initiatorName} was made or deleted`;
  }
}

const nameOf = (address: string, port: number): string => `${address} ${port}`;
