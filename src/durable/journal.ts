/**
 * Every change that was acknowledged, one JSON line each, on disk before it is answered. saveconfig.json and what stands here
 * behind the last `base` are the configuration. What stands before that is the past: who made which change, and what it takes
 * to go back there, secrets included. It is bounded; what is given up of it goes to the audit first (audit.ts).
 *
 *     {"journal":1,"base":"<sha256 of saveconfig.json>"|null,"folded":N}
 *                                 the beginning. With `folded`, the line behind it is everything as it was then, in one
 *                                 operation: N that are not in saveconfig.json are in it
 *     {"do":{"path":…,"verb":…,"params":…},"of":"<change>","at":…,"by":{…},"line":…}
 *                                 operations of one change are taken back together; without `of`, each by itself
 *     {"do":[{…},{…}],"of":…}     several of one change, which are durable together or not at all
 *     {"do":{…},"of":…,"undoes":"<change>"}  a change that takes another one back, or (`redoes`) makes it again
 *     {"do":{…},"trial":{"ms":…,"until":…}}  a change that is taken back when nobody confirms it by then
 *     {"do":[],"confirms":"<change>"}  somebody has
 *     {"do":{…},"on":"<sha256>"}  one that replaces everything, done while saveconfig.json was this
 *     {"do":{…},"gateway":…,"number":N}  change N of the tree that the gateways of a cluster share
 *     {"saved":"<sha256>","at":…,"by":{…}}  saveconfig.json is about to become this: what stands above is in it
 *     {"base":"<sha256>"}         saveconfig.json is this now, and holds all that stands above
 */

import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeOperation, type Operation } from '../operations/operation.ts';
import { type Files, freePath, realFiles, replaceFile, syncDirectory, writeAll } from './atomic-file.ts';
import { foldedAt, type JournalLine, type Mark, numberIn, operationsOf, readLines, startOf } from './journal-lines.ts';
import { Past } from './past.ts';

export interface Replay {
  /** The operations since the saved file was written. */
  readonly operations: readonly Operation[];
  /**
   * Set when the saved file is not the one that the journal goes with: the path to which the journal was moved, and the number of its
   * operations.
   */
  readonly setAside?: { readonly path: string; readonly operations: number };
}

/** The options of opening a journal. */
export interface JournalOptions {
  readonly path: string;
  /** sha256 of saveconfig.json as it is on disk now, null when there is none. */
  readonly base: string | null;
  readonly now: Date;
  /** Whether another process owns the journal, so that nothing is moved. */
  readonly readOnly: boolean;
  /** The operation that makes the configuration of saveconfig.json, for a journal that begins on that file; undefined when there is none. */
  readonly beginning?: () => Promise<Operation | undefined>;
  /** Called before the journal is moved because somebody else wrote the saved file. @throws for a saved file that cannot be loaded */
  readonly check?: () => void;
  /** The archive's words about a saveconfig.json that somebody else wrote. */
  readonly replaced?: Mark;
  /** Called before lines are dropped, with all lines; `before`: the number of the first that stays. */
  readonly archive?: (lines: readonly JournalLine[], before: number) => Promise<void>;
  readonly files?: Files;
}

/** The number of latest operations that are kept to be shown. */
const latestMax = 100;
/** The length of the past, in lines and bytes beside the first operation, at which the older half is dropped. */
const linesMax = 1_000;
const bytesMax = 8 << 20;
/** The growth since the last folding before the journal is folded again. */
const foldGrowth = 2;

/** The name of the journal in the state directory. */
export const journalFile = 'journal.jsonl';

/** An open journal. */
export class Journal {
  readonly #path: string;
  readonly #files: Files;
  readonly #options: JournalOptions;
  #file: FileHandle | undefined;
  #pending = 0;
  #number = 0;
  #recorded = 0;
  #latest: string[] = [];
  #lines = 0;
  /** The bytes of acknowledged lines; bytes behind them belong to a line that failed. */
  #size = 0;
  #foldedSize = 0;
  #torn = false;
  /** Whether saveconfig.json was replaced by a process that ended before it wrote the line which says so. */
  #unsettled = false;

  private constructor(options: JournalOptions) {
    this.#options = options;
    this.#path = options.path;
    this.#files = options.files ?? realFiles;
  }

  /** The number of operations that are not in saveconfig.json. */
  get pending(): number {
    return this.#pending;
  }

  /** The number of operations that this process has recorded. */
  get recorded(): number {
    return this.#recorded;
  }

  /** The last operations that are not in saveconfig.json, a line each, oldest first. */
  get latest(): readonly string[] {
    return this.#latest;
  }

  /** The number of the last change of the shared tree that is here; 0: none is. */
  get number(): number {
    return this.#number;
  }

