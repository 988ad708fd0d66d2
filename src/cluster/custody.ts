/**
 * One gateway's part in who owns which unit: carries out what `ownership.ts` decides, with the store and with whoever has the
 * media, and tells it what comes of that.
 */

import { choiceOf } from './choice.ts';
import type { Clock } from './clock.ts';
import { ClusterCopy } from './cluster-copy.ts';
import type { ClusterKeys } from './keys.ts';
import type { UnitMedium } from './medium.ts';
import { numberKeys } from './numbers.ts';
import type { OwnerRecord, OwnerStanding, Party } from './owner-record.ts';
import { Ownership } from './ownership.ts';
import type { OwnershipAction, OwnershipEvent } from './ownership-events.ts';
import { Presence, parsePresented } from './presence.ts';
import type { Store, StoreComparison } from './store.ts';
import { parseOwner, parseWish, unitKeys, unitOfKey } from './unit-records.ts';

export interface CustodyOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly keys: ClusterKeys;
  readonly me: Party;
  /** The home, as in `PresenceOptions`. */
  readonly home: string;
  /** The number that the gateway has, as it knows it: without it in the store, it takes no part. */
  readonly number?: number;
  /** Whether the gateway may take part; absent: it may. */
  readonly isReady?: () => boolean;
  readonly ttl?: number;
  /** Called when the owner of a unit, or the gateways that are alive, should be looked at again. */
  readonly changed?: (serial: string | undefined) => void;
  /** A unit is served here from now on, or not any more; a record could not be read; another gateway has our name. */
  readonly told?: (what: 'taken' | 'given' | 'damaged' | 'name taken', serial: string, detail: object) => void;
}

/** Seconds. */
const leaseSeconds = 5;
const tickMs = 250;
const readAgainMs = 500;
/** How long initiators take to see who serves a unit now: the checkers of their paths ask every few seconds. */
const seenMs = 4_000;

interface Unit {
  readonly serial: string;
  readonly medium: UnitMedium;
  readonly ownership: Ownership;
  readonly admits: Map<string, (may: boolean) => void>;
  idle: (() => void) | undefined;
  /** Whether the log has the unit as served here. */
  isTaken: boolean;
  /** The reservations in the store, as this gateway has read or put them; undefined: they are not known. */
  reservations: { readonly value: string | undefined; readonly revision: number } | undefined;
}

/** A gateway among those that share units: what it serves of them, and what others do. */
export class Custody {
  /** The store as it was not long ago. */
  readonly copy: ClusterCopy;
  readonly #options: CustodyOptions;
  readonly #units = new Map<string, Unit>();
  readonly #presence: Presence;
  #until = Number.NEGATIVE_INFINITY;
  #cancelTick: () => void = () => {};
  #isEnded = false;
  /** Called after each change. */
  readonly #looks = new Set<() => void>();

  constructor(options: CustodyOptions) {
    this.#options = options;
    const { store, clock, keys, me, home, number, isReady = () => true, ttl = leaseSeconds } = options;
    this.copy = new ClusterCopy({ store, clock, keys, changed: (changed) => this.#changed(changed) });
    this.#presence = new Presence({
      ...{ store, clock, me, home, ttl, isReady, key: keys.aliveGateway(me.gateway) },
      holds: number === undefined ? [] : [{ key: `${numberKeys(keys)}${me.gateway}`, value: String(number) }],
      renewed: (until) => {
        this.#until = until;
        this.#all({ is: 'lease', until });
        options.changed?.(undefined);
      },
      taken: () => options.told?.('name taken', '', { gateway: me.gateway }),
    });
    this.#tick();
  }

  /** The lease is good until then, by the clock; it is not renewed while the store does not answer. */
  get until(): number {
    return this.#until;
  }

  /** The lease is good now: what the copy says of others was so not long ago. */
  get isCurrent(): boolean {
    return this.#options.clock.now() < this.#until;
  }

  get lease(): string | undefined {
    return this.#presence.lease;
  }

