/**
 * Connections to Ceph clusters: one for a cluster and user in each event loop, for as long as an image of it is open there. Ceph knows
 * each as a client of its own, and shuts out clients: a client that is shut out in one loop is not shut out in another.
 */

import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { addressOf, type ForeignCall, textAt, viewOf } from '../system/ffi.ts';
import { systemError } from '../system/system-error.ts';
import { type Ceph, ceph } from './librbd.ts';

/** The address of a cluster, and the user as which we come; absent words are librados's own defaults. */
export interface CephAddress {
  readonly conf?: string;
  readonly user?: string;
}

/**
 * The number of calls that wait for the cluster in threads at one time, of an event loop and a cluster. The threads come out of the pool
 * that other media need: a cluster that hangs keeps these and no more.
 */
const waitingCallsMax = 2;
/** The time that connecting, and a question to the monitors, may take. */
const monitorSeconds = 10;

/**
 * Settings of librados that override ceph.conf. Without a cache of librbd's, every write that it acknowledges is on the OSDs: nothing can
 * be lost with this process, and nothing old comes from it later. A discard clears just its range.
 */
const settings: Readonly<Record<string, string>> = {
  rbd_cache: 'false',
  rbd_skip_partial_discard: 'false',
  rbd_blocklist_on_break_lock: 'true',
  // Librados of Ceph 16 sends any other time as an integer, which its monitors refuse: no lock could be broken.
  rbd_blocklist_expire_seconds: '0',
  client_mount_timeout: String(monitorSeconds),
  rados_mon_op_timeout: String(monitorSeconds),
  log_to_stderr: 'false',
  err_to_stderr: 'false',
  admin_socket: '',
};

/** Calls that wait for one cluster: the connection that they go through may be another one after the first was shut out. */
class Waits {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running === waitingCallsMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

/** The waits of this thread, by the address of the cluster. */
const waits = new Map<string, Waits>();
const connections = new Map<string, Promise<CephCluster>>();

/** Joins the connection to a cluster, which is opened where there is none. The caller leaves it again. @throws OperatorError */
export async function joinCluster(address: CephAddress): Promise<CephCluster> {
  const library = ceph();
  if (!library) throw new OperatorError('librbd is not installed', 'Install it: apt install librbd1');
  const key = `${address.conf ?? ''};${address.user ?? ''}`;
  for (;;) {
    const before = connections.get(key);
    const found = before ?? connect(library, key, address);
    connections.set(key, found);
    try {
      const cluster = await found;
      if (cluster.join()) return cluster;
    } catch (error) {
      if (connections.get(key) === found) connections.delete(key);
      throw error;
    }
    if (connections.get(key) === found) connections.delete(key);
  }
}

async function connect(library: Ceph, key: string, { conf, user }: CephAddress): Promise<CephCluster> {
  const { rados } = library;
  const place = new BigInt64Array(1);
  const refused = (what: string, error: unknown) =>
    new OperatorError(
      `The Ceph cluster${conf === undefined ? '' : ` of ${conf}`} cannot be reached as client.${user ?? 'admin'}: ${what}`,
      reasonOf(error),
    );
  const check = (what: string, result: number) => {
    if (result < 0) throw refused(what, errorOf(result, what));
  };
  check('librados cannot begin', rados.create.now(place, user ?? null));
  const handle = Number(place[0]);
  const queue = waits.get(key) ?? new Waits();
  waits.set(key, queue);
  try {
    check(`its configuration cannot be read`, rados.readConfiguration.now(handle, conf ?? null));
    // An older librados does not know all of these settings.
    for (const [name, value] of Object.entries(settings)) rados.set.now(handle, name, value);
    await queue.during(() =>
      rados.connect.later(handle).catch((error: unknown) => {
        throw refused('it does not answer', error);
      }),
    );
  } catch (error) {
    void queue.during(() => rados.shutdown.later(handle));
    throw error;
  }
  check('it does not say our address', rados.addresses.now(handle, place));
  const [address = 0n] = place;
  const client = bareAddress(textAt(address));
  rados.free.now(address);
  return new CephCluster(handle, client, library, queue);
}

/** The system error of a result. */
const errorOf = (result: number, call: string) => systemError(-result, call);

/**
 * The seconds for which a client is shut out: a year. Monitors leave an entry that is there as it is, so that it cannot be renewed; one
 * names one process, and harms nobody else. Not a whole number, since the monitors of Ceph 16 refuse an integer.
 */
const shutOutSeconds = 365 * 86_400 + 0.5;

/** A connection, and the number of its users. */
export class CephCluster {
  /** The name by which the cluster knows us: the address that a blocklist names. */
  readonly client: string;
  /** The calls of the two libraries. They are there: a cluster is connected to by them. */
  readonly rados: Ceph['rados'];
  readonly rbd: Ceph['rbd'];
  readonly #handle: number;
  readonly #waits: Waits;
  readonly #pools = new Map<string, Promise<number>>();
  #users = 0;
  #isOver = false;

