/** The iSCSI fabric as it runs: listeners and sessions that follow the tree. */

import { randomBytes } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { admit } from '../target/access.ts';
import type { FabricContext, FabricEngine, FabricState, SessionInfo, Traffic } from '../target/fabric.ts';
import { bracketed, type Portal, printPortal, type Tpg } from '../target/tpg.ts';
import { Connection, type Ends, type Host } from './connection.ts';
import { sessionParameters } from './keys.ts';
import { connectionsMax, portalConnectionsMax, tickMs } from './limits.ts';
import { type Address, keyOf, Listener } from './listener.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import { SocketTransport } from './socket-transport.ts';

export interface IscsiEngine extends FabricEngine {
  /** Where a portal listens: its port is the bound one, also when the portal says 0. Undefined when it does not listen. */
  address(portal: Portal): { address: string; port: number } | undefined;
}

/** What listens at one address. */
interface Served {
  readonly listener: Listener;
  tpgs: readonly Tpg[];
  readonly connections: Set<Connection>;
}

export const startIscsi = (state: FabricState, context: FabricContext): IscsiEngine => new Engine(state, context);

class Engine implements IscsiEngine, Host {
  readonly state: FabricState;
  readonly sessionTable = new Sessions();
  readonly log: FabricContext['log'];
  readonly #served = new Map<string, Served>();
  readonly #connections = new Set<Connection>();
  readonly #timer: NodeJS.Timeout;
  /** Sockets of the service manager that are not adopted yet. */
  #passed: readonly number[];
  #reconciling: Promise<void> = Promise.resolve();

  constructor(state: FabricState, context: FabricContext) {
    this.state = state;
    this.log = context.log;
    this.#passed = context.sockets ?? [];
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  now(): number {
    return performance.now();
  }

  random(bytes: number): Uint8Array {
    return randomBytes(bytes);
  }

  reconcile(): Promise<void> {
    this.#reconcileSessions();
    this.#reconciling = this.#reconciling.then(() => this.#reconcileListeners());
    return this.#reconciling;
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
    return [...this.sessionTable].map(describe);
  }

  endSessions(tpg: Tpg, why: string): void {
    for (const session of this.sessionTable) if (session.tpg === tpg) dismiss(session, why);
  }

  endSession(id: number, why: string): boolean {
    const session = [...this.sessionTable].find((one) => one.id === id);
    if (session) dismiss(session, why);
    return session !== undefined;
  }

  resetTraffic(): void {
    for (const { traffic } of this.sessionTable)
      Object.assign(traffic, { commands: 0, failed: 0, readBytes: 0, writtenBytes: 0 } satisfies Traffic);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reconciling;
    for (const { listener } of this.#served.values()) listener.close();
    this.#served.clear();
    for (const session of this.sessionTable) dismiss(session, 'the target stops');
    await Promise.all([...this.#connections].map((connection) => connection.close('the target stops')));
  }

  #tick(): void {
    for (const connection of this.#connections) {
      connection.tick();
      if (connection.closed) this.#connections.delete(connection);
    }
  }

  #reconcileSessions(): void {
    for (const session of this.sessionTable) {
      const why = this.#dismissal(session);
      if (why) dismiss(session, why);
      else session.refresh();
    }
  }

  /** Why access no longer admits the session, or undefined. */
  #dismissal({ tpg, acl, initiatorName }: Session): string | undefined {
    if (!tpg) return undefined;
    if (this.state.targets.get(tpg.target.wwn)?.tpgs.get(tpg.tag) !== tpg) return `${tpg.path} was deleted`;
    const admission = admit(tpg, initiatorName);
    if (!admission.admitted) return admission.because;
    return admission.acl === acl ? undefined : `the ACL of ${initiatorName} was made or deleted`;
  }

  async #reconcileListeners(): Promise<void> {
    const wanted = new Map<string, { at: Address; tpgs: Tpg[] }>();
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
      // One that was passed on stays open whoever wants it: the service manager holds its address all the same.
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
    else this.log({ level: 'info', event: 'inherited socket', detail: { fd, address: printPortal(bound!) } });
  }