  /** The owner of a unit, as the store had it not long ago. */
  ownerOf(serial: string): OwnerRecord | undefined {
    const found = this.copy.get(this.#keysOf(serial).owner);
    return found && this.#parsed(serial, found.value, parseOwner);
  }

  standingOf(serial: string): OwnerStanding | undefined {
    return this.#units.get(serial)?.ownership.standing;
  }

  /** The record that this gateway has written last, or seen, for what is to be written beside it. */
  seenOf(serial: string): { readonly epoch: number; readonly revision: number } | undefined {
    const unit = this.#units.get(serial);
    return unit && { epoch: unit.ownership.epoch, revision: unit.ownership.seen?.revision ?? 0 };
  }

  /** Takes part in who owns a unit. */
  add(serial: string, medium: UnitMedium): void {
    const { me } = this.#options;
    const ownership = new Ownership({ me, fences: medium.fences });
    const fresh = { admits: new Map(), idle: undefined, isTaken: false, reservations: undefined };
    const unit: Unit = { serial, medium, ownership, ...fresh };
    this.#units.set(serial, unit);
    this.#step(unit, { is: 'lease', until: this.#until });
    this.#tell(unit);
  }

  /** Gives a unit to others, and takes part no more. Resolves when nothing of it is open here. */
  async remove(serial: string): Promise<void> {
    const unit = this.#units.get(serial);
    if (!unit) return;
    const idle = new Promise<void>((resolve) => {
      unit.idle = resolve;
    });
    this.#step(unit, { is: 'leave' });
    await idle;
    this.#units.delete(serial);
  }

  /** The medium of a unit is not ours any more: it says so itself. */
  lost(serial: string): void {
    const unit = this.#units.get(serial);
    if (unit) this.#step(unit, { is: 'lost' });
  }

  /** Gives all units to others, and waits until those serve them. @param withinMs what takes longer is left to the lease */
  async end(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const served = [...this.#units.values()].filter(({ isTaken }) => isTaken);
    let areGiven = false;
    const given = Promise.all([...this.#units.keys()].map((serial) => this.remove(serial))).then(async () => {
      areGiven = true;
      return (await Promise.all(served.map(({ serial }) => this.#served(serial)))).includes(true);
    });
    let cancel = () => {};
    const late = new Promise<false>((resolve) => {
      cancel = clock.after(withinMs, () => resolve(false));
    });
    // Initiators are sent away behind this. One that finds the unit served nowhere gives up its other path, too; one that goes by the
    // states before asks here for the unit, and its I/O waits until that is answered.
    if (await Promise.race([given, late])) await new Promise<void>((resolve) => void clock.after(seenMs, resolve));
    cancel();
    this.#isEnded = true;
    this.#cancelTick();
    await this.#presence.end(areGiven ? 'at once' : 'when the lease runs out');
    this.copy.close();
  }

  /** Resolves with true when another gateway serves a unit that was given back, with false where none is there that can. */
  #served(serial: string): Promise<boolean> {
    return new Promise((resolve) => {
      const isOther = (one: string | undefined) => one !== undefined && one !== this.#options.me.gateway;
      const look = () => {
        const { serves, owner } = this.ownerOf(serial) ?? {};
        const isServed = serves === true && isOther(owner?.gateway);
        if (!isServed && this.copy.candidates().some(isOther)) return;
        this.#looks.delete(look);
        resolve(isServed);
      };
      this.#looks.add(look);
      look();
    });
  }

  #keysOf(serial: string) {
    return unitKeys(this.#options.keys, serial);
  }

  #tick(): void {
    const { isCurrent } = this;
    this.#cancelTick = this.#options.clock.after(tickMs, () => {
      this.#all({ is: 'tick' });
      if (isCurrent && !this.isCurrent) this.#options.changed?.(undefined);
      this.#tick();
    });
  }

  #all(event: OwnershipEvent): void {
    for (const unit of [...this.#units.values()]) this.#step(unit, event);
  }

  #changed(changed: readonly string[]): void {
    const { keys } = this.#options;
    if (changed.some((key) => !key.startsWith(keys.units))) {
      for (const unit of this.#units.values()) this.#tell(unit);
      this.#options.changed?.(undefined);
    }
    const serials = new Set(changed.map((key) => unitOfKey(keys, key)?.serial));
    for (const serial of serials) {
      if (serial === undefined) continue;
      const unit = this.#units.get(serial);
      if (unit) this.#tell(unit);
      this.#options.changed?.(serial);
    }
    // A unit that nobody has owned yet has no key: that the store was read is news of it.
    for (const unit of this.#units.values()) if (!unit.ownership.seen) this.#tell(unit);
    for (const look of this.#looks) look();
  }

  /** Tells a unit all that is known of it. */
  #tell(unit: Unit): void {
    if (!this.copy.isRead) return;
    const { owner, wish, prefer } = this.#keysOf(unit.serial);
    const choice = choiceOf(unit.serial, this.copy.candidates(), this.copy.get(prefer)?.value);
    this.#step(unit, { is: 'gateways', alive: this.copy.alive, choice });
    const wished = this.copy.get(wish);
    this.#step(unit, { is: 'wish', wish: wished && this.#parsed(unit.serial, wished.value, parseWish) });
    const found = this.copy.get(owner);
    const record = found && this.#parsed(unit.serial, found.value, parseOwner);
    // A record that cannot be read is somebody's: the unit is left alone.
    if (!found || record) this.#step(unit, { is: 'seen', fresh: false, record, revision: found?.modified ?? 0 });
  }

  #parsed<T>(serial: string, text: string, parse: (text: string) => T): T | undefined {
    try {
      return parse(text);
    } catch (error) {
      this.#options.told?.('damaged', serial, { reason: String(error) });
      return undefined;
    }
  }

  #step(unit: Unit, event: OwnershipEvent): void {
    for (const action of unit.ownership.step(event, this.#options.clock.now())) this.#carryOut(unit, action);
    if (unit.idle && unit.ownership.isIdle) unit.idle();
  }

  #carryOut(unit: Unit, action: OwnershipAction): void {
    const { serial, medium, ownership } = unit;
    switch (action.does) {
      case 'write':
        void this.#write(unit, action).then((written) => this.#step(unit, { is: 'written', ...written }));
        return;
      case 'read':
        void this.#read(unit);
        return;
      case 'refuse wish':
        this.#withdraw(serial);
        return;
      case 'open': {
        const comes = (client: string) =>
          new Promise<void>((resolve, reject) => {
            unit.admits.set(client, (may) => (may ? resolve() : reject(new Error('another gateway owns it now'))));
            this.#step(unit, { is: 'comes', client });
          });
        void medium
          .open(action.shutOut, comes)
          .then(({ opened, clean }) => this.#step(unit, opened ? { is: 'opened' } : { is: 'not opened', clean }));
        return;
      }
      case 'admit':
        unit.admits.get(action.client)?.(action.may);
        unit.admits.delete(action.client);
        return;
      case 'close':
        void medium.close(action.clean).then((clean) => this.#step(unit, { is: 'closed', clean }));
        return;
      case 'stand': {
        const { standing, unplanned } = action;
        const { epoch } = ownership;
        const known = standing === 'active' && unit.reservations;
        medium.stand({ standing, epoch, unplanned, ...(known && { reservations: known.value ?? null }) });
        if (standing === 'active') this.#withdraw(serial, this.#options.me.gateway);
        const isHere = standing === 'active' || (unit.isTaken && standing !== 'standby');
        if (isHere && !unit.isTaken) this.#options.told?.('taken', serial, { epoch, unplanned });
        if (!isHere && unit.isTaken) this.#options.told?.('given', serial, { epoch });
        unit.isTaken = isHere;
        return;
      }
    }
  }

  /** Takes the wish away that a unit be moved. @param to only one to this gateway: it is fulfilled */
  #withdraw(serial: string, to?: string): void {
    const { wish } = this.#keysOf(serial);
    const found = this.copy.get(wish);
    if (!found) return;
    if (to !== undefined && this.#parsed(serial, found.value, parseWish)?.to !== to) return;
    const { store } = this.#options;
    void store.transact({ when: [{ key: wish, modified: found.modified }], do: [{ delete: wish }] }).catch(() => {});
  }

  async #write(
    unit: Unit,
    { record, over, gone, why }: Extract<OwnershipAction, { does: 'write' }>,
  ): Promise<{ outcome: 'done'; revision: number } | { outcome: 'refused' | 'unknown' }> {
    const { store, keys, me } = this.#options;
    const { owner, reservations } = this.#keysOf(unit.serial);
    const { lease } = this.#presence;
    const isGone = gone && this.#goneAs(gone);
    if (lease === undefined || (gone && !isGone)) return { outcome: 'refused' };
    const when: StoreComparison[] = [
      { key: owner, modified: over },
      { key: keys.aliveGateway(me.gateway), lease },
    ];
    if (isGone) when.push(isGone);
    try {
      const written = await store.transact({
        when,
        do: [
          { put: owner, value: JSON.stringify(record) },
          ...(why === 'serve' ? [{ read: { key: reservations } }] : []),
        ],
      });
      if (!written.succeeded) return { outcome: 'refused' };
      const found = written.found[0]?.values[0];
      if (why === 'serve') unit.reservations = { value: found?.value, revision: found?.modified ?? 0 };
      return { outcome: 'done', revision: written.revision };
    } catch {
      return { outcome: 'unknown' };
    }
  }

  /**
   * Puts down what the unit knows of reservations, as its owner, in place of what was last read or put down. Resolves when it
   * is durable. @throws Error when it is not, or nobody knows: `readReservations` says what there is
   */
  async keepReservations(serial: string, value: string): Promise<void> {
    const unit = this.#units.get(serial);
    const { lease } = this.#presence;
    const { keys, me, store } = this.#options;
    const { owner, reservations } = this.#keysOf(serial);
    const over = unit?.reservations;
    if (unit?.ownership.standing !== 'active' || lease === undefined || !over)
      throw new Error('what gateways share cannot be changed by this one now');
    unit.reservations = undefined;
    const kept = await store.transact({
      when: [
        { key: owner, modified: unit.ownership.seen!.revision },
        { key: reservations, modified: over.revision },
        { key: keys.aliveGateway(me.gateway), lease },
      ],
      do: [{ put: reservations, value }],
    });
    if (!kept.succeeded) throw new Error('another gateway has the unit now');
    unit.reservations = { value, revision: kept.revision };
  }

  /** The reservations of a unit in the store now, or later. @throws StoreError */
  async readReservations(serial: string): Promise<string | undefined> {
    const found = (await this.#options.store.read({ key: this.#keysOf(serial).reservations })).values[0];
    const unit = this.#units.get(serial);
    if (unit && (unit.reservations?.revision ?? 0) <= (found?.modified ?? 0))
      unit.reservations = { value: found?.value, revision: found?.modified ?? 0 };
    return found?.value;
  }

  /** The comparison that holds once a party is gone, as we know it; undefined: as we know it, the party is alive. */
  #goneAs({ gateway, process }: Party): StoreComparison | undefined {
    const key = this.#options.keys.aliveGateway(gateway);
    const there = this.copy.get(key);
    if (!there) return { key, modified: 0 };
    return parsePresented(there.value)?.process === process ? undefined : { key, modified: there.modified };
  }

  async #read(unit: Unit): Promise<void> {
    const { store, clock } = this.#options;
    try {
      const found = (await store.read({ key: this.#keysOf(unit.serial).owner })).values[0];
      const record = found && this.#parsed(unit.serial, found.value, parseOwner);
      if (found && !record) return;
      this.#step(unit, { is: 'seen', fresh: true, record, revision: found?.modified ?? 0 });
    } catch {
      if (!this.#isEnded) clock.after(readAgainMs, () => this.#step(unit, { is: 'not read' }));
    }
  }
}
