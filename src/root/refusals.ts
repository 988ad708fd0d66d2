/** Who was refused lately, and why: for whoever asks why somebody cannot come in. */

import type { LogEvent, LogRecord } from '../log.ts';

/** How many are remembered; the one that is the longest ago makes room. */
const refusalsMax = 100;

/** What is logged when somebody is refused, or sent elsewhere. */
const refusing: readonly LogEvent[] = [
  'iscsi login refused',
  'iscsi login redirected',
  'iscsi connection refused',
  'iscsi connection dropped',
  'nbd connection refused',
  'vhost front-end refused',
  'control client refused',
];

/** The same refusal of the same initiator, however often it came. Plain data. */
export interface LoginRefusal {
  readonly event: LogEvent;
  /** As it called itself: nobody has proved anything yet. '' where it said nothing. */
  readonly initiator: string;
  /** What it asked for: a target, or `discovery`. '' where it did not come that far. */
  readonly target: string;
  /** Where it came from the last time, without its port. */
  readonly address: string;
  /** Where it came to the last time. */
  readonly portal: string;
  readonly reason: string;
  readonly count: number;
  /** ISO 8601, UTC: the first time and the last one. */
  readonly since: string;
  readonly at: string;
}

/** The last refusals, a line for each who, where and why. */
export class Refusals {
  /** By who, where and why; the latest last. */
  readonly #all = new Map<string, LoginRefusal>();

  /** @returns the refusal that a record tells of, undefined when it tells of none */
  note({ event, detail = {} }: LogRecord, now: Date): LoginRefusal | undefined {
    if (!refusing.includes(event)) return undefined;
    const word = (name: string) => String(detail[name] ?? '');
    const [initiator, target, reason] = [word('initiator'), word('target'), word('reason')];
    // Each connection comes from another port.
    const address = word('address').replace(/:\d+$/, '');
    const key = JSON.stringify([event, initiator, target, reason, initiator === '' && address]);
    const before = this.#all.get(key);
    const at = now.toISOString();
    const refusal: LoginRefusal = {
      ...{ event, initiator, target, address, portal: word('portal'), reason },
      count: (before?.count ?? 0) + 1,
      since: before?.since ?? at,
      at,
    };
    this.#all.delete(key);
    this.#all.set(key, refusal);
    if (this.#all.size > refusalsMax) this.#all.delete(this.#all.keys().next().value!);
    return refusal;
  }

  /** The latest first. */
  latest(): LoginRefusal[] {
    return [...this.#all.values()].reverse();
  }
}
