/**
 * A watch: a reader gets samples at intervals, and events as they happen. A reader that does not read loses messages and is told how
 * many; nothing waits for it, and nothing is kept for it.
 */

import { type LogLevel, type LogRecord, logLevels } from '../log.ts';
import { describeOperation, type Operation, withoutSecrets } from '../operations/operation.ts';
import type { Host } from '../root/host.ts';
import type { LoginRefusal } from '../root/refusals.ts';
import { runningMs, whenLate } from '../system/running-time.ts';
import type { WatchEvent } from './control-protocol.ts';
import { shownDetail } from './log-lines.ts';
import { Sampler } from './samples.ts';
import { type SampledTopic, sampledTopicNames, ToldRows, type ToldTopic, type WatchTopic } from './topics.ts';

export interface WatchOptions {
  readonly of: readonly WatchTopic[];
  /** The interval between two samples. */
  readonly everyMs: number;
  /** The interval between the first two samples, for a reader that wants rates soon. */
  readonly firstMs?: number;
  /** The lowest level of log records that are told. */
  readonly level: LogLevel;
}

/** The reader of a watch. */
export interface WatchReader {
  /** Whether there is room for messages. While the reader has not read those that it was sent, it is sent none. */
  readonly hasRoom: boolean;
  post(message: object): void;
}

/** One reader that looks on. */
export class Watch {
  readonly #host: Host;
  readonly #sampler: Sampler;
  readonly #options: WatchOptions;
  readonly #reader: WatchReader;
  readonly #sampled: readonly SampledTopic[];
  readonly #told: ReadonlyMap<SampledTopic, ToldRows>;
  /** Whether the objects, or their states, may differ from those that the reader was told of. */
  #objectsMayDiffer = true;
  #lost: Partial<Record<WatchTopic, number>> = {};
  #ended = false;
  #forget: () => void = () => {};
  #cancel: () => void = () => {};

  constructor(host: Host, sampler: Sampler, options: WatchOptions, reader: WatchReader) {
    this.#host = host;
    this.#sampler = sampler;
    this.#options = options;
    this.#reader = reader;
    this.#sampled = sampledTopicNames.filter((name) => options.of.includes(name));
    this.#told = new Map(this.#sampled.map((name) => [name, new ToldRows(name)]));
  }

  begin(): void {
    const wants = (topic: ToldTopic) => this.#options.of.includes(topic);
    this.#forget = this.#host.onlookers.add({
      logged: (record) => {
        this.#objectsMayDiffer = true;
        if (wants('log') && isWanted(record, this.#options.level)) this.#tell('log', logged(record));
      },
      changed: (operations, { of: change, by, line }) => {
        this.#objectsMayDiffer = true;
        if (wants('changes')) {
          const who = { change, ...(by && { by }), ...(line !== undefined && { line }) };
          this.#tell('changes', { ...who, operations: operations.map(shown) });
        }
      },
      refused: (refusal: LoginRefusal) => {
        if (wants('refusals')) this.#tell('refusals', { refusal });
      },
    });
    if (this.#sampled.length > 0) void this.#look(this.#options.firstMs);
  }

  end(): void {
    this.#ended = true;
    this.#forget();
    this.#cancel();
  }

  /** Goes on when the reader has read: it is told how many messages it has lost. */
  resumed(): void {
    if (!this.#ended) this.#sayLost();
  }

  async #look(nextMs = this.#options.everyMs): Promise<void> {
    for (const topic of this.#sampled) {
      await this.#sample(topic);
      if (this.#ended) return;
    }
    this.#cancel = whenLate(nextMs, () => void this.#look());
  }

  async #sample(topic: SampledTopic): Promise<void> {
    if (topic === 'objects' && !this.#objectsMayDiffer) return;
    if (!this.#reader.hasRoom) return this.#lose(topic);
    if (topic === 'objects') this.#objectsMayDiffer = false;
    const { at, atMs, lists } = await this.#sampler.take(topic);
    if (this.#ended) return;
    if (!this.#reader.hasRoom) {
      if (topic === 'objects') this.#objectsMayDiffer = true;
      return this.#lose(topic);
    }
    const { changed, gone } = this.#told.get(topic)!.news(lists);
    // The fact that nothing moved is a figure, too.
    const isNews = topic === 'stats' || gone !== undefined || Object.values(changed).some(({ length }) => length > 0);
    if (isNews) this.#say({ is: topic, at, atMs, ...changed, ...(gone && { gone }) });
  }

  #tell(topic: ToldTopic, message: object): void {
    if (this.#reader.hasRoom) this.#say({ is: topic, at: new Date().toISOString(), ...message });
    else this.#lose(topic);
  }

  #lose(topic: WatchTopic): void {
    this.#lost[topic] = (this.#lost[topic] ?? 0) + 1;
  }

  #say(message: object): void {
    this.#sayLost();
    this.#reader.post(message);
  }

  #sayLost(): void {
    if (Object.keys(this.#lost).length === 0) return;
    const lost = this.#lost;
    this.#lost = {};
    this.#reader.post({ is: 'lost', lost });
  }
}

const isWanted = ({ level }: LogRecord, least: LogLevel): boolean =>
  logLevels.indexOf(level) <= logLevels.indexOf(least);

const logged = ({ level, event, detail }: LogRecord) => ({ level, event, detail: shownDetail(detail) });

/** A change as a line and as data: without secrets, and without parameters that only a repetition needs. */
function shown(operation: Operation) {
  const { path, verb, params } = withoutSecrets(operation);
  const plain = Object.entries(params).filter(([, value]) => typeof value !== 'object');
  return { line: describeOperation(operation), path, verb, params: Object.fromEntries(plain) };
}

/**
 * Watches in this process, as a client of the control socket would, for a reader that always reads.
 * @returns a function that ends the watch
 */
export function watchHost(host: Host, options: WatchOptions, hear: (event: WatchEvent) => void): () => void {
  const reader = { hasRoom: true, post: (message: object) => hear(message as WatchEvent) };
  const watch = new Watch(host, new Sampler(host.root, runningMs), options, reader);
  watch.begin();
  return () => watch.end();
}
