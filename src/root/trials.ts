/**
 * Changes on trial: each is taken back when nobody confirms it in time, if need be by the next process, before that serves anything. What
 * others changed meanwhile stays. Where a later change stands on the tried one, the tried one stays too, and `status` says so.
 */

import { OperatorError, wholeReasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Author, type PartOfChange, printAuthor } from '../operations/operation.ts';
import { whenLate } from '../system/running-time.ts';
import { timeIn } from '../target/time-word.ts';
import type { ChangeHistory } from './history.ts';

/** A change on trial. */
export interface TriedChange {
  readonly change: string;
  readonly line: string;
  /** The person who tries the change. */
  readonly by?: Author;
  readonly ms: number;
  /** The time at which the change is taken back. */
  readonly until: Date;
  /** The reason why the change could not be taken back when its time was over. */
  readonly problem?: string;
}

interface Pending extends TriedChange {
  readonly cancel: () => void;
}

/** The same person at the same terminal, as far as the kernel knows: several administrators may all be root. */
const isSamePerson = (one: Author | undefined, other: Author): boolean =>
  (['user', 'login', 'terminal', 'address'] as const).every((word) => one?.[word] === other[word]);

/** The functions of the home that trials need. */
export interface TrialsOptions {
  readonly history: ChangeHistory;
  readonly log: Log;
  readonly now: () => Date;
  /** Stores that a change stays. */
  readonly confirm: (change: string, by: Author) => Promise<void>;
  /** One was taken back, or could not be. */
  readonly ended: (tried: TriedChange) => void;
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
    return [...this.#pending.values()].map(({ cancel: _, ...tried }) => tried);
  }

  /**
   * Goes on with the trials of an earlier process: a change whose time is over is taken back now. @returns lines that say why some could
   * not be taken back
   */
  async resume(): Promise<string[]> {
    const { history, now } = this.#options;
    const overdue: string[] = [];
    for (const { id, trial, line, by, operations } of await history.onTrial()) {
      if (!trial) continue;
      // A wall clock that was set back does not lengthen the trial.
      const least = Math.min(timeIn(trial.until) - now().getTime(), trial.ms);
      // Where the end cannot be read, the trial is over.
      const left = Number.isFinite(least) ? least : 0;
      const tried = { change: id, line: line ?? `${operations[0]?.path} ${operations[0]?.verb}`, ms: trial.ms };
      this.#add({ ...tried, ...(by && { by }) }, left);
      if (left <= 0) overdue.unshift(id);
    }
    const lines: string[] = [];
    for (const id of overdue) lines.push(...(await this.#end(id)));
    return lines;
  }

  /** Notes a change: it may be on trial, or take back one that was. */
  made({ of, trial, undoes, by, line = '' }: PartOfChange): void {
    if (undoes !== undefined) this.#forget(undoes);
    if (trial && !this.#pending.has(of)) this.#add({ change: of, line, ms: trial.ms, ...(by && { by }) }, trial.ms);
  }

  /**
   * Confirms the named change, whoever tries it; without a name, the changes that the same person tries.
   * @returns the confirmed changes @throws OperatorError when there is none
   */
  async confirm(change: string | undefined, by: Author): Promise<TriedChange[]> {
    const wanted = this.all.filter((one) => (change === undefined ? isSamePerson(one.by, by) : one.change === change));
    if (wanted.length === 0) {
      const none =
        change === undefined ? 'Nothing that you try here is on trial' : `There is no change ${change} on trial`;
      const others = this.all.map((one) => describeTried(one));
      throw new OperatorError(
        this.all.length === 0 && change === undefined ? 'Nothing is on trial.' : `${none}.`,
        others.length > 0 ? others.join('\n') : 'What was done: changes',
      );
    }
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

  #add(tried: Omit<TriedChange, 'until'>, left: number): void {
    const { now } = this.#options;
    const cancel = left > 0 ? whenLate(left, () => this.#due(tried.change)) : () => {};
    this.#pending.set(tried.change, { ...tried, cancel, until: new Date(now().getTime() + left) });
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
    const { history, log, confirm, ended } = this.#options;
    const { cancel: _, ...tried } = pending;
    const { line, ms } = tried;
    const seconds = Math.round(ms / 1_000);
    try {
      const step = await history.last(change);
      if (step) await history.take(step, { by: { via: 'trial' }, line: `not confirmed within ${seconds} s: ${line}` });
      // An operation that replaces everything has come since: the change is confirmed, for there is nothing to take back.
      else await confirm(change, { via: 'trial' });
      this.#forget(change);
      ended(tried);
      return [];
    } catch (error) {
      const problem = wholeReasonOf(error);
      this.#pending.set(change, { ...pending, problem });
      ended({ ...tried, problem });
      log({ level: 'warning', event: 'trial not taken back', detail: { change, line, reason: problem } });
      return [`Nobody confirmed a change within ${seconds} s, and it could not be taken back: ${line}: ${problem}`];
    }
  }
}

/** `To keep it: confirm 1a2b3c4d   (root pts/3 from 10.0.0.7: try 5m …)` */
const describeTried = ({ change, by, line }: TriedChange): string =>
  `To keep it: confirm ${change}   (${by ? printAuthor(by) : 'unknown'}: ${line})`;

/** The lines that tell a person at a shell that the time of a change is over. */
export function describeEnd({ change, by, line, ms, problem }: TriedChange, reader: Author | undefined): string {
  const isOwn = reader !== undefined && isSamePerson(by, reader);
  const whose = isOwn || !by ? '' : ` (${printAuthor(by)})`;
  const late = `Nobody confirmed within ${Math.round(ms / 1_000)} s: ${line}${whose}`;
  return problem === undefined
    ? `${late}\nIt was taken back. To make it again: redo`
    : `${late}\nIt could not be taken back: ${problem}. To keep it: confirm ${change}`;
}

/** The line that shows a change on trial. */
export const describeTrial = ({ change, line, problem }: TriedChange, time: string): string =>
  problem === undefined
    ? `${change} is taken back at ${time} unless: confirm ${change}   (${line})`
    : `${change} could not be taken back at ${time}: ${problem}. To keep it: confirm ${change}   (${line})`;
