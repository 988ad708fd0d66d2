/**
 * The past, as far as the journal knows it: the changes that were made, those that still stand, and the routes by which an earlier tree
 * is made again. A change that was taken back, and the change that took it back, count as if they had not been.
 */

import { isWhole, type Operation } from '../operations/operation.ts';
import { type JournalLine, type Mark, operationsOf, savedAt } from './journal-lines.ts';

/** One change, as it was made. */
export interface PastChange extends Partial<Omit<Mark, 'of'>> {
  readonly id: string;
  readonly operations: readonly Operation[];
}

/** A save, and how many changes came since the one before it. */
export interface PastSave extends Pick<PastChange, 'at' | 'by'> {
  readonly hash: string;
  readonly changes: number;
}

/** An operation, and the change that it is a part of; undefined: a change that cannot be taken back. */
interface Entry {
  readonly operation: Operation;
  readonly change: string | undefined;
  readonly line: JournalLine;
}

/** A route to a tree: its beginning, and the operations that follow. */
export interface Route {
  /**
   * Whether the route begins with the saved configuration. Otherwise it begins with nothing: the first operation replaces everything, or
   * nothing was before.
   */
  readonly onSaved: boolean;
  readonly operations: readonly Operation[];
}

/** The number of lines that are left at most when the older ones are dropped. */
const linesKept = 500;

/** The past as the lines of a journal tell it. */
export class Past {
  readonly #lines: readonly JournalLine[];
  readonly #entries: readonly Entry[];
  /** The number of the entry before which everything is in saveconfig.json; undefined: the journal does not go with that file. */
  readonly #saved: number | undefined;
  /** Whether nothing was there before the first line. */
  readonly #isWhole: boolean;

