/**
 * The topics of a watch: what each is as lists of rows, and which rows have changed since somebody was told. A reader gets
 * all of them once, then what is new. Both ends of a connection use this; nothing here loads the engine.
 */

export type SampleRow = Readonly<Record<string, unknown>>;
export type SampleLists = Readonly<Record<string, readonly SampleRow[]>>;

/** A list of a topic. */
interface SampledList {
  /** The keys that tell its rows apart. */
  readonly by: readonly string[];
  /** What a row shows of itself: as long as it is the same, nobody is told of the row again. */
  readonly mark: (row: SampleRow) => string;
}

type Topic = Readonly<Record<string, SampledList>>;

const wholeBy = (...by: string[]): SampledList => ({ by, mark: (row) => JSON.stringify(row) });

/** What is looked at every so often, by the name of the topic. */
const sampledTopics = {
  sessions: { sessions: wholeBy('fabric', 'id') },
  loops: { loops: wholeBy('number') },
  objects: {
    disks: wholeBy('path'),
    luns: wholeBy('path'),
    initiators: wholeBy('path', 'name'),
    targets: wholeBy('path'),
    portals: wholeBy('path'),
  },
  // The last: who hears of figures has heard all else of the same moment.
  stats: {
    ways: {
      by: ['lun', 'initiator', 'number', 'portal'],
      mark: ({ commands, failed, outstanding, latencyMs }) => `${commands} ${failed} ${outstanding} ${latencyMs}`,
    },
    storageObjects: {
      by: ['path'],
      mark: ({ reads, writes, readBytes, writtenBytes }) => `${reads} ${writes} ${readBytes} ${writtenBytes}`,
    },
  },
} as const satisfies Readonly<Record<string, Topic>>;

/** What is told when it happens. */
const toldTopics = ['log', 'changes', 'refusals'] as const;

/** A topic that is looked at from time to time. */
export type SampledTopic = keyof typeof sampledTopics;
/** A topic of what is told when it happens. */
export type ToldTopic = (typeof toldTopics)[number];
/** What can be watched. */
export type WatchTopic = SampledTopic | ToldTopic;

/** The topics that are looked at from time to time. */
export const sampledTopicNames = Object.keys(sampledTopics) as SampledTopic[];
/** All topics. */
export const watchTopics: readonly WatchTopic[] = [...sampledTopicNames, ...toldTopics];

/** What of a topic somebody was told. */
export class ToldRows {
  readonly #topic: Topic;
  readonly #marks = new Map<string, Map<string, { readonly mark: string; readonly row: SampleRow }>>();

  constructor(name: SampledTopic) {
    this.#topic = sampledTopics[name];
  }

  /** What he does not know yet, and knows from now on: rows that are new or changed, and what named those that are gone. */
  news(lists: SampleLists): { readonly changed: SampleLists; readonly gone?: SampleLists } {
    const changed: Record<string, readonly SampleRow[]> = {};
    const gone: Record<string, SampleRow[]> = {};
    for (const [name, { by, mark }] of Object.entries(this.#topic)) {
      const before = this.#marks.get(name);
      const now = new Map<string, { readonly mark: string; readonly row: SampleRow }>();
      changed[name] = (lists[name] ?? []).filter((row) => {
        const key = keyOf(row, by);
        const marked = mark(row);
        const known = before?.get(key);
        const isNew = known?.mark !== marked;
        now.set(key, isNew ? { mark: marked, row: namesIn(row, by) } : known!);
        return isNew;
      });
      this.#marks.set(name, now);
      const left = [...(before ?? [])].flatMap(([key, { row }]) => (now.has(key) ? [] : [row]));
      if (left.length > 0) gone[name] = left;
    }
    return { changed, ...(Object.keys(gone).length > 0 && { gone }) };
  }
}

const keyOf = (row: SampleRow, by: readonly string[]): string => by.map((key) => String(row[key])).join('\n');

const namesIn = (row: SampleRow, by: readonly string[]): SampleRow =>
  Object.fromEntries(by.map((key) => [key, row[key]]));

/**
 * What a reader knows of a topic, kept up by what it is sent.
 * @param rows by the name of the list, then by key
 */
export function learnRows(
  rows: Map<string, Map<string, SampleRow>>,
  name: SampledTopic,
  {
    gone,
    ...lists
  }: { readonly gone?: Readonly<Record<string, readonly SampleRow[]>> } & Readonly<Record<string, unknown>>,
): void {
  const topic: Topic = sampledTopics[name];
  for (const [list, { by }] of Object.entries(topic)) {
    const known = rows.get(list) ?? new Map<string, SampleRow>();
    rows.set(list, known);
    for (const row of gone?.[list] ?? []) known.delete(keyOf(row, by));
    for (const row of (lists[list] ?? []) as readonly SampleRow[]) known.set(keyOf(row, by), row);
  }
}
