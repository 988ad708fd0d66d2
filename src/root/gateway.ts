/**
 * This process as a gateway of a cluster: which of its storage objects others can serve, too, who serves each of them now, and
 * what is said of that to the loops, to initiators and to operators.
 */

import { randomUUID } from 'node:crypto';
import { type Clock, monotonic } from '../cluster/clock.ts';
import { Custody } from '../cluster/custody.ts';
import { type ClusterKeys, clusterKeys } from '../cluster/keys.ts';
import type { UnitMedium, UnitStanding } from '../cluster/medium.ts';
import { numberKeys, numberOf, numbersIn } from '../cluster/numbers.ts';
import type { OwnerStanding } from '../cluster/owner-record.ts';
import { type Store, StoreError } from '../cluster/store.ts';
import { drainedKeys, unitKeys } from '../cluster/unit-records.ts';
import { UnitRequests } from '../cluster/unit-requests.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ShareAnswer, ShareAsk, SharedNews, ShareRequest } from '../loops/shared-units.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { RelayedCommand } from '../scsi/shared-unit.ts';
import { WorkQueue } from '../system/work-queue.ts';
import { gatewayGroups } from './gateway-groups.ts';

/** The parts of the process that a gateway needs. */
export interface GatewayOptions {
  readonly store: Store;
  readonly cluster: string;
  readonly name: string;
  /** Tells this home from that of another gateway. */
  readonly token: string;
  /** The number that it had when it served before: with it a gateway stands by until etcd answers. */
  readonly number?: number;
  /** Whether the tree is that of the cluster as it was not long ago; absent: it is. Nothing is served here before. */
  readonly isCurrent?: () => boolean;
  readonly log: Log;
  readonly storageObjects: () => Iterable<StorageObject>;
  /** Where a simulation can have its own. */
  readonly clock?: Clock;
  /** Has the loop of a storage object carry something out; undefined: no loop has it, or none shares it. */
  readonly share: (path: string, request: ShareRequest) => Promise<ShareAnswer | undefined>;
}

/** How a unit stands in the cluster, for operators. Plain data. */
export interface UnitOwnership {
  readonly path: string;
  readonly serial: string;
  /** Undefined: no gateway has it now. */
  readonly owner: string | undefined;
  readonly epoch: number;
  /** How it stands at this gateway. */
  readonly here: OwnerStanding;
  readonly prefers?: string | undefined;
}

/** A gateway as the others see it. Plain data. */
export interface GatewayStanding {
  readonly name: string;
  /** The number of its target port group. */
  readonly number: number;
  readonly isAlive: boolean;
  /** Whether the gateway is to own nothing. */
  readonly isDrained: boolean;
}

interface Unit {
  readonly object: StorageObject;
  readonly medium: UnitMedium;
  comes: ((client: string) => Promise<void>) | undefined;
  now: UnitStanding;
  /** The words that the loop was told last, and the reservations among them. */
  told: string;
  heard: string | null | undefined;
  shape: unknown;
  /** The tree does not have it any more: what has its path now is another one. */
  isLeaving: boolean;
  /** The loop is told one thing after the other. */
  readonly telling: WorkQueue;
}

/** How long the end of this process waits until others have what it served. */
const endMs = 6_000;
/** How long an operator's move is waited for. */
const operatorMoveMs = 15_000;

/** A process that serves a part of what a cluster shares. */
export class Gateway {
  /** The target port group of this gateway. */
  readonly number: number;
  readonly #options: GatewayOptions;
  readonly #keys: ClusterKeys;
  readonly #clock: Clock;
  readonly #units = new Map<string, Unit>();
  #custody: Custody | undefined;
  #requests: UnitRequests | undefined;
  #isEnding = false;

  private constructor(options: GatewayOptions, number: number) {
    this.#options = options;
    this.#keys = clusterKeys(options.cluster);
    this.#clock = options.clock ?? monotonic;
    this.number = number;
  }

