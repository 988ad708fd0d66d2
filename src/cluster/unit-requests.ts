/**
 * Requests of one gateway to another about a unit, through the store: that it be moved, and that the owner carries out a command.
 * Nothing is carried out twice, and nothing once who asked has given it up: then the request is gone.
 */

import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { Custody } from './custody.ts';
import type { ClusterKeys } from './keys.ts';
import type { MoveWish } from './owner-record.ts';
import type { Store } from './store.ts';
import { parseWish, unitKeys } from './unit-records.ts';

export interface UnitRequestsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly keys: ClusterKeys;
  readonly custody: Custody;
  readonly me: string;
  /** Carries out what another gateway relays; rejects where it cannot. */
  readonly carryOut: (serial: string, command: unknown) => Promise<unknown>;
}

/** How long a command that is relayed may take, and a move that an initiator asks for. */
const relayMs = 5_000;
const moveMs = 10_000;
const lookMs = 20;
/** Requests that are remembered, so that none is carried out twice. */
const doneMax = 10_000;

/** The requests of this gateway to others, and of others to this one. */
export class UnitRequests {
  readonly #options: UnitRequestsOptions;
  /** Requests of this gateway that are not answered, by the keys of their answers. */
  readonly #waiting = new Map<string, (answer: string) => void>();
  readonly #done = new Set<string>();

  constructor(options: UnitRequestsOptions) {
    this.#options = options;
  }

  #keysOf = (serial: string) => unitKeys(this.#options.keys, serial);

  /** Has the owner carry out a command. @throws Error where that cannot be, or nobody knows whether it was */
  async relay(serial: string, command: object): Promise<unknown> {
    const { store, clock, custody } = this.#options;
    const { lease } = custody;
    const owner = custody.ownerOf(serial);
    if (lease === undefined || !owner?.serves) throw new Error('no gateway serves the unit now');
    const id = randomBytes(8).toString('hex');
    const { requests, answers } = this.#keysOf(serial);
    const [request, answer] = [`${requests}${id}`, `${answers}${id}`];
    let cancel = () => {};
    const answered = new Promise<string | undefined>((resolve) => {
      this.#waiting.set(answer, resolve);
      cancel = clock.after(relayMs, () => resolve(undefined));
    });
    try {
      const value = JSON.stringify({ epoch: owner.epoch, command });
      await store.transact({ when: [{ key: request, modified: 0 }], do: [{ put: request, value, lease }] });
      const text = (await answered) ?? (await this.#giveUp(request, answer));
      const { completion } = JSON.parse(text) as { completion?: unknown };
      if (completion === undefined) throw new Error('the gateway that serves the unit could not do it');
      return completion;
    } finally {
      cancel();
      this.#waiting.delete(answer);
      void store.transact({ when: [], do: [{ delete: request }, { delete: answer }] }).catch(() => {});
    }
  }

  /** @returns the answer, if there is one after all */
  async #giveUp(request: string, answer: string): Promise<string> {
    const { succeeded, found } = await this.#options.store.transact({
      when: [{ key: answer, modified: 0 }],
      do: [{ delete: request }],
      otherwise: [{ read: { key: answer } }],
    });
    const late = found[0]?.values[0]?.value;
    if (succeeded || late === undefined) throw new Error('the gateway that serves the unit does not answer');
    return late;
  }

  /** Keys of a unit have changed: perhaps there is something to be done, or something was. */
  look(serial: string): void {
    const { custody } = this.#options;
    const { requests, answers } = this.#keysOf(serial);
    for (const { key, value } of custody.copy.below(answers)) this.#waiting.get(key)?.(value);
    if (custody.standingOf(serial) !== 'active') return;
    for (const { key, value } of custody.copy.below(requests)) {
      if (this.#done.has(key)) continue;
      this.#done.add(key);
      const [oldest] = this.#done;
      if (this.#done.size > doneMax && oldest !== undefined) this.#done.delete(oldest);
      void this.#carryOut(serial, key, value, `${answers}${key.slice(requests.length)}`);
    }
  }

  async #carryOut(serial: string, request: string, value: string, answer: string): Promise<void> {
    const { store, custody, carryOut } = this.#options;
    let completion: unknown;
    try {
      // A command that was given up meanwhile is not carried out.
      const [asked] = (await store.read({ key: request })).values;
      if (asked?.value !== value) return;
      const { epoch, command } = JSON.parse(value) as { epoch?: unknown; command?: unknown };
      // A command that an earlier owner may have carried out is not carried out again.
      if (epoch === custody.seenOf(serial)?.epoch && custody.standingOf(serial) === 'active')
        completion = await carryOut(serial, command);
    } catch {
      // The gateway that has asked is told so.
    }
    const { lease } = custody;
    await store
      .transact({
        when: [{ key: request, value }],
        do: [{ put: answer, value: JSON.stringify({ completion }), lease }],
      })
      .catch(() => {});
  }

  /** Asks for a move. @returns whether the unit is there after a while */
  async move(serial: string, to: string, by: MoveWish['by'], withinMs = moveMs): Promise<boolean> {
    const { store, clock, custody } = this.#options;
    const { lease } = custody;
    if (lease === undefined) throw new Error('the store does not answer');
    const isThere = () => {
      const owner = custody.ownerOf(serial);
      return owner?.serves === true && owner.owner?.gateway === to;
    };
    if (isThere()) return true;
    if (!custody.copy.alive.has(to)) return false;
    const { wish } = this.#keysOf(serial);
    const end = clock.now() + withinMs;
    const { isPut, revision, stands } = await this.#wish(wish, { to, by }, lease);
    // An owner that does not give it takes the wish away.
    const isWished = (text: string | undefined) => text !== undefined && goesTo(text) === to;
    const mayCome = () => custody.copy.mayHold(wish, revision, isWished);
    while (isWished(stands) && !isThere() && mayCome() && clock.now() < end)
      await new Promise<void>((resolve) => void clock.after(lookMs, resolve));
    const when = [{ key: wish, modified: revision }];
    if (isPut) await store.transact({ when, do: [{ delete: wish }] }).catch(() => {});
    return isThere();
  }

  /**
   * Puts down a wish, in place of any other if it is an operator's; that of an initiator takes the place of none.
   * @returns the wish that stands now, and a revision at which it does
   */
  async #wish(key: string, wish: MoveWish, lease: string) {
    const value = JSON.stringify(wish);
    const { succeeded, revision, found } = await this.#options.store.transact({
      when: wish.by === 'operator' ? [] : [{ key, modified: 0 }],
      do: [{ put: key, value, lease }],
      otherwise: [{ read: { key } }],
    });
    return { isPut: succeeded, revision, stands: succeeded ? value : found[0]?.values[0]?.value };
  }
}

/** Where a wish wants a unit to be; undefined of one that is damaged. */
function goesTo(text: string): string | undefined {
  try {
    return parseWish(text).to;
  } catch {
    return undefined;
  }
}
