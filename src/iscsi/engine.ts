/** The sessions of the targets that one event loop serves, which follow the tree. */

import { randomBytes } from 'node:crypto';
import { socketOf } from '../system/buffered-socket.ts';
import { descriptorOf } from '../system/descriptor.ts';
import { whyAccessEnded } from '../target/access.ts';
import type { ArrivingConnection, EngineContext, FabricEngine, SessionInfo } from '../target/service.ts';
import { type FabricState, type Portal, printPortal, type Tpg } from '../target/target.ts';
import { noTraffic, type Traffic } from '../target/traffic.ts';
import { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import { Drains } from './drains.ts';
import type { ConnectionHost } from './host.ts';
import type { Output } from './output.ts';
import { Sessions } from './sessions.ts';
import { SocketTransport } from './socket-transport.ts';

export const startIscsi = (state: FabricState, context: EngineContext): FabricEngine => new IscsiEngine(state, context);

class IscsiEngine implements FabricEngine, ConnectionHost {
  readonly state: FabricState;
  readonly sessionTable: Sessions;
  readonly log: EngineContext['log'];
  readonly #context: EngineContext;
  readonly #connections: Connections;
  readonly #drains: Drains;
  /** The ports of portals, as the last arrivals said. */
  readonly #boundPorts = new Map<string, number | undefined>();

  constructor(state: FabricState, context: EngineContext) {
    this.state = state;
    this.sessionTable = new Sessions(state.fabric.name);
    this.log = context.log;
    this.#context = context;
    this.#drains = new Drains(this, (target) => context.serves(target));
    this.#connections = new Connections(context.log, () => this.#drains.tick());
  }

  now(): number {
    return this.#connections.now();
  }

  date(): number {
    return Date.now();
  }

  random(bytes: number): Uint8Array {
    return randomBytes(bytes);
  }

  boundPort(portal: Portal): number | undefined {
    return this.#boundPorts.get(nameOf(portal.address, portal.port));
  }

  take({ id, ends, socket, received, sent, targetName, tpgTag, portal, boundPorts }: ArrivingConnection): void {
    for (const [address, port, bound] of boundPorts) this.#boundPorts.set(nameOf(address, port), bound);
    const portalOf = ({ portals }: Tpg) => portals.find((one) => printPortal(one) === portal);
    const tpgs = () => {
      const target = this.state.targets.get(targetName);
      const tpg = target && this.#context.serves(target) ? target.tpgs.get(tpgTag) : undefined;
      return tpg && portalOf(tpg) ? [tpg] : [];
    };
    const lost = this.state.targets.has(targetName) && tpgs().length === 0;
    if (lost) {
      // The target moved, or its portal went, while the connection was on its way. The initiator connects again.
      this.log({ level: 'info', event: 'iscsi connection came too late', detail: { target: targetName, portal } });
      socketOf(socket).destroy();
      return;
    }
    if (!this.#connections.admit(typeof socket === 'number' ? socket : descriptorOf(socket), ends.remoteAddress)) {
      socketOf(socket).destroy();
      return;
    }
    const open = (output: Output) => {
      const connection = new Connection(this, { ...ends, id, portal, portalOf, tpgs }, output);
      this.#connections.add(connection);
      return connection;
    };
    new SocketTransport(socket, open, { received, sent });
  }

  async reconcile(): Promise<void> {
    for (const connection of this.#connections) connection.reconsider();
    for (const session of this.sessionTable) {
      const { tpg, acl, initiatorName } = session;
      const addresses = Array.from(session.connections.values(), ({ ends }) => ends.remoteAddress);
      const why = tpg && whyAccessEnded(this.state, { initiatorName, addresses, tpg, acl }, this.date());
      // A logical unit is served by one loop at a time: there is nothing to wait for.
      if (tpg && !this.#context.serves(tpg.target)) session.cut('its target moves to another loop');
      else if (why) session.dismiss(why);
      else session.refresh();
    }
    this.#drains.look();
  }

  sessions(): SessionInfo[] {
    return this.sessionTable.describe();
  }

  inFlight(): ReadonlyMap<Traffic, number> {
    const counts = new Map<Traffic, number>();
    for (const session of this.sessionTable) {
      const portals = new Map<unknown, string | undefined>();
      for (const one of session.connections.values()) portals.set(one, one.ends.portal);
      for (const { lun, connection } of session.commands) {
        const traffic = session.units.reach(lun, portals.get(connection))?.traffic;
        if (traffic) counts.set(traffic, (counts.get(traffic) ?? 0) + 1);
      }
    }
    return counts;
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
}

const nameOf = (address: string, port: number): string => `${address} ${port}`;
