/**
 * The arrival of initiators: the listeners that follow the tree, logins until they have named a target, and discovery. A connection that
 * has named a target goes to the loop that serves it, with every byte that it has sent.
 */

import { randomBytes } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { descriptorOf } from '../system/descriptor.ts';
import { congestionControl, lingerMs } from '../system/settings.ts';
import { WorkQueue } from '../system/work-queue.ts';
import type {
  Addresses,
  ArrivingConnection,
  FabricReception,
  ReceptionContext,
  SessionInfo,
} from '../target/service.ts';
import { type FabricState, type Portal, printPortal, type Tpg } from '../target/target.ts';
import { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import type { ConnectionHost } from './host.ts';
import { keyOf, type ListenAddress, Listener } from './listener.ts';
import { Sessions } from './sessions.ts';
import { SocketTransport } from './socket-transport.ts';

export interface IscsiReception extends FabricReception {
  /** The address of a portal: its port is the bound one, also when the portal says 0. Undefined when it does not listen. */
  address(portal: Portal): { address: string; port: number } | undefined;
}

/** The listener at one address, with its portals. */
interface Served {
  readonly listener: Listener;
  tpgs: readonly Tpg[];
}

/** Begins to receive for the targets of a fabric. */
export const receiveIscsi = (state: FabricState, context: ReceptionContext): IscsiReception =>
  new Reception(state, context);

class Reception implements IscsiReception, ConnectionHost {
  readonly state: FabricState;
  /** The discovery sessions; all other sessions are in the loops of their targets. */
  readonly sessionTable: Sessions;
  readonly log: ReceptionContext['log'];
  readonly #context: ReceptionContext;
  readonly #served = new Map<string, Served>();
  readonly #connections: Connections;
  /** Sockets of the service manager that are not adopted yet. */
  #passed: readonly number[];
  readonly #control: string | undefined;
  #lastId: number;
  readonly #following = new WorkQueue();

  constructor(state: FabricState, context: ReceptionContext) {
    this.state = state;
    this.sessionTable = new Sessions(state.fabric.name);
    this.log = context.log;
    this.#context = context;
    this.#connections = new Connections(context.log);
    this.#passed = context.sockets ?? [];
    this.#lastId = context.lastId ?? 0;
    this.#control = congestionControl();
    // A bad value of the setting is reported now, not when the first command comes.
    lingerMs();
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

  reconcile(): Promise<void> {
    return this.#following.take(async () => {
      await this.#reconcileListeners();
      for (const connection of this.#connections) connection.reconsider();
    });
  }

  portalProblem(portal: Portal): string | undefined {
    return this.#servedFor(portal)?.listener.problem;
  }

  address(portal: Portal): { address: string; port: number } | undefined {
    const port = this.boundPort(portal);
    return port === undefined ? undefined : { address: portal.address, port };
  }

  boundPort(portal: Portal): number | undefined {
    return this.#servedFor(portal)?.listener.bound?.port;
  }

  sessions(): SessionInfo[] {
    return this.sessionTable.describe();
  }

  endSession(id: number, why: string): boolean {
    return this.sessionTable.dismiss((session) => session.id === id, why);
  }

  async stop(): Promise<void> {
    await this.#following.empty();
    for (const { listener } of this.#served.values()) listener.close();
    this.#served.clear();
    await this.#connections.end('the target stops');
  }

  async #reconcileListeners(): Promise<void> {
    const wanted = new Map<string, { at: ListenAddress; tpgs: Tpg[] }>();
    for (const { portal, tpg } of this.#portals()) {
      const key = keyOf(portal);
      const entry = wanted.get(key) ?? { at: this.#addressOf(portal), tpgs: [] };
      entry.tpgs.push(tpg);
      wanted.set(key, entry);
    }
    for (const fd of this.#passed) await this.#adopt(fd);
    this.#passed = [];
    for (const [key, served] of this.#served) {
      const { listener } = served;
      const want = wanted.get(key);
      served.tpgs = want?.tpgs ?? [];
      // A socket that was passed on stays open even when no portal wants it: the service manager holds its address all the same.
      if (typeof listener.at === 'number') continue;
      if (want && want.at.ipv6Only === listener.at.ipv6Only && !listener.problem) continue;
      listener.close();
      this.#served.delete(key);
    }
    for (const [key, { at, tpgs }] of wanted) if (!this.#served.has(key)) await this.#listen(key, at, tpgs);
  }

  async #adopt(fd: number): Promise<void> {
    const served = this.#servedAt(fd, []);
    const { listener } = served;
    await listener.open();
    const { bound, problem } = listener;
    if (bound) this.#served.set(keyOf(bound), served);
    if (problem) this.log({ level: 'warning', event: 'inherited socket not used', detail: { fd, reason: problem } });
    else if (bound) this.log({ level: 'info', event: 'inherited socket', detail: { fd, address: printPortal(bound) } });
  }

  /** The portals to be served: those of enabled TPGs. */
  *#portals(): Generator<{ portal: Portal; tpg: Tpg }> {
    for (const target of this.state.targets.values())
      for (const tpg of target.tpgs.values()) if (tpg.enabled) for (const portal of tpg.portals) yield { portal, tpg };
  }

  async #listen(key: string, at: ListenAddress, tpgs: Tpg[]): Promise<void> {
    const served = this.#servedAt(at, tpgs);
    this.#served.set(key, served);
    await served.listener.open();
    const { problem } = served.listener;
    const address = printPortal(at);
    if (problem) this.log({ level: 'warning', event: 'iscsi portal not served', detail: { address, problem } });
  }

  #servedAt(at: ListenAddress | number, tpgs: Tpg[]): Served {
    const served: Served = {
      listener: new Listener(at, this.#control, (socket) => this.#accept(served, socket)),
      tpgs,
    };
    return served;
  }

  #accept(served: Served, socket: Socket): void {
    const ends = endsOf(socket);
    if (!this.#connections.admit(descriptorOf(socket), ends.remoteAddress)) {
      socket.destroy();
      return;
    }
    this.#lastId += 1;
    const id = this.#lastId;
    const transport = new SocketTransport(socket, (output) => {
      const handOver = (tpg: Tpg) =>
        transport.handOver((rest) =>
          this.#context.handOver(tpg.target, this.#arrival(tpg, served, { ...rest, id, ends })),
        );
      const connection = new Connection(
        this,
        {
          ...{ ...ends, id, handOver },
          tpgs: () => this.#now(served)?.tpgs ?? [],
          portalOf: (tpg) => this.#portalOf(tpg, served),
        },
        output,
      );
      this.#connections.add(connection);
      return connection;
    });
  }

  /** The facts of a connection that its target's loop has to know. */
  #arrival(
    tpg: Tpg,
    served: Served,
    parts: Pick<ArrivingConnection<Socket>, 'id' | 'ends' | 'socket' | 'received' | 'sent'>,
  ): ArrivingConnection<Socket> {
    const portals = [...tpg.target.tpgs.values()].flatMap((one) => one.portals);
    const portal = this.#portalOf(tpg, served);
    return {
      portal: portal ? printPortal(portal) : '',
      ...parts,
      targetName: tpg.target.wwn,
      tpgTag: tpg.tag,
      boundPorts: portals.map((portal) => [portal.address, portal.port, this.boundPort(portal)] as const),
    };
  }

  #portalOf(tpg: Tpg, served: Served): Portal | undefined {
    const now = this.#now(served);
    return now && tpg.portals.find((one) => this.#servedFor(one) === now);
  }

  /** The listener and portals that a connection came in by, as they are now: they may have changed or gone. */
  #now({ listener: { at } }: Served): Served | undefined {
    if (typeof at !== 'number') return this.#served.get(keyOf(at));
    return [...this.#served.values()].find(({ listener }) => listener.at === at);
  }

  #servedFor(portal: Portal): Served | undefined {
    return this.#served.get(keyOf(portal));
  }

  /** The address to listen on. `::` takes IPv4 too, unless a portal of its own does. */
  #addressOf({ address, port }: Portal): ListenAddress {
    const isAny6 = /^[0:]+$/.test(address) && address.includes(':');
    const ipv6Only =
      isAny6 && [...this.#portals()].some(({ portal }) => portal.address === '0.0.0.0' && portal.port === port);
    return { address, port, ipv6Only };
  }
}

/** An IPv4 address that comes mapped into IPv6 is shown as IPv4. */
const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');

function endsOf(socket: Socket): Addresses {
  const local = socket.address() as AddressInfo;
  return {
    localAddress: plain(local.address),
    localPort: local.port,
    remoteAddress: plain(socket.remoteAddress),
    remotePort: socket.remotePort ?? 0,
  };
}