  /** @throws OperatorError when nobody says which number this gateway has: nothing is served then */
  static async join(options: GatewayOptions): Promise<Gateway> {
    const { store, cluster, name, number } = options;
    try {
      return new Gateway(options, await numberOf(store, clusterKeys(cluster), name));
    } catch (error) {
      if (number !== undefined && error instanceof StoreError) return new Gateway(options, number);
      throw new OperatorError(
        `The gateway ${name} cannot begin to serve: the cluster ${cluster} does not say what others serve. ${reasonOf(error)}`,
        'It serves nothing on its own. Start it again when etcd answers: tcli cluster status',
      );
    }
  }

  /** Takes part from now on: loops serve, and share what they can. */
  start(): void {
    const { store, name, token, log, isCurrent = () => true } = this.#options;
    const me = { gateway: name, process: randomUUID() };
    const custody = new Custody({
      ...{ store, me, home: token, clock: this.#clock, keys: this.#keys, number: this.number, isReady: isCurrent },
      changed: (serial) => this.#changed(serial),
      told: (what, serial, detail) => {
        const path = this.#units.get(serial)?.object.path ?? '';
        if (what === 'taken') log({ level: 'info', event: 'unit taken', detail: { path, ...detail } });
        if (what === 'given') log({ level: 'info', event: 'unit given', detail: { path, ...detail } });
        if (what === 'damaged')
          log({ level: 'error', event: 'owner record damaged', detail: { path, serial, ...detail } });
        if (what === 'name taken') log({ level: 'error', event: 'gateway name taken', detail: { ...detail } });
      },
    });
    this.#custody = custody;
    this.#requests = new UnitRequests({
      ...{ store, custody, me: name, clock: this.#clock, keys: this.#keys },
      carryOut: async (serial, command) => {
        const unit = this.#units.get(serial);
        const answer = unit && (await this.#ask(unit, { does: 'carry out', command: command as RelayedCommand }));
        return answer?.completion;
      },
    });
    this.follow();
  }

  /** The tree has changed: units come, and go. */
  follow(): void {
    const custody = this.#custody;
    if (!custody) return;
    const shared = [...this.#options.storageObjects()].filter((one) => one.backstore.sharing?.(one.config));
    const now = new Map(shared.map((one) => [one.wwn, one]));
    for (const [serial, unit] of this.#units)
      if (now.get(serial) !== unit.object && !unit.isLeaving) {
        unit.isLeaving = true;
        // Another one with its serial number begins when this one has been given back.
        void custody.remove(serial).then(() => {
          this.#units.delete(serial);
          this.follow();
        });
      }
    for (const [serial, object] of now)
      if (!this.#units.has(serial)) {
        const unit = this.#unitOf(object);
        this.#units.set(serial, unit);
        custody.add(serial, unit.medium);
        this.#tell(serial, unit);
      }
  }

  /** Others have what this process served, or it takes too long. */
  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#custody?.end(endMs);
    this.#custody = undefined;
  }

  /** Answers a loop that asks about a unit. Rejects when gateways cannot be asked. */
  async answer(path: string, ask: ShareAsk): Promise<unknown> {
    const unit = this.#at(path);
    const [custody, requests] = [this.#custody, this.#requests];
    if (!unit || !custody || !requests) throw new OperatorError(`${path} is not shared now`);
    const serial = unit.object.wwn;
    switch (ask.asks) {
      case 'comes':
        if (!unit.comes) throw new OperatorError(`${path} is not to be opened here`);
        return unit.comes(ask.client);
      case 'stands':
        unit.told = '';
        return this.#tell(serial, unit);
      case 'lost':
        return custody.lost(serial);
      case 'move':
        // A gateway that ends takes nothing.
        return !this.#isEnding && requests.move(serial, this.#nameOf(ask.group), 'initiator');
      case 'relay':
        return requests.relay(serial, ask.command);
      case 'reservations':
        return (await custody.readReservations(serial)) ?? null;
      case 'keep':
        return custody.keepReservations(serial, ask.kept);
    }
  }

  /** How units stand, as this gateway knows it. */
  units(): UnitOwnership[] {
    return Array.from(this.#units, ([serial, { object, now }]) => {
      const record = this.#custody?.ownerOf(serial);
      const prefers = this.#custody?.copy.get(unitKeys(this.#keys, serial).prefer)?.value;
      const said = { path: object.path, serial, owner: record?.owner?.gateway, epoch: record?.epoch ?? 0 };
      return { ...said, here: now.standing, ...(prefers !== undefined && { prefers }) };
    });
  }

  /** Gateways with their numbers, and whether they are alive and are to own nothing. */
  gateways(): GatewayStanding[] {
    const drained = drainedKeys(this.#keys);
    const isDrained = new Set(this.#custody?.copy.below(drained).map(({ key }) => key.slice(drained.length)));
    return Array.from(this.#numbers(), ([name, number]) => ({
      ...{ name, number, isAlive: this.#custody?.copy.alive.has(name) ?? false, isDrained: isDrained.has(name) },
    }));
  }

  /** Has a unit served by another gateway. @throws OperatorError when it is not, after a while */
  async move(path: string, to: string): Promise<void> {
    const serial = this.#serialOf(path);
    this.#known(to);
    if (!this.#custody?.copy.alive.has(to))
      throw new OperatorError(`The gateway ${to} is not alive.`, 'tcli cluster status');
    const isMoved = await this.#requests!.move(serial, to, 'operator', operatorMoveMs).catch((error: unknown) => {
      throw new OperatorError(`${path} cannot be moved: ${reasonOf(error)}`);
    });
    if (!isMoved)
      throw new OperatorError(`${path} is not served by ${to} yet.`, `The log of ${to} says why. tcli cluster status`);
  }

  /** The gateway that is to take a unit whenever nobody has it; undefined: chance decides. */
  async prefer(path: string, gateway: string | undefined): Promise<void> {
    const { prefer } = unitKeys(this.#keys, this.#serialOf(path));
    if (gateway !== undefined) this.#known(gateway);
    const step = gateway === undefined ? { delete: prefer } : { put: prefer, value: gateway };
    await this.#options.store.transact({ when: [], do: [step] });
  }

  /** A gateway is to own nothing, or may own again. */
  async drain(gateway: string, on: boolean): Promise<void> {
    this.#known(gateway);
    const key = `${drainedKeys(this.#keys)}${gateway}`;
    await this.#options.store.transact({ when: [], do: [on ? { put: key, value: '1' } : { delete: key }] });
  }

  #known(gateway: string): void {
    if (this.#numbers().has(gateway)) return;
    const names = [...this.#numbers().keys()].sort().join(', ');
    throw new OperatorError(`There is no gateway ${gateway} in this cluster.`, `There are ${names}`);
  }

  #serialOf(path: string): string {
    const unit = this.#at(path);
    if (unit) return unit.object.wwn;
    throw new OperatorError(
      `${path} is not shared by the gateways of the cluster.`,
      'Only what stands on Ceph is: user:rbd.',
    );
  }

  #at(path: string): Unit | undefined {
    return [...this.#units.values()].find(({ object, isLeaving }) => object.path === path && !isLeaving);
  }

  #numbers(): Map<string, number> {
    const prefix = numberKeys(this.#keys);
    return numbersIn(prefix, this.#custody?.copy.below(prefix) ?? []).set(this.#options.name, this.number);
  }

  #nameOf(group: number): string {
    const found = [...this.#numbers()].find(([, number]) => number === group);
    if (!found) throw new OperatorError(`no gateway has the number ${group}`);
    return found[0];
  }

  #unitOf(object: StorageObject): Unit {
    const unit: Unit = {
      object,
      medium: {
        fences: object.backstore.sharing?.(object.config) === 'fences',
        open: (shutOut, comes) => this.#open(unit, shutOut, comes),
        close: async (clean) => {
          const answer = await this.#ask(unit, { does: 'close', clean }).catch(() => undefined);
          return answer?.clean ?? false;
        },
        stand: (now) => {
          unit.now = now;
          if (now.standing === 'active') void this.#putShape(unit);
          this.#tell(object.wwn, unit, now);
        },
      },
      comes: undefined,
      now: { standing: 'standby', epoch: 0, unplanned: false },
      told: '',
      heard: undefined,
      ...{ shape: undefined, isLeaving: false },
      telling: new WorkQueue(),
    };
    return unit;
  }

  async #open(unit: Unit, shutOut: readonly string[], comes: (client: string) => Promise<void>) {
    const { path } = unit.object;
    unit.comes = comes;
    const answer = await this.#ask(unit, { does: 'open', shutOut }).catch((error: unknown): ShareAnswer => {
      return { opened: false, clean: false, reason: reasonOf(error) };
    });
    unit.comes = undefined;
    const { opened = false, clean = true, shape, reason = 'no loop has it' } = answer ?? {};
    if (shape) unit.shape = shape;
    if (!opened) this.#options.log({ level: 'warning', event: 'unit not opened', detail: { path, reason } });
    return { opened, clean };
  }

