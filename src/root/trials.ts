/**
 * Changes on trial: each is taken back when nobody confirms it in time, if need be by the next process, before that serves anything. What
 * others changed meanwhile stays. Where a later change stands on the tried one, the tried one stays too, and `status` says so.
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
  /** The time at which the change is taken back. */
  readonly until: Date;
  /** The reason why the change could not be taken back when its time was over. */
  readonly problem?: string;
}

interface Pending extends TriedChange {
  readonly trial: Trial;
  readonly cancel: () => void;
}

/** The functions of the home that trials need. */
export interface TrialsOptions {
  readonly history: ChangeHistory;
  readonly log: Log;
  readonly now: () => Date;
  /** Stores that a change stays. */
  readonly confirm: (change: string, by: Author) => Promise<void>;
}

/** The changes on trial of one root. */
export class Trials {
  readonly #options: TrialsOptions;
  readonly #pending = new Map<string, Pending>();
  /** Resolves when the changes whose time is over are taken back, one after the other. */
  #taking: Promise<unknown> = Promise.resolve();

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  /** The pending changes, the oldest first. */
  get all(): TriedChange[] {
    return [...this.#pending.values()].map(({ change, line, until, problem }) => ({
      change,
      line,
      until,
      ...(problem !== undefined && { problem }),
    }));
  }

  /**
   * Goes on with the trials of an earlier process: a change whose time is over is taken back now. @returns lines that say why some could
   * not be taken back
   */
  async resume(): Promise<string[]> {
    const { history, now } = this.#options;
    const overdue: string[] = [];
    for (const { id, trial, line, operations } of await history.onTrial()) {
      // A wall clock that was set back does not lengthen the trial.
      const left = Math.min(Date.parse(trial!.until) - now().getTime(), trial!.ms);
      this.#add(id, line ?? `${operations[0]?.path} ${operations[0]?.verb}`, trial!, left);
      if (left <= 0) overdue.unshift(id);
    }
    const lines: string[] = [];
    for (const id of overdue) lines.push(...(await this.#end(id)));
    return lines;
  }

  /** Notes a change: it may be on trial, or take back one that was. */
  made({ of, trial, undoes, line = '' }: PartOfChange): void {
    if (undoes !== undefined) this.#forget(undoes);
    if (trial && !this.#pending.has(of)) this.#add(of, line, trial, trial.ms);
  }

  /** Confirms the named change, or all. @returns the confirmed changes @throws OperatorError when there is none */
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

  /** Stops the clocks; the next process goes on with the trials. */
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

  /** Takes a change back at the end of its trial. @returns lines that say why that could not be done */
  async #end(change: string): Promise<string[]> {
    const pending = this.#pending.get(change);
    if (!pending) return [];
    const { history, log, confirm } = this.#options;
    const { line, trial } = pending;
    const seconds = Math.round(trial.ms / 1_000);
    try {
      const step = await history.last(change);
      if (step) await history.take(step, { by: { via: 'trial' }, line: `not confirmed within ${seconds} s: ${line}` });
      // An operation that replaces everything has come since: the change is confirmed, for there is nothing to take back.
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

/** The line that shows a change on trial. */
export const describeTrial = ({ change, line, problem }: TriedChange, time: string): string =>
  problem === undefined
    ? `${change} is taken back at ${time} unless: confirm ${change}   (${line})`
    : `${change} could not be taken back at ${time}: ${problem}. To keep it: confirm ${change}   (${line})`;
