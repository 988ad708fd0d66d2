/**
 * The ownership of a logical unit, as one gateway sees it: a state machine without clocks, sockets or promises. What happens goes in,
 * what is to be done comes out; `custody.ts` carries it out, and `test/cluster/` proves the rules that stand here:
 *
 * 1. An owner has an epoch, which is taken by compare-and-swap and only while the owner before it has no lease.
 * 2. Whoever has owned the unit is shut out of the medium before the next owner opens it, unless it has closed it itself.
 * 3. As whom an owner comes to the medium is written down before it has the medium.
 * 4. The owner answers once the medium is its own, the epoch still is, and the reservations are loaded, in this order.
 * 5. An owner whose lease was not renewed for two thirds of its time stops by itself, by its own monotonic clock, or goes on
 *    alone where the medium itself would refuse it once there is another owner.
 */

import {
  type FormerClient,
  type Gateways,
  isSame,
  type MoveWish,
  type OwnerRecord,
  type OwnerStanding,
  type Party,
  type SeenRecord,
} from './owner-record.ts';
import type { CommitReason, OwnershipAction, OwnershipEvent } from './ownership-events.ts';

/** Milliseconds. */
const limits = {
  /** Between two moves that initiators ask for. */
  movePauseMs: 30_000,
  /** So many moves by initiators are made in `moveSpanMs`, so that two that cannot agree do not go on for ever. */
  movesMax: 2,
  moveSpanMs: 300_000,
  /** After it has come to an owner otherwise: initiators see the new states of their paths within so long, and move nothing back by old ones. */
  settleMs: 5_000,
  /** How long the next in the order waits for the one before it to take a unit that is free. */
  patienceMs: 6_000,
  /** After the medium could not be opened, or was lost. */
  retryMs: 4_000,
  /** Clients of earlier owners that are remembered. */
  formerMax: 64,
} as const;

type Phase =
  | 'standby'
  | 'claiming'
  | 'opening'
  | 'starting'
  | 'serving'
  /** The medium is being closed, or what has begun to open it. */
  | 'closing'
  | 'giving';

/** The options of the state machine. */
export interface OwnershipOptions {
  readonly me: Party;
  /** The medium refuses whoever is shut out of it. */
  readonly fences: boolean;
}

/** One gateway's part in who owns one unit. */
export class Ownership {
  readonly #me: Party;
  readonly #fences: boolean;
  #phase: Phase = 'standby';
  #standing: OwnerStanding = 'standby';
  #seen: SeenRecord | undefined;
  #gateways: Gateways | undefined;
  #leaseUntil = Number.NEGATIVE_INFINITY;
  #wish: MoveWish | undefined;
  #leaving = false;
  /** The epoch that is ours in the phases behind `claiming`. */
  #epoch = 0;
  #unplanned = false;
  /** The record that is being written. */
  #writing: { readonly why: CommitReason; readonly record: OwnerRecord } | undefined;
  /** To whom the unit goes when it is closed; undefined: to nobody in particular. */
  #givesTo: string | null | undefined;
  /** When initiators have moved it, as far as we know. */
  #moved: readonly number[] = [];
  #notBefore = Number.NEGATIVE_INFINITY;
  #servesSince = Number.NEGATIVE_INFINITY;
  #freeSince: number | undefined;
  /** A read was asked for and has not been answered. */
  #asked = false;
  #out: OwnershipAction[] = [];

  constructor({ me, fences }: OwnershipOptions) {
    this.#me = me;
    this.#fences = fences;
  }

  get standing(): OwnerStanding {
    return this.#standing;
  }

  /** The epoch in which the unit is served, or is about to be, here. */
  get epoch(): number {
    return this.#epoch;
  }

  get seen(): SeenRecord | undefined {
    return this.#seen;
  }

  /** Nothing of the unit is open here, and nothing is being written. */
  get isIdle(): boolean {
    return this.#phase === 'standby' && !this.#writing;
  }

