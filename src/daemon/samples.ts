/** Takes samples of a running process, each shared by all readers that ask at about the same time. */

import { inventoryOf } from '../root/inventory.ts';
import type { Root } from '../root/root.ts';
import type { SampledTopic, SampleLists } from './topics.ts';

/** Takes a sample. @param observed `Root.observe` */
type Take = (root: Root, observed: () => Promise<void>) => Promise<object>;

const takes: Readonly<Record<SampledTopic, Take>> = {
  stats: (root) => root.counts(),
  sessions: async (root, observed) => observed().then(() => ({ sessions: root.sessions() })),
  loops: async (root, observed) => observed().then(() => ({ loops: root.loads() })),
  objects: async (root, observed) => observed().then(() => inventoryOf(root)),
};

export interface TopicSample {
  /** The time of the sample; ISO 8601, UTC. */
  readonly at: string;
  /** The time in milliseconds of a clock that only goes forward, for rates. */
  readonly atMs: number;
  readonly lists: SampleLists;
}

/** The age up to which another reader gets the same sample: many readers cost as much as a few. */
const sharedMs = 200;

/** Takes the samples of one process. */
export class Sampler {
  readonly #root: Root;
  readonly #clock: () => number;
  readonly #last = new Map<SampledTopic, { readonly atMs: number; readonly sample: Promise<TopicSample> }>();

  #observedAtMs = Number.NEGATIVE_INFINITY;
  #observing: Promise<void> = Promise.resolve();

  /** @param clock milliseconds that only go forward */
  constructor(root: Root, clock: () => number) {
    this.#root = root;
    this.#clock = clock;
  }

  /** Observes the root once for all topics of a moment: the load of a loop is that since the last question. */
  readonly #observed = (): Promise<void> => {
    const atMs = this.#clock();
    if (atMs - this.#observedAtMs >= sharedMs) {
      this.#observedAtMs = atMs;
      this.#observing = this.#root.observe();
    }
    return this.#observing;
  };

  take(topic: SampledTopic): Promise<TopicSample> {
    const atMs = this.#clock();
    const last = this.#last.get(topic);
    if (last && atMs - last.atMs < sharedMs) return last.sample;
    const at = new Date().toISOString();
    const sample = takes[topic](this.#root, this.#observed).then((lists) => ({
      at,
      atMs,
      lists: lists as SampleLists,
    }));
    this.#last.set(topic, { atMs, sample });
    return sample;
  }
}
