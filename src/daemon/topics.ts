/**
 * The topics of a watch: each as lists of rows, with the rows that have changed since a reader was told. A reader gets all rows once,
 * then new ones. Both ends of a connection use this file; nothing here loads the engine.
 */

export type SampleRow = Readonly<Record<string, unknown>>;
export type SampleLists = Readonly<Record<string, readonly SampleRow[]>>;

/** A list of a topic. */
interface SampledList {
  /** The keys that tell its rows apart. */
  readonly by: readonly string[];
  /** The part of a row that is compared: as long as it is the same, nobody is told of the row again. */
  readonly mark: (row: SampleRow) => string;
}

type Topic = Readonly<Record<string, SampledList>>;

const wholeBy = (...by: string[]): SampledList => ({ by, mark: (row) => JSON.stringify(row) });

/** The topics that are sampled at intervals, by name. */
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
  // The topic `stats` is last: a reader of figures has heard everything else of the same moment.
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

/** The topics that are told as events happen. */
const toldTopics = ['log', 'changes', 'refusals'] as const;

/** A topic that is sampled at intervals. */
export type SampledTopic = keyof typeof sampledTopics;
/** A topic that is told as events happen. */
export type ToldTopic = (typeof toldTopics)[number];
/** A topic that can be watched. */
export type WatchTopic = SampledTopic | ToldTopic;

/** The names of the topics that are sampled at intervals. */
export const sampledTopicNames = Object.keys(sampledTopics) as SampledTopic[];
/** All topics. */
export const watchTopics: readonly WatchTopic[] = [...sampledTopicNames, ...toldTopics];

/** The rows of a topic that a reader was told. */
export class ToldRows {
  readonly #topic: Topic;
  readonly #marks = new Map<string, Map<string, { readonly mark: string; readonly row: SampleRow }>>();

  constructor(name: SampledTopic) {
    this.#topic = sampledTopics[name];
  }

  /** The rows that the reader does not know yet, and knows from now on: those that are new or changed, and the keys of those that are gone. */
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
        const isKnown = known?.mark === marked;
        now.set(key, isKnown ? known : { mark: marked, row: namesIn(row, by) });
        return !isKnown;
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
 * Keeps a reader's rows of a topic by the messages that it is sent.
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
