/** Onlookers hear what is logged, what changes and who is refused, as it happens, and take no part in it. */

import type { Log, LogRecord } from '../log.ts';
import type { Operation, PartOfChange } from '../operations/operation.ts';
import { OldSecretUses } from './old-secrets.ts';
import { type LoginRefusal, Refusals } from './refusals.ts';
import type { TriedChange } from './trials.ts';

/** The events that an onlooker wants to hear of. A function here must neither throw nor take long. */
export interface Onlooker {
  logged?(record: LogRecord): void;
  /** Operations that were made together, and are on disk. */
  changed?(operations: readonly Operation[], part: PartOfChange): void;
  refused?(refusal: LoginRefusal): void;
  /** The time of a change on trial is over. */
  trialEnded?(tried: TriedChange): void;
}

/** The onlookers of one root. */
export class Onlookers {
  readonly refusals = new Refusals();
  readonly oldSecrets = new OldSecretUses();
  readonly #all = new Set<Onlooker>();
  readonly #now: () => Date;

  constructor(now: () => Date = () => new Date()) {
    this.#now = now;
  }

  /** Adds an onlooker. @returns a function that removes the onlooker */
  add(onlooker: Onlooker): () => void {
    this.#all.add(onlooker);
    return () => void this.#all.delete(onlooker);
  }

  /** A log like `log` that onlookers hear, too. */
  hearing(log: Log): Log {
    return (record) => {
      log(record);
      this.oldSecrets.note(record, this.#now());
      const refusal = this.refusals.note(record, this.#now());
      for (const one of this.#all) {
        one.logged?.(record);
        if (refusal) one.refused?.(refusal);
      }
    };
  }

  changed(operations: readonly Operation[], part: PartOfChange): void {
    this.oldSecrets.changed(operations);
    for (const one of this.#all) one.changed?.(operations, part);
  }

  trialEnded(tried: TriedChange): void {
    for (const one of this.#all) one.trialEnded?.(tried);
  }
}