  /** @param base sha256 of saveconfig.json, null when there is none */
  constructor(lines: readonly JournalLine[], base: string | null) {
    this.#lines = lines;
    const begins = lines[0]?.folded !== undefined;
    this.#isWhole = lines[0]?.base === null && !begins;
    this.#entries = lines.flatMap((line, number) =>
      operationsOf(line).map((operation) => ({
        operation,
        // An operation that was folded, or that came to stand on another file, has no known past.
        change: begins && number === 1 ? undefined : (line.of ?? `line ${number}`),
        line,
      })),
    );
    const start = savedAt(lines, base);
    this.#saved = start === undefined ? undefined : lines.slice(0, start).flatMap(operationsOf).length;
  }

  /** All changes, in the order in which they began. */
  get changes(): PastChange[] {
    return changesIn(this.#lines);
  }

  /** Times at which saveconfig.json was written. */
  get saves(): PastSave[] {
    return savesIn(this.#lines);
  }

  /** Changes that were not taken back, the newest first. */
  get standing(): string[] {
    // "The last change" is never the taking back of a change that is not known any more.
    const own = standing(this.#entries).filter(({ line }) => (line.undoes ?? line.redoes) === undefined);
    return [...new Set(own.flatMap(({ change }) => change ?? []))].reverse();
  }

  /** The change that was taken back last, as long as no change other than an initiator's was made since. */
  get undone(): string | undefined {
    const undone: string[] = [];
    for (const { undoes, redoes, by, operations } of changesIn(this.#lines))
      if (operations.length === 0) continue;
      else if (undoes !== undefined) undone.push(undoes);
      else if (redoes !== undefined) undone.splice(undone.lastIndexOf(redoes), 1);
      else if (by?.via !== 'initiator') undone.length = 0;
    return undone.at(-1);
  }

  /** Changes that nobody has confirmed or taken back, the oldest first. */
  get onTrial(): PastChange[] {
    const over = new Set(this.#lines.flatMap(({ confirms, undoes }) => [confirms ?? [], undoes ?? []].flat()));
    return this.changes.filter(({ id, trial }) => trial !== undefined && !over.has(id));
  }

  change(id: string): PastChange | undefined {
    return this.changes.find((one) => one.id === id);
  }

  /**
   * The route to a tree without some changes, or with some made again.
   * @returns undefined when the time before the first of them is not known
   */
  route({ without = [], again = [] }: { without?: Iterable<string>; again?: Iterable<string> }): Route | undefined {
    const [gone, back] = [new Set(without), new Set(again)];
    const first = this.#entries.findIndex(
      ({ change }) => change !== undefined && (gone.has(change) || back.has(change)),
    );
    const start = this.#startBefore(first < 0 ? this.#entries.length : first);
    if (start === undefined) return undefined;
    const left = standing(this.#entries.slice(start), back).filter(
      ({ change }) => change === undefined || !gone.has(change),
    );
    return { onSaved: start === this.#saved, operations: left.map(({ operation }) => operation) };
  }

  /** The route to the tree as it was at the beginning of a line, or at the end. */
  routeTo(line: number): Route | undefined {
    const count = this.#lines.slice(0, line).flatMap(operationsOf).length;
    const start = this.#startBefore(count);
    if (start === undefined) return undefined;
    const operations = this.#entries.slice(start, count).map(({ operation }) => operation);
    return { onSaved: start === this.#saved, operations };
  }

  /** The number of the line behind the last one that was written until `time`; undefined: that is longer ago than is known. */
  lineAt(time: Date): number | undefined {
    const until = time.toISOString();
    const last = this.#lines.findLastIndex(({ at }) => at !== undefined && at <= until);
    if (last >= 0) return last + 1;
    return this.#isWhole ? 0 : undefined;
  }

  /** The number of the first line that stays when about half are dropped: no change is cut in two. */
  cut(keep: ReadonlySet<string>): number {
    let cut = Math.max(Math.ceil(this.#lines.length / 2), this.#lines.length - linesKept);
    const needed = this.#lines.findIndex(({ of }) => of !== undefined && keep.has(of));
    if (needed >= 0) cut = Math.min(cut, needed);
    for (;;) {
      const later = new Set(this.#lines.slice(cut).flatMap(({ of }) => of ?? []));
      const split = this.#lines.slice(0, cut).findIndex(({ of }) => of !== undefined && later.has(of));
      if (split < 0) return cut;
      cut = split;
    }
  }

  /** The number of lines. */
  get length(): number {
    return this.#lines.length;
  }

  /** The operations from a line on. */
  operationsFrom(line: number): Operation[] {
    return this.#lines.slice(line).flatMap(operationsOf);
  }

  /** The last entry, before `entry`, from which on everything is known. */
  #startBefore(entry: number): number | undefined {
    if (this.#saved !== undefined && this.#saved <= entry) return this.#saved;
    const whole = this.#entries.findLastIndex(({ operation }, at) => at < entry && isWhole(operation));
    if (whole >= 0) return whole;
    return this.#isWhole ? 0 : undefined;
  }
}

/** The entries without those that were taken back. @param again changes that were taken back and count all the same */
function standing(entries: readonly Entry[], again: ReadonlySet<string> = new Set()): Entry[] {
  const own = new Set(entries.flatMap(({ change }) => change ?? []));
  const undone = new Set<string>();
  // A change that takes back one which is not among these entries is a change like any other.
  const others = entries.filter(({ line: { undoes, redoes } }) => {
    if (undoes !== undefined && own.has(undoes)) return void undone.add(undoes);
    if (redoes !== undefined && own.has(redoes)) return void undone.delete(redoes);
    return true;
  });
  return others.filter(({ change }) => change === undefined || !undone.has(change) || again.has(change));
}

/** All changes in some lines of a journal, in the order in which they began. */
export function changesIn(lines: readonly JournalLine[]): PastChange[] {
  const changes = new Map<string, PastChange>();
  for (const [number, line] of lines.entries()) {
    if (line.do === undefined || (number === 1 && lines[0]?.folded !== undefined)) continue;
    const { of: id = `line ${number}`, at, by, line: typed, undoes, redoes, trial, gateway } = line;
    const before = changes.get(id);
    const known = { at, by, line: typed, undoes, redoes, trial, gateway };
    const given = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
    changes.set(id, { id, ...given, ...before, operations: [...(before?.operations ?? []), ...operationsOf(line)] });
  }
  return [...changes.values()];
}

/** The saves in some lines of a journal. */
export function savesIn(lines: readonly JournalLine[]): PastSave[] {
  let since = new Set<string>();
  const saves: PastSave[] = [];
  for (const [number, { do: operation, of: id, saved, at, by }] of lines.entries()) {
    if (operation !== undefined) since.add(id ?? `line ${number}`);
    if (saved === undefined) continue;
    saves.push({ hash: saved, changes: since.size, ...(at !== undefined && { at }), ...(by && { by }) });
    since = new Set();
  }
  return saves;
}
