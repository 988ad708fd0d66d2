/** A gateway's copy of the store: units, the gateways that are alive, their numbers, and those that are to own nothing. */

import type { Clock } from './clock.ts';
import type { ClusterKeys } from './keys.ts';
import { Mirror } from './mirror.ts';
import { numberKeys } from './numbers.ts';
import { parsePresented } from './presence.ts';
import type { Store, StoredValue } from './store.ts';
import { drainedKeys } from './unit-records.ts';

export interface ClusterCopyOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly keys: ClusterKeys;
  /** @param keys those that have changed; the copy has them by then */
  readonly changed: (keys: readonly string[]) => void;
}

/** The store as it was not long ago. */
export class ClusterCopy {
  readonly #keys: ClusterKeys;
  readonly #mirrors: readonly Mirror[];
  #alive: ReadonlyMap<string, string> = new Map();

  constructor({ store, clock, keys, changed }: ClusterCopyOptions) {
    this.#keys = keys;
    const mirrorOf = (prefix: string) =>
      new Mirror({
        ...{ store, clock, prefix },
        changed: (news) => {
          if (prefix === keys.alive) this.#alive = this.#readAlive();
          changed(news);
        },
      });
    this.#mirrors = [keys.alive, drainedKeys(keys), numberKeys(keys), keys.units].map(mirrorOf);
  }

  /** Each part of it holds all that was there at some moment. */
  get isRead(): boolean {
    return this.#mirrors.every(({ isRead }) => isRead);
  }

  /** Processes of the gateways that are alive, by name. */
  get alive(): ReadonlyMap<string, string> {
    return this.#alive;
  }

  /** Names of the gateways that may own units. */
  candidates(): string[] {
    return [...this.#alive.keys()].filter((one) => !this.get(`${drainedKeys(this.#keys)}${one}`));
  }

  get(key: string): StoredValue | undefined {
    return this.#mirrorOf(key)?.get(key);
  }

  /** The values whose keys begin so. */
  below(prefix: string): StoredValue[] {
    return this.#mirrors.flatMap((mirror) => mirror.below(prefix));
  }

  /** Whether a key may still hold what it held at a revision; false: it holds nothing now that `isIt`. */
  mayHold(key: string, revision: number, isIt: (value: string | undefined) => boolean): boolean {
    const mirror = this.#mirrorOf(key);
    return !mirror?.covers(revision) || isIt(mirror.get(key)?.value);
  }

  close(): void {
    for (const mirror of this.#mirrors) mirror.close();
  }

  #mirrorOf(key: string): Mirror | undefined {
    return this.#mirrors.find(({ prefix }) => key.startsWith(prefix));
  }

  #readAlive(): Map<string, string> {
    const { alive } = this.#keys;
    return new Map(
      this.below(alive).flatMap(({ key, value }) => {
        const presented = parsePresented(value);
        return presented ? [[key.slice(alive.length), presented.process] as const] : [];
      }),
    );
  }
}
