/**
 * Changes on trial: each is taken back when nobody confirms it in time, also by the next process, before it serves anything. What
 * others changed meanwhile stays. Where that stands on it, the change stays too, and whoever looks is told.
 */

import { OperatorError, wholeReasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Author, PartOfChange, Trial } from '../operations/operation.ts';
import { whenLate } from '../system/running-time.ts';
import type { ChangeHistory } from './history.ts';

/** A change on trial. */
export interface TriedChange {
  readonly change: string;
  readonly line: string;
  /** When it is taken back. */
  readonly until: Date;
  /** Why it could not be taken back, when its time was over. */
  readonly problem?: string;
}

interface Pending extends TriedChange {
  readonly trial: Trial;
  readonly cancel: () => void;
}

/** What trials need of the home. */
export interface TrialsOptions {
  readonly history: ChangeHistory;
  readonly log: Log;
  readonly now: () => Date;
  /** Stores that a change is to stay. */
  readonly confirm: (change: string, by: Author) => Promise<void>;
}

/** The changes on trial of one root. */
export class Trials {
  readonly #options: TrialsOptions;
  readonly #pending = new Map<string, Pending>();
  /** They are taken back one after the other. */
  #taking: Promise<unknown> = Promise.resolve();

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  /** Those that are pending, the oldest first. */
  get all(): TriedChange[] {
    return [...this.#pending.values()].map(({ change, line, until, problem }) => ({
      change,
      line,
      until,
      ...(problem !== undefined && { problem }),
    }));
  }

  /** Takes up what an earlier process left: what is over is taken back now. @returns why some could not be, a line each */
  async resume(): Promise<string[]> {
    const { history, now } = this.#options;
    const overdue: string[] = [];
    for (const { id, trial, line, operations } of await history.onTrial()) {
      // A clock that went back does not make it longer.
      const left = Math.min(Date.parse(trial!.until) - now().getTime(), trial!.ms);
      this.#add(id, line ?? `${operations[0]?.path} ${operations[0]?.verb}`, trial!, left);
      if (left <= 0) overdue.unshift(id);
    }
    const lines: string[] = [];
    for (const id of overdue) lines.push(...(await this.#end(id)));
    return lines;
  }

  /** A change was made: it may be on trial, or take one back that was. */
  made({ of, trial, undoes, line = '' }: PartOfChange): void {
    if (undoes !== undefined) this.#forget(undoes);
    if (trial && !this.#pending.has(of)) this.#add(of, line, trial, trial.ms);
  }

  /** Those that are named, or all, stay. @returns what they were @throws OperatorError when there is none */
  async confirm(change: string | undefined, by: Author): Promise<TriedChange[]> {
    const wanted = this.all.filter((one) => change === undefined || one.change === change);
    if (wanted.length === 0)
      throw new OperatorError(
        change === undefined ? 'Nothing is on trial.' : `There is no change ${change} on trial.`,
        this.all.length > 0 ? `On trial: ${this.all.map((one) => one.change).join(', ')}` : 'What was done: changes',
      );
    for (const one of wanted) {
      await this.#options.confirm(one.change, by);
      this.#forget(one.change);
    }
    return wanted;
  }

  /** The next process goes on with them. */
  async close(): Promise<void> {
    for (const { cancel } of this.#pending.values()) cancel();
    await this.#taking;
  }

  #add(change: string, line: string, trial: Trial, left: number): void {
    const { now } = this.#options;
    const cancel = left > 0 ? whenLate(left, () => this.#due(change)) : () => {};
    this.#pending.set(change, { change, line, trial, cancel, until: new Date(now().getTime() + left) });
  }

  #due(change: string): void {
    this.#taking = this.#taking.then(() => this.#end(change));
  }

  #forget(change: string): void {
    this.#pending.get(change)?.cancel();
    this.#pending.delete(change);
  }

  /** @returns why it could not be taken back, in a line */
  async #end(change: string): Promise<string[]> {
    const pending = this.#pending.get(change);
    if (!pending) return [];
    const { history, log, confirm } = this.#options;
    const { line, trial } = pending;
    const seconds = Math.round(trial.ms / 1_000);
    try {
      const step = await history.last(change);
      if (step) await history.take(step, { by: { via: 'trial' }, line: `not confirmed within ${seconds} s: ${line}` });
      // Somebody has replaced everything since.
      else await confirm(change, { via: 'trial' });
      this.#forget(change);
      return [];
    } catch (error) {
      const problem = wholeReasonOf(error);
      this.#pending.set(change, { ...pending, problem });
      log({ level: 'warning', event: 'trial not taken back', detail: { change, line, reason: problem } });
      return [`Nobody confirmed a change within ${seconds} s, and it could not be taken back: ${line}: ${problem}`];
    }
  }
}

/** How a change is shown that is on trial. */
export const describeTrial = ({ change, line, problem }: TriedChange, time: string): string =>
  problem === undefined
    ? `${change} is taken back at ${time} unless: confirm ${change}   (${line})`
    : `${change} could not be taken back at ${time}: ${problem}. To keep it: confirm ${change}   (${line})`;
