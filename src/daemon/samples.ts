/** Takes samples of a running process: each for all readers that ask at about the same time. */

import { inventoryOf } from '../root/inventory.ts';
import type { Root } from '../root/root.ts';
import type { SampledTopic, SampleLists } from './topics.ts';

const takes: Readonly<Record<SampledTopic, (root: Root) => Promise<object>>> = {
  stats: (root) => root.counts(),
  async sessions(root) {
    await root.observe();
    return { sessions: root.sessions() };
  },
  async loops(root) {
    await root.observe();
    return { loops: root.loads() };
  },
  async objects(root) {
    await root.observe();
    return inventoryOf(root);
  },
};

export interface TopicSample {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Milliseconds of a clock that only goes forward, for rates. */
  readonly atMs: number;
  readonly lists: SampleLists;
}

/** How old a sample may be that another reader takes, too: many readers cost as much as a few. */
const sharedMs = 200;

/** Takes the samples of one process. */
export class Sampler {
  readonly #root: Root;
  readonly #clock: () => number;
  readonly #last = new Map<SampledTopic, { readonly atMs: number; readonly sample: Promise<TopicSample> }>();

  /** @param clock milliseconds that only go forward */
  constructor(root: Root, clock: () => number) {
    this.#root = root;
    this.#clock = clock;
  }

  take(topic: SampledTopic): Promise<TopicSample> {
    const atMs = this.#clock();
    const last = this.#last.get(topic);
    if (last && atMs - last.atMs < sharedMs) return last.sample;
    const at = new Date().toISOString();
    const sample = takes[topic](this.#root).then((lists) => ({ at, atMs, lists: lists as SampleLists }));
    this.#last.set(topic, { atMs, sample });
    return sample;
  }
}
