/**
 * That a gateway is alive: a key that goes with a lease, and the lease kept alive. What it says of itself is always less than
 * what the store grants, so that it has stopped before others know it to be gone.
 */

import type { Clock } from './clock.ts';
import type { Party } from './owner-record.ts';
import { type Store, type StoreComparison, StoreError } from './store.ts';

export interface PresenceOptions {
  readonly store: Pick<Store, 'grant' | 'keepAlive' | 'transact' | 'revoke'>;
  readonly clock: Clock;
  readonly key: string;
  readonly me: Party;
  /** The home of the process: another process with the same home is dead, since one process has a home at a time. */
  readonly home: string;
  /** Whether the gateway may be there for others. */
  readonly isReady: () => boolean;
  /** Conditions without which it is not there. */
  readonly holds: readonly StoreComparison[];
  /** Seconds, of the lease. */
  readonly ttl: number;
  /** @param until the lease is good until then, by the clock */
  readonly renewed: (until: number) => void;
  /** Another gateway has our name, or our number is not ours any more. */
  readonly taken?: () => void;
}

/** The words of a gateway that is alive about itself. */
export interface Presented {
  readonly process: string;
  readonly home: string;
}

/** Undefined for what is damaged. */
export function parsePresented(text: string): Presented | undefined {
  try {
    const { process, home } = JSON.parse(text) as Record<string, unknown>;
    return typeof process === 'string' && typeof home === 'string' ? { process, home } : undefined;
  } catch {
    return undefined;
  }
}

/** How long a gateway that is not ready waits before it looks again. */
const unreadyMs = 300;

/** The share that we take of the time that the store grants. */
const share = 2 / 3;

/** The key by which others know that this gateway is alive. */
export class Presence {
  readonly #options: PresenceOptions;
  #lease: string | undefined;
  #closed = false;
  #cancel: () => void = () => {};
  #beating: Promise<void>;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#beating = this.#beat();
  }

  /** The lease, as long as we know of one; it may have ended. */
  get lease(): string | undefined {
    return this.#lease;
  }

  async #beat(): Promise<void> {
    const { clock, ttl, renewed, store } = this.#options;
    let pauseMs = (ttl * 1000) / 3;
    const begun = clock.now();
    try {
      if (this.#lease === undefined && !this.#options.isReady()) pauseMs = unreadyMs;
      else if (this.#lease === undefined) {
        const lease = await store.grant(ttl);
        if (await this.#appear(lease)) {
          this.#lease = lease;
          renewed(begun + ttl * 1000 * share);
        } else pauseMs = 500;
      } else {
        const lastsMs = await store.keepAlive(this.#lease, { withinMs: (ttl * 1000) / 6 });
        renewed(begun + Math.min(lastsMs, ttl * 1000) * share);
      }
    } catch (error) {
      pauseMs = 300;
      if (error instanceof StoreError && error.failure === 'no lease') this.#lease = undefined;
    }
    if (this.#closed) return;
    const waitMs = Math.max(0, pauseMs - (clock.now() - begun));
    this.#cancel = clock.after(waitMs, () => {
      this.#beating = this.#beat();
    });
  }

  /** @returns false while another process has our name */
  async #appear(lease: string): Promise<boolean> {
    const { store, key, me, home, holds, taken } = this.#options;
    const value = JSON.stringify({ process: me.process, home } satisfies Presented);
    const put = { put: key, value, lease };
    const fresh = await store.transact({
      when: [{ key, modified: 0 }, ...holds],
      do: [put],
      otherwise: [{ read: { key } }],
    });
    if (fresh.succeeded) return true;
    const there = fresh.found[0]?.values[0];
    const other = there && parsePresented(there.value);
    if (there && other?.home === home) {
      const replaced = await store.transact({ when: [{ key, modified: there.modified }, ...holds], do: [put] });
      if (replaced.succeeded) return true;
    } else taken?.();
    await store.revoke(lease);
    return false;
  }

  /** @param how others know at once that we are gone, or not before the lease runs out: something of us may be at a medium still */
  async end(how: 'at once' | 'when the lease runs out'): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#beating;
    if (this.#lease !== undefined && how === 'at once') await this.#options.store.revoke(this.#lease).catch(() => {});
    this.#lease = undefined;
  }
}
