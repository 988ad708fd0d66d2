/** A store in virtual time: leases, watches and transactions as etcd has them, behind a network that loses and doubles requests. */

import type { Clock } from '../../src/cluster/clock.ts';
import type { MoveWish, OwnerRecord } from '../../src/cluster/owner-record.ts';
import {
  type KeyRange,
  type Store,
  type StoreComparison,
  type StoredValue,
  StoreError,
  type StoreEvent,
  type StoreTransaction,
  type StoreWatch,
  type Transacted,
} from '../../src/cluster/store.ts';
import { type Process, type Timeline, unit } from './timeline.ts';

/** A store that agrees with itself: whatever reaches it happens at one moment. */
export class SimulatedStore {
  readonly #sim: Timeline;
  readonly #values = new Map<string, StoredValue>();
  readonly #leases = new Map<string, { until: number; readonly ms: number }>();
  readonly #watches = new Set<(event: StoreEvent, revision: number) => void>();
  /** Changes, for a watch from an earlier revision on. */
  readonly #history: { readonly event: StoreEvent; readonly revision: number }[] = [];
  #revision = 1;
  #lease = 1;
  #wishedAt = 0;
  isUp = true;
  /** Watches tell nothing, and do not say so. */
  isSilent = false;

  constructor(sim: Timeline) {
    this.#sim = sim;
    const expire = () => {
      // A store without a leader forgets no leases, and lets them last longer when it is back.
      if (this.isUp) this.#expire();
      sim.at(100, expire);
    };
    sim.at(100, expire);
  }

