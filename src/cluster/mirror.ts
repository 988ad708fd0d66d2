/**
 * A copy of a part of the store, as it was not long ago: read once, and followed by its changes. Who has to know what is there
 * now reads it.
 */

import type { Clock } from './clock.ts';
import type { FoundValues, Store, StoredValue } from './store.ts';

/** How long after a failure it is tried again. */
const againMs = 500;
/** Values of one answer: there may be more, which are asked for behind them. */
const pageMax = 500;

export interface MirrorOptions {
  readonly store: Pick<Store, 'read' | 'watch'>;
  readonly prefix: string;
  readonly clock: Clock;
  /** @param keys those that may have changed */
  readonly changed: (keys: readonly string[]) => void;
}

/** The copy of all that stands below one prefix. */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #values = new Map<string, StoredValue>();
  #unwatch: () => void = () => {};
  #closed = false;
  #isRead = false;

  constructor(options: MirrorOptions) {
    this.#options = options;
    void this.#follow();
  }

  /** The copy holds all that was there at some moment since it was made. */
  get isRead(): boolean {
    return this.#isRead;
  }

  get(key: string): StoredValue | undefined {
    return this.#values.get(key);
  }

  /** Those whose keys begin so. */
  below(prefix: string): StoredValue[] {
    return [...this.#values.values()].filter(({ key }) => key.startsWith(prefix));
  }

  close(): void {
    this.#closed = true;
    this.#unwatch();
  }

  async #follow(): Promise<void> {
    if (this.#closed) return;
    const { store, prefix, clock, changed } = this.#options;
    const again = () => void clock.after(againMs, () => void this.#follow());
    try {
      const { values, revision } = await this.#readAll();
      if (this.#closed) return;
      const before = [...this.#values.keys()];
      this.#values.clear();
      for (const value of values) this.#values.set(value.key, value);
      this.#isRead = true;
      changed([...new Set([...before, ...this.#values.keys()])]);
      this.#unwatch = store.watch({
        range: { prefix },
        from: revision + 1,
        changed: (events) => {
          for (const event of events)
            if ('put' in event) this.#values.set(event.put.key, event.put);
            else this.#values.delete(event.deleted);
          changed(events.map((event) => ('put' in event ? event.put.key : event.deleted)));
        },
        ended: again,
      });
    } catch {
      again();
    }
  }

  /** A change between two answers comes again as a change of the first. */
  async #readAll(): Promise<{ values: StoredValue[]; revision: number }> {
    const { store, prefix } = this.#options;
    const values: StoredValue[] = [];
    for (let first: FoundValues | undefined, after: string | undefined; ; ) {
      const found = await store.read({ prefix, max: pageMax, ...(after !== undefined && { after }) });
      first ??= found;
      values.push(...found.values);
      after = found.values.at(-1)?.key;
      if (!found.more || after === undefined) return { values, revision: first.revision };
    }
  }
}