  /** The portals that have to be served: those of enabled TPGs. */
  *#portals(): Generator<{ portal: Portal; tpg: Tpg }> {
    for (const target of this.state.targets.values())
      for (const tpg of target.tpgs.values()) if (tpg.enabled) for (const portal of tpg.portals) yield { portal, tpg };
  }

  async #listen(key: string, at: Address, tpgs: Tpg[]): Promise<void> {
    const served = this.#servedAt(at, tpgs);
    this.#served.set(key, served);
    await served.listener.open();
    const { problem } = served.listener;
    const address = printPortal(at);
    if (problem) this.log({ level: 'warning', event: 'iscsi portal not served', detail: { address, problem } });
  }

  #servedAt(at: Address | number, tpgs: Tpg[]): Served {
    const served: Served = {
      listener: new Listener(at, (socket) => this.#accept(served, socket)),
      tpgs,
      connections: new Set(),
    };
    return served;
  }

  #accept(served: Served, socket: Socket): void {
    for (const set of [this.#connections, served.connections])
      for (const connection of set) if (connection.closed) set.delete(connection);
    if (this.#connections.size >= connectionsMax || served.connections.size >= portalConnectionsMax) {
      this.log({ level: 'warning', event: 'iscsi connection refused', detail: { reason: 'too many connections' } });
      socket.destroy();
      return;
    }
    const ends = endsOf(socket, () => served.tpgs);
    new SocketTransport(socket, (output) => {
      const connection = new Connection(this, ends, output);
      this.#connections.add(connection);
      served.connections.add(connection);
      return connection;
    });
  }

  #servedFor(portal: Portal): Served | undefined {
    return this.#served.get(keyOf(portal));
  }

  /** `::` takes IPv4 too, unless a portal of its own does. */
  #addressOf({ address, port }: Portal): Address {
    const isAny6 = /^[0:]+$/.test(address) && address.includes(':');
    const ipv6Only =
      isAny6 && [...this.#portals()].some(({ portal }) => portal.address === '0.0.0.0' && portal.port === port);
    return { address, port, ipv6Only };
  }
}

function dismiss(session: Session, why: string): void {
  for (const connection of session.connections.values()) connection.dismiss(why);
}

/** IPv4 addresses that come mapped into IPv6 are shown as what they are. */
const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');

function endsOf(socket: Socket, tpgs: () => readonly Tpg[]): Ends {
  const local = socket.address() as AddressInfo;
  return {
    localAddress: plain(local.address),
    remoteAddress: plain(socket.remoteAddress),
    remotePort: socket.remotePort ?? 0,
    tpgs,
  };
}

function describe(session: Session): SessionInfo {
  return {
    id: session.id,
    fabric: 'iscsi',
    targetWwn: session.tpg?.target.wwn ?? '',
    tpgTag: session.tpg?.tag ?? 0,
    initiatorWwn: session.initiatorName,
    initiatorAlias: session.initiatorAlias,
    type: session.type,
    state: 'LOGGED_IN',
    authenticated: session.authenticated,
    acl: session.acl !== undefined,
    parameters: Object.fromEntries(
      sessionParameters.map((name) => {
        const value = session.parameters[name];
        return [name, typeof value === 'boolean' ? (value ? 'Yes' : 'No') : String(value)];
      }),
    ),
    traffic: { ...session.traffic },
    outstanding: session.commands.size,
    window: { expCmdSn: session.expCmdSn, maxCmdSn: session.maxCmdSn },
    connections: [...session.connections.values()].map(({ cid, state, ends }) => ({
      cid,
      state,
      address: `${bracketed(ends.remoteAddress)}:${ends.remotePort}`,
      transport: 'TCP',
    })),
  };
}