  /** After all that the loop was told before. */
  async #ask({ object, telling }: Unit, request: ShareRequest): Promise<ShareAnswer | undefined> {
    const ask = () => this.#options.share(object.path, request);
    if (request.does === 'stand') return telling.take(ask);
    // Closing and opening do not wait for each other's turn: what is being opened is closed when it is open.
    await telling.empty();
    return ask();
  }

  /** The shape of the owner's volume is for those who stand by. */
  async #putShape({ object, shape }: Unit): Promise<void> {
    const { shape: key, owner } = unitKeys(this.#keys, object.wwn);
    const value = JSON.stringify(shape ?? null);
    const seen = this.#custody?.seenOf(object.wwn);
    if (!seen || this.#custody?.copy.get(key)?.value === value) return;
    const when = [{ key: owner, modified: seen.revision }];
    await this.#options.store.transact({ when, do: [{ put: key, value }] }).catch(() => {});
  }

  #changed(serial: string | undefined): void {
    for (const [one, unit] of this.#units) {
      if (serial !== undefined && one !== serial) continue;
      if (serial !== undefined) this.#requests?.look(one);
      this.#tell(one, unit);
    }
  }

  /** Tells the loop how a unit stands, if that is news. @param now what goes with a new standing */
  #tell(serial: string, unit: Unit, now: Partial<UnitStanding> = {}): void {
    const custody = this.#custody;
    if (!custody || unit.isLeaving) return;
    const { standing } = unit.now;
    const { reservations, unplanned } = now;
    const { shape, reservations: key } = unitKeys(this.#keys, serial);
    const heard = custody.copy.get(key)?.value ?? null;
    // The gateway that serves the unit has changed its reservations itself.
    const isNews = reservations === undefined && standing === 'standby' && heard !== unit.heard;
    unit.heard = heard;
    const known = { custody, keys: this.#keys, me: this.#options.name, number: this.number, numbers: this.#numbers() };
    const news: SharedNews = {
      standing,
      groups: gatewayGroups(serial, standing, known),
      own: this.number,
      until: unit.medium.fences ? undefined : custody.until,
      shape: unit.shape ?? parsed(custody.copy.get(shape)?.value),
      ...(reservations !== undefined && { reservations }),
      ...(unplanned && { unplanned }),
      ...(isNews && { reservations: heard }),
    };
    const text = JSON.stringify(news);
    if (text === unit.told) return;
    unit.told = text;
    void this.#ask(unit, { does: 'stand', ...news }).catch(() => {});
  }
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
