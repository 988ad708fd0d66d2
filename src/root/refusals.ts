/** The initiators that were refused lately, and why: `why` reads it. */

import type { LogEvent, LogRecord } from '../log.ts';

/** The number of refusals that are remembered; the oldest makes room for a new one. */
const refusalsMax = 100;

/** The events that tell of a refused or redirected initiator. */
const refusing: readonly LogEvent[] = [
  'iscsi login refused',
  'iscsi login redirected',
  'iscsi connection refused',
  'iscsi connection dropped',
  'nbd connection refused',
  'vhost front-end refused',
  'vhost front-end dropped',
  'control client refused',
];

/** The refusals of one initiator for one reason, however often it came. Plain data. */
export interface LoginRefusal {
  readonly event: LogEvent;
  /** The name that the initiator gave, which nothing proves yet. '' where the initiator gave none. */
  readonly initiator: string;
  /** The target that the initiator asked for, or `discovery`. '' where the login did not come that far. */
  readonly target: string;
  /** The address that the initiator came from the last time, without its port. */
  readonly address: string;
  /** The portal that the initiator came to the last time. */
  readonly portal: string;
  readonly reason: string;
  readonly count: number;
  /** The times of the first refusal and of the last: ISO 8601, UTC. */
  readonly since: string;
  readonly at: string;
}

/** The last refusals: one line for each initiator, place and reason. */
export class Refusals {
  /** The refusals by initiator, place and reason, the latest at the end. */
  readonly #all = new Map<string, LoginRefusal>();

  /** Notes the refusal that a log record tells of. @returns the refusal, undefined when the record tells of none */
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
    for (const oldest of this.#all.keys()) {
      if (this.#all.size <= refusalsMax) break;
      this.#all.delete(oldest);
    }
    return refusal;
  }

  /** The refusals, the latest first. */
  latest(): LoginRefusal[] {
    return [...this.#all.values()].reverse();
  }
}