  /** @param now by a clock that only goes forward, whatever is set */
  step(event: OwnershipEvent, now: number): readonly OwnershipAction[] {
    this.#take(event, now);
    this.#look(now);
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #take(event: OwnershipEvent, now: number): void {
    switch (event.is) {
      case 'seen':
        this.#see(event, event.fresh, now);
        return;
      case 'not read':
        this.#asked = false;
        return;
      case 'gateways':
        this.#gateways = event;
        return;
      case 'lease':
        this.#leaseUntil = event.until;
        return;
      case 'wish':
        this.#wish = event.wish;
        return;
      case 'written':
        this.#written(event, now);
        return;
      case 'comes':
        if (this.#phase !== 'opening' || this.#writing) this.#do({ does: 'admit', client: event.client, may: false });
        else this.#write('name', { ...this.#record(), former: this.#formerOf(this.#record()), client: event.client });
        return;
      case 'opened':
        if (this.#phase === 'opening') this.#begin('starting');
        return;
      case 'not opened':
        this.#notBefore = now + limits.retryMs;
        if (this.#phase === 'opening') this.#give(this.#another(), event.clean, now);
        else if (this.#phase === 'closing') this.#closed(event.clean, now);
        return;
      case 'closed':
        if (this.#phase === 'closing') this.#closed(event.clean, now);
        return;
      case 'lost':
        if (this.#phase === 'starting' || this.#phase === 'serving') {
          this.#notBefore = now + limits.retryMs;
          this.#close(false);
        }
        return;
      case 'leave':
        this.#leaving = true;
        return;
      case 'tick':
        return;
    }
  }

  #see({ record, revision }: SeenRecord, fresh: boolean, now: number): void {
    if (fresh) this.#asked = false;
    if (this.#seen && revision < this.#seen.revision) return;
    if (record && revision !== this.#seen?.revision) this.#moved = record.moved.map((age) => now - age);
    this.#seen = { record, revision };
    const hasEpoch = ['opening', 'starting', 'serving'].includes(this.#phase);
    if (hasEpoch && !this.#isMine()) this.#close(false);
    // Without a lease the answer may be an old one: another owner may have come since.
    if (fresh && this.#phase === 'serving' && now < this.#leaseUntil) this.#stand('active');
    // The record was written after all, or the one before it has to be written once more.
    if (this.#phase === 'giving' && !this.#writing) this.#begin('standby');
  }

  /** The record that is in the store says that the epoch is still ours. */
  #isMine(): boolean {
    const record = this.#seen?.record;
    return record?.epoch === this.#epoch && isSame(record.owner, this.#me);
  }

  #record(): OwnerRecord {
    return this.#seen!.record!;
  }

  /** Actions that follow by themselves, now that something is known. */
  #look(now: number): void {
    const hasLease = now < this.#leaseUntil;
    if (this.#phase === 'standby') this.#stand('standby');
    // Another gateway may serve the unit by now: initiators look for it there, and wait here no longer.
    if (this.#standing === 'transition' && !hasLease) this.#stand('standby');
    if (this.#phase === 'standby' && hasLease) this.#consider(now);
    if (this.#phase === 'starting' && !this.#writing && hasLease)
      this.#write('serve', { ...this.#record(), serves: true });
    if (this.#phase === 'giving' && !this.#writing) this.#read();
    if (this.#phase !== 'serving') return;
    if (hasLease) this.#goOn(now);
    else if (this.#fences) this.#stand('alone');
    else this.#close(false);
  }

  /** Serving, with a lease. */
  #goOn(now: number): void {
    // A gateway that was alone asks who the owner is now (`seen`), before it says anything of what gateways share.
    if (this.#standing === 'alone') {
      this.#read();
      return;
    }
    const to = this.#wanted(now);
    if (to !== undefined) {
      this.#givesTo = to;
      this.#close(true);
    }
  }

  #read(): void {
    if (!this.#asked) this.#do({ does: 'read' });
    this.#asked = true;
  }

  /** Where the unit is to go; null: to anybody; undefined: it stays. */
  #wanted(now: number): string | null | undefined {
    const { choice = [] } = this.#gateways ?? {};
    const others = choice.filter((one) => one !== this.#me.gateway);
    if (this.#leaving) return others[0] ?? null;
    if (others[0] !== undefined && others.length === choice.length) return others[0];
    const { to, by } = this.#wish ?? {};
    if (to === undefined || !others.includes(to)) return undefined;
    if (by === 'operator') return to;
    const recent = this.#moved.filter((at) => now - at < limits.moveSpanMs);
    const isTooSoon =
      now - this.#servesSince < limits.settleMs ||
      recent.some((at) => now - at < limits.movePauseMs) ||
      recent.length >= limits.movesMax;
    if (isTooSoon) {
      this.#wish = undefined;
      this.#do({ does: 'refuse wish' });
      return undefined;
    }
    this.#moved = [...recent, now];
    return to;
  }

  /** The gateway that may try where we could not. */
  #another(): string | null {
    const { choice = [] } = this.#gateways ?? {};
    const at = choice.indexOf(this.#me.gateway);
    return [...choice.slice(at + 1), ...choice.slice(0, Math.max(at, 0))][0] ?? null;
  }

  /** Whether the unit is to be ours. */
  #consider(now: number): void {
    if (!this.#seen || !this.#gateways || this.#writing) return;
    const { record } = this.#seen;
    const owner = record?.owner ?? null;
    const { alive, choice } = this.#gateways;
    const isOurs = isSame(owner, this.#me);
    if (owner && !isOurs && alive.get(owner.gateway) === owner.process) {
      this.#freeSince = undefined;
      return;
    }
    this.#freeSince ??= now;
    if (this.#leaving || now < this.#notBefore || !choice.includes(this.#me.gateway)) {
      if (isOurs) this.#give(null, false, now);
      return;
    }
    // An initiator that waits at a gateway gets the unit there, and need not move it once another has it.
    const first = [record?.next, this.#wish?.to].filter((one) => one != null && choice.includes(one));
    const order = [...new Set([...first, ...choice])];
    if (!isOurs && now < this.#freeSince + order.indexOf(this.#me.gateway) * limits.patienceMs) return;
    this.#claim(now, owner && !isOurs ? owner : undefined);
  }

  #claim(now: number, gone: Party | undefined): void {
    const record = this.#seen?.record;
    this.#unplanned = record !== undefined && (record.owner !== null || record.unclean);
    this.#begin('claiming');
    this.#stand('transition');
    this.#write(
      'claim',
      {
        epoch: (record?.epoch ?? 0) + 1,
        owner: this.#me,
        client: null,
        serves: false,
        next: null,
        unclean: this.#unplanned,
        former: record ? this.#formerOf(record) : [],
        moved: this.#ages(now),
      },
      gone,
    );
  }

  /**
   * Clients that are shut out from now on. One whose process is dead, since there is a later one at its gateway, is forgotten
   * once an owner after it has had the medium: it holds nothing there any more, and nothing of it is on its way.
   */
  #formerOf({ former, owner, client, serves }: OwnerRecord): FormerClient[] {
    const isDead = ({ gateway, process }: Party): boolean => {
      const now = gateway === this.#me.gateway ? this.#me.process : this.#gateways?.alive.get(gateway);
      return now !== undefined && now !== process;
    };
    const kept = former.filter((one) => one.client !== client && !(serves && isDead(one)));
    return (owner && client !== null ? [...kept, { ...owner, client }] : kept).slice(-limits.formerMax);
  }

  #ages = (now: number): number[] =>
    this.#moved.map((at) => Math.max(0, Math.round(now - at))).filter((age) => age < limits.moveSpanMs);

  #written(event: Extract<OwnershipEvent, { is: 'written' }>, now: number): void {
    const written = this.#writing;
    this.#writing = undefined;
    if (!written) return;
    const { why, record } = written;
    if (event.outcome === 'done') {
      this.#seen = { record, revision: event.revision };
      this.#done(why, record, now);
      return;
    }
    this.#read();
    if (why === 'claim') this.#begin('standby');
    if (why === 'name') this.#do({ does: 'admit', client: record.client ?? '', may: false });
    // A unit that is not served yet is begun anew: nobody knows what the store holds.
    if (why === 'serve') this.#close(true);
    if (why === 'give') this.#notBefore = Math.max(this.#notBefore, now + 1);
  }

  #done(why: CommitReason, record: OwnerRecord, now: number): void {
    if (why === 'claim') {
      this.#epoch = record.epoch;
      this.#freeSince = undefined;
      this.#begin('opening');
      this.#do({ does: 'open', shutOut: record.former.map(({ client }) => client) });
    }
    if (why === 'name') this.#do({ does: 'admit', client: record.client ?? '', may: this.#phase === 'opening' });
    if (why === 'serve' && this.#phase === 'starting') {
      this.#servesSince = now;
      this.#begin('serving');
      // The answer may have come late: what it says of reservations may not be so any more.
      if (now < this.#leaseUntil) this.#stand('active');
      else this.#close(true);
    }
    if (why === 'give') this.#begin('standby');
  }

  #close(clean: boolean): void {
    this.#begin('closing');
    this.#stand(clean ? 'transition' : 'standby');
    this.#do({ does: 'close', clean });
  }

  #closed(clean: boolean, now: number): void {
    const to = this.#givesTo;
    this.#givesTo = undefined;
    if (this.#isMine()) this.#give(to ?? null, clean, now);
    else this.#begin('standby');
  }

  /** Gives the unit back. @param clean nothing of us is left at the medium */
  #give(to: string | null, clean: boolean, now: number): void {
    const record = this.#record();
    this.#begin('giving');
    this.#stand(clean ? 'transition' : 'standby');
    const left = { owner: null, client: null, serves: false, next: to, moved: this.#ages(now) };
    // An owner that never served has lost nothing; a loss before it has not been told yet.
    const unclean = record.serves ? !clean : record.unclean;
    this.#write('give', { ...record, ...left, unclean, former: clean ? record.former : this.#formerOf(record) });
  }

  #write(why: CommitReason, record: OwnerRecord, gone?: Party): void {
    this.#writing = { why, record };
    this.#do({ does: 'write', why, record, over: this.#seen!.revision, ...(gone && { gone }) });
  }

  #begin(phase: Phase): void {
    this.#phase = phase;
  }

  #stand(standing: OwnerStanding): void {
    if (this.#standing === standing) return;
    this.#standing = standing;
    const unplanned = standing === 'active' && this.#unplanned;
    if (unplanned) this.#unplanned = false;
    this.#do({ does: 'stand', standing, unplanned });
  }

  #do(action: OwnershipAction): void {
    this.#out.push(action);
  }
}