  /** Whether the time has come to `fold`. @param atStart the journal was just read: many lines make a start slow */
  wantsFolding(atStart = false): boolean {
    return (atStart && this.#lines > linesMax) || this.#size > Math.max(bytesMax, foldGrowth * this.#foldedSize);
  }

  /** Reads the journal. @throws system errors, and an Error that names a line which is damaged in the middle */
  static async load(options: JournalOptions): Promise<{ journal: Journal; replay: Replay }> {
    const { path, base, now, readOnly, files = realFiles } = options;
    const lines = await readLines(path, files);
    const journal = new Journal(options);
    journal.#number = numberIn(lines);
    const start = startOf(lines, base);
    if (start !== undefined) {
      const operations = lines.slice(start).flatMap(operationsOf);
      const single = start === 0 && lines[0]?.folded !== undefined ? operations.slice(1) : operations;
      journal.#pending = foldedAt(lines, start) + single.length;
      journal.#latest = single.slice(-latestMax).map(describeOperation);
      journal.#lines = lines.length;
      journal.#unsettled = start === lines.length && lines.at(-1)?.saved !== undefined;
      return { journal, replay: { operations } };
    }
    const all = lines.flatMap(operationsOf);
    if (all.length === 0) return { journal, replay: { operations: [] } };
    options.check?.();
    journal.#number = 0;
    const aside = await freePath(join(dirname(path), `journal-${stamp(now)}.jsonl`), files);
    if (!readOnly) {
      await options.archive?.([...lines, { ...options.replaced, do: [] }], lines.length + 1);
      await files.rename(path, aside);
      await syncDirectory(dirname(path), files);
    }
    return { journal, replay: { operations: [], setAside: { path: aside, operations: all.length } } };
  }

  /**
   * Records operations in one line, which is on disk when the call resolves.
   * @param on sha256 of a saveconfig.json (null: of none) that the operations go with as well, because they replace all that was there
   */
  async record(operations: readonly Operation[], base: string | null, mark?: Mark, on?: string | null): Promise<void> {
    const [first, ...more] = operations;
    if (!first) return;
    await this.#append({ do: more.length > 0 ? operations : first, ...mark, ...(on !== undefined && { on }) }, base);
    this.#number = mark?.number ?? this.#number;
    this.#pending += operations.length;
    this.#recorded += operations.length;
    this.#latest = [...this.#latest, ...operations.map(describeOperation)].slice(-latestMax);
  }

  /** Records that a change on trial stays; the line is on disk when the call resolves. */
  async confirm(change: string, base: string | null, mark: Mark): Promise<void> {
    await this.#append({ do: [], confirms: change, ...mark }, base);
    this.#number = mark.number ?? this.#number;
  }

  /** All lines that were acknowledged and have not been dropped. @throws as `load` does */
  lines(): Promise<JournalLine[]> {
    return readLines(this.#path, this.#files);
  }

  /** The past, as far as the journal knows it. */
  async past(base: string | null): Promise<Past> {
    return new Past(await this.lines(), base);
  }

  /** Announces that saveconfig.json is about to be replaced by what `hash` names. */
  async announce(hash: string, base: string | null, mark?: Omit<Mark, 'of'>): Promise<void> {
    await this.#append({ saved: hash, ...mark }, base);
  }

  /** Records that saveconfig.json holds everything now. */
  async settle(base: string | null): Promise<void> {
    this.#pending = 0;
    this.#latest = [];
    this.#unsettled = true;
    await this.#append({}, base);
  }

  /**
   * Drops the lines before line `cut`.
   * @param cut the number of the first line that stays
   * @param number the number of the last change of the shared tree that is in all of it, where that is none that stands here
   * @param operation gives the tree that all lines before gave
   */
  async fold(cut: number, operation: Operation, base: string | null, number?: number): Promise<void> {
    const lines = await readLines(this.#path, this.#files);
    const start = startOf(lines, base) ?? lines.length;
    await this.#options.archive?.(lines, cut);
    const gone = lines.slice(start, cut).flatMap(operationsOf).length;
    const isFirstGone = start === 0 && cut > 1 && lines[0]?.folded !== undefined;
    const folded = Math.max(0, foldedAt(lines, start) + gone - (isFirstGone ? 1 : 0));
    const last = number ?? numberIn(lines.slice(0, cut));
    await this.#replace([
      { journal: 1, base, folded },
      { do: operation, ...(last > 0 && { number: last }) },
      ...lines.slice(cut),
    ]);
    this.#number = number ?? this.#number;
    this.#foldedSize = this.#size;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #replace(lines: readonly JournalLine[]): Promise<void> {
    await this.close();
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    await replaceFile(this.#path, text, this.#files);
    this.#size = Buffer.byteLength(text);
    this.#lines = lines.length;
    this.#torn = false;
  }

  /** Appends a line; an empty line means that only lines which are still due are written. */
  async #append(line: JournalLine, base: string | null): Promise<void> {
    this.#file ??= await this.#open(base);
    if (this.#torn) await this.#file.truncate(this.#size);
    this.#torn = true;
    const lines = [...(this.#unsettled ? [{ base }] : []), ...(Object.keys(line).length > 0 ? [line] : [])];
    const bytes = Buffer.from(lines.map((one) => `${JSON.stringify(one)}\n`).join(''));
    try {
      await writeAll(this.#file, bytes, this.#size);
      await this.#file.datasync();
    } catch (error) {
      // A line that was not acknowledged must neither come back nor stand in front of the next one.
      await this.#file.truncate(this.#size).catch(() => {});
      throw error;
    }
    this.#torn = false;
    this.#unsettled = false;
    this.#size += bytes.length;
    this.#lines += lines.length;
  }

  async #open(base: string | null): Promise<FileHandle> {
    let file = await this.#files.open(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const text = await file.readFile();
      // A torn last line was never acknowledged.
      this.#size = text.lastIndexOf('\n') + 1;
      this.#torn = this.#size !== text.length;
      if (this.#size > 0) return file;
      await file.close();
      await this.#begin(base);
      file = await this.#files.open(this.#path, constants.O_RDWR, 0o600);
      return file;
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  /** Begins the past with the configuration that saveconfig.json holds now: the file will be replaced one day. */
  async #begin(base: string | null): Promise<void> {
    const beginning = base === null ? undefined : await this.#options.beginning?.();
    await this.#replace(
      beginning ? [{ journal: 1, base: null, folded: 0 }, { do: beginning }, { base }] : [{ journal: 1, base }],
    );
  }
}

/** The time in the name of a file: `20261120-181500`. */
const stamp = (now: Date): string => now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
