/**
 * A copy of a part of the store, as it was not long ago: read, and followed by its changes. Word of them may
 * cease without a sign, so it is read again from time to time. Who has to know what is there now reads it.
 */

import type { Clock } from './clock.ts';
import type { FoundValues, Store, StoredValue, StoreEvent } from './store.ts';

/** How long after a failure it is tried again, and how long the word of changes is relied on. */
const againMs = 500;
const lookMs = 3_000;
/** Values of one answer: there may be more, which are asked for behind them. */
const pageMax = 500;

export interface MirrorOptions {
  readonly store: Pick<Store, 'read' | 'watch'>;
  readonly prefix: string;
  readonly clock: Clock;
  /** @param keys those that have changed: none, where the first reading finds none */
  readonly changed: (keys: readonly string[]) => void;
}

/** The copy of all that stands below one prefix. */
export class Mirror {
  readonly prefix: string;
  readonly #options: MirrorOptions;
  readonly #values = new Map<string, StoredValue>();
  /** The revision up to which everything is known. */
  #revision = 0;
  #unwatch: (() => void) | undefined;
  #cancel: () => void = () => {};
  #closed = false;
  #isRead = false;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.prefix = options.prefix;
    void this.#follow();
  }

  /** The copy holds all that was there at some moment since it was made. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Nothing that was there at this revision of the store, or before, is unknown. */
  covers(revision: number): boolean {
    return this.#isRead && this.#revision >= revision;
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
    this.#cancel();
    this.#unwatch?.();
  }

  async #follow(): Promise<void> {
    const found = await this.#readAll().catch(() => undefined);
    if (this.#closed) return;
    if (found) this.#take(found);
    this.#again(found ? lookMs : againMs);
  }

  #again(ms: number): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(ms, () => void this.#follow());
  }

  #take({ values, revision }: Pick<FoundValues, 'values' | 'revision'>): void {
    // Word has come of something later.
    if (revision < this.#revision) return;
    const now = new Map(values.map((value) => [value.key, value]));
    const isOld = (key: string) => this.#values.get(key)?.modified === now.get(key)?.modified;
    const news = [...new Set([...this.#values.keys(), ...now.keys()])].filter((key) => !isOld(key));
    for (const key of news)
      if (now.has(key)) this.#values.set(key, now.get(key)!);
      else this.#values.delete(key);
    this.#revision = revision;
    const isFirst = !this.#isRead;
    this.#isRead = true;
    // A watch that does not tell of the news is given up.
    if (news.length > 0 || !this.#unwatch) this.#watch();
    if (news.length > 0 || isFirst) this.#options.changed(news);
  }

  #watch(): void {
    const { store, prefix } = this.#options;
    this.#unwatch?.();
    this.#unwatch = store.watch({
      range: { prefix },
      from: this.#revision + 1,
      changed: (events, revision) => this.#hear(events, revision),
      ended: () => {
        this.#unwatch = undefined;
        if (!this.#closed) this.#again(againMs);
      },
    });
  }

  #hear(events: readonly StoreEvent[], revision: number): void {
    const news: string[] = [];
    for (const event of events) {
      const [key, { modified }] = 'put' in event ? [event.put.key, event.put] : [event.deleted, event];
      if (modified <= this.#revision || modified < (this.#values.get(key)?.modified ?? 0)) continue;
      if ('put' in event) this.#values.set(key, event.put);
      else this.#values.delete(key);
      news.push(key);
    }
    this.#revision = Math.max(this.#revision, revision);
    if (news.length > 0) this.#options.changed(news);
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