  stop(forMs: number): void {
    this.isUp = false;
    this.#sim.at(forMs, () => {
      this.isUp = true;
      for (const lease of this.#leases.values()) lease.until = this.#sim.now + lease.ms;
    });
  }

  put(key: string, value: string, lease?: string): void {
    this.#revision += 1;
    const before = this.#values.get(key)?.value;
    const put = { key, value, modified: this.#revision, ...(lease !== undefined && { lease }) };
    this.#values.set(key, put);
    this.#tell({ put });
    if (key === unit.wish) this.#wishedAt = this.#sim.now;
    if (key === unit.owner && before?.includes('"serves":true')) this.#watchMoves(JSON.parse(value) as OwnerRecord);
    if (key === unit.reservations) {
      const { generation } = JSON.parse(value) as { generation: number };
      if (generation <= this.#sim.generation)
        this.#sim.fail(`PRgeneration went from ${this.#sim.generation} to ${generation}`);
      this.#sim.generation = generation;
    }
  }

  /** Initiators move a unit rarely, whoever owns the unit meanwhile. An owner that never served gives it back without being asked. */
  #watchMoves({ epoch, owner, next }: OwnerRecord): void {
    const wished = this.#values.get(unit.wish)?.value;
    const { to, by } = wished === undefined ? { to: '', by: '' } : (JSON.parse(wished) as MoveWish);
    const { moves, now, gives } = this.#sim;
    if (owner || by !== 'initiator' || next !== to) return;
    // A wish that came later was not why.
    if ((gives.get(epoch) ?? 0) < this.#wishedAt) return;
    // The record is written when the medium is closed, which takes 8 s at most.
    if (moves.length > 0 && now < moves.at(-1)! + 21_000) this.#sim.fail('initiators moved it again too soon');
    moves.push(now);
    if (moves.length > 2) this.#sim.fail('initiators moved it three times in five minutes');
  }

  valueOf(key: string): string | undefined {
    return this.#values.get(key)?.value;
  }

  remove(key: string): void {
    if (!this.#values.delete(key)) return;
    this.#revision += 1;
    this.#tell({ deleted: key, modified: this.#revision });
  }

  #tell(event: StoreEvent): void {
    this.#history.push({ event, revision: this.#revision });
    for (const watch of this.#watches) watch(event, this.#revision);
  }

  #expire(): void {
    for (const [id, { until }] of this.#leases) if (until <= this.#sim.now) this.#end(id);
  }

  #end(id: string): void {
    this.#leases.delete(id);
    for (const { key, lease } of [...this.#values.values()]) if (lease === id) this.remove(key);
  }

  #read(range: KeyRange): { values: StoredValue[]; more: boolean; revision: number } {
    const all = [...this.#values.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    const values = all.filter(({ key }) => ('key' in range ? key === range.key : key.startsWith(range.prefix)));
    return { values, more: false, revision: this.#revision };
  }

  #holds(comparison: StoreComparison): boolean {
    const found = this.#values.get(comparison.key);
    if ('modified' in comparison) return (found?.modified ?? 0) === comparison.modified;
    if ('lease' in comparison) return found?.lease === comparison.lease;
    return found?.value === comparison.value;
  }

  #transact({ when, do: wanted, otherwise = [] }: StoreTransaction): Transacted {
    const succeeded = when.every((one) => this.#holds(one));
    const found: Transacted['found'][number][] = [];
    for (const step of succeeded ? wanted : otherwise) {
      if ('put' in step) {
        if (step.lease !== undefined && !this.#leases.has(step.lease)) throw new StoreError('no lease', 'it has ended');
        this.put(step.put, step.value, step.lease);
      } else if ('delete' in step) this.remove(step.delete);
      else if ('read' in step) found.push(this.#read(step.read));
    }
    return { succeeded, revision: this.#revision, found };
  }

  /** As a process reaches it. */
  seenBy(process: Process, clock: Clock): Store {
    const sim = this.#sim;
    /** Sent, done there, answered: each of the three may fail, and a request may come twice. */
    const call = <T>(what: () => T, changes: boolean, withinMs = 2000): Promise<T> =>
      new Promise((resolve, reject) => {
        let done = false;
        const end = (settle: () => void) =>
          sim.inside(process, () => {
            if (done) return;
            done = true;
            settle();
          });
        const late = () => reject(new StoreError(changes ? 'unknown outcome' : 'no answer', 'nobody answered'));
        clock.after(withinMs, () => end(late));
        const send = () =>
          sim.at(sim.delay(), () => {
            if (process.cut.store || !this.isUp) return;
            let answer: () => void;
            try {
              const result = what();
              answer = () => resolve(result);
            } catch (error) {
              answer = () => reject(error);
            }
            sim.at(sim.delay(), () => {
              if (!process.cut.store && !sim.chance(0.005)) end(answer);
            });
          });
        send();
        if (sim.chance(0.01)) send();
      });
    return {
      read: (range) => call(() => this.#read(range), false),
      transact: (transaction) => call(() => this.#transact(transaction), true),
      grant: (seconds) =>
        call(() => {
          const id = String(this.#lease++);
          this.#leases.set(id, { until: sim.now + seconds * 1000, ms: seconds * 1000 });
          return id;
        }, true),
      keepAlive: (id, { withinMs } = {}) =>
        call(
          () => {
            const lease = this.#leases.get(id);
            if (!lease) throw new StoreError('no lease', 'it has ended');
            lease.until = sim.now + lease.ms;
            return lease.ms;
          },
          true,
          withinMs,
        ),
      revoke: (id) => call(() => this.#end(id), true),
      watch: (watch) => this.#watch(process, watch),
      members: async () => [],
      close: () => {},
    };
  }

  #watch(process: Process, { range, from, changed, ended }: StoreWatch): () => void {
    const sim = this.#sim;
    let last = sim.now;
    let over = false;
    const isIn = (key: string) => ('key' in range ? key === range.key : key.startsWith(range.prefix));
    const stop = () => {
      over = true;
      this.#watches.delete(tell);
    };
    const tell = (event: StoreEvent, revision: number) => {
      if (over || this.isSilent || !isIn('put' in event ? event.put.key : event.deleted)) return;
      // The watch tells nothing any more, and does not say so.
      if (sim.chance(0.003)) return stop();
      if (process.cut.store || sim.chance(0.01)) {
        stop();
        // The end is noticed some time after.
        sim.at(sim.between(0, 3000), () => sim.inside(process, () => ended(new StoreError('no answer', 'cut'))));
        return;
      }
      last = Math.max(last, sim.now + sim.delay());
      sim.at(last - sim.now, () => sim.inside(process, () => !over && changed([event], revision)));
    };
    this.#watches.add(tell);
    for (const { event, revision } of this.#history) if (revision >= from) tell(event, revision);
    return stop;
  }
}