  constructor(handle: number, client: string, { rados, rbd }: Ceph, queue: Waits) {
    this.#handle = handle;
    this.client = client;
    this.rados = rados;
    this.rbd = rbd;
    this.#waits = queue;
  }

  /** Adds a user. @returns false when the connection takes no more */
  join(): boolean {
    if (!this.#isOver) this.#users += 1;
    return !this.#isOver;
  }

  /** Notes that the cluster has shut us out: later users come as another client. */
  shutOut(): void {
    this.#isOver = true;
  }

  /** Removes a user, none of whose calls goes on. */
  leave(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#isOver = true;
    void this.#end();
  }

  async #end(): Promise<void> {
    for (const pool of this.#pools.values()) await pool.then((one) => this.rados.leavePool.now(one)).catch(() => {});
    await this.#waits.during(() => this.rados.shutdown.later(this.#handle));
  }

  /** Makes a call that may wait for the cluster. It keeps `args` until it ends. @throws a system error */
  call(call: ForeignCall, ...args: unknown[]): Promise<number> {
    return this.#waits.during(() => call.later(...args));
  }

  /** The handle of a pool, and of a namespace in it. @throws OperatorError when there is none */
  pool(name: string, namespace: string | undefined): Promise<number> {
    const key = `${name}/${namespace ?? ''}`;
    const found = this.#pools.get(key) ?? this.#openPool(name, namespace);
    this.#pools.set(key, found);
    found.catch(() => this.#pools.delete(key));
    return found;
  }

  async #openPool(name: string, namespace: string | undefined): Promise<number> {
    const place = new BigInt64Array(1);
    try {
      await this.call(this.rados.pool, this.#handle, name, place);
    } catch (error) {
      const hint = systemErrorCode(error) === 'ENOENT' ? 'ceph osd pool ls shows which there are.' : reasonOf(error);
      throw new OperatorError(`There is no pool ${name} that we can use`, hint);
    }
    const pool = Number(place[0]);
    if (namespace !== undefined) this.rados.setNamespace.now(pool, namespace);
    return pool;
  }

  /** The monitors' answer to a command. @throws a system error, SyntaxError */
  async ask(command: Readonly<Record<string, string>>): Promise<unknown> {
    return JSON.parse(await this.#tell(command));
  }

  /**
   * Shuts clients out that are not: when it resolves, nothing of any of them is taken any more where anything of ours was taken
   * since. Monitors make about one change in a second, and tell at once what they have. @throws a system error
   */
  async shutOutOthers(clients: readonly string[]): Promise<void> {
    if (clients.length === 0) return;
    const out = await this.#shutOutNow();
    const left = clients.map(bareAddress).filter((one) => one !== this.client && !out.has(one));
    const add = (addr: string) =>
      this.#tell({ prefix: 'osd blocklist', blocklistop: 'add', addr, expire: shutOutSeconds });
    await Promise.all(left.map(add));
    await this.call(this.rados.latestMap, this.#handle);
  }

  /** The clients that are shut out; none where the monitors do not say it. Their JSON is two lists behind one another, without a comma. */
  async #shutOutNow(): Promise<ReadonlySet<string>> {
    const text = await this.#tell({ prefix: 'osd blocklist ls', format: 'json' }).catch(() => '');
    return new Set(Array.from(text.matchAll(/"addr": *"([^"]+)"/g), ([, address = '']) => bareAddress(address)));
  }

  async #tell(command: Readonly<Record<string, string | number>>): Promise<string> {
    const words = Buffer.from(`${JSON.stringify(command)}\0`);
    const list = new BigInt64Array([addressOf(words)]);
    const [output, outputLength] = [new BigInt64Array(1), new BigInt64Array(1)];
    const [status, statusLength] = [new BigInt64Array(1), new BigInt64Array(1)];
    const { ask, free } = this.rados;
    await this.call(ask, this.#handle, list, 1, 0, 0, output, outputLength, status, statusLength);
    try {
      if (outputLength[0] === 0n) return '';
      return Buffer.from(viewOf(Number(output[0]), Number(outputLength[0]))).toString('utf8');
    } finally {
      // The call needed the memory of the words until here.
      words.fill(0);
      for (const [one = 0n] of [output, status]) if (one !== 0n) free.now(one);
    }
  }
}

/** An address without the protocol that some versions say before it, to be compared. */
export const bareAddress = (address: string): string => address.replace(/^(?:v1|v2|any):/, '');
