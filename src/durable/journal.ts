/**
 * The append-only journal: every acknowledged operation since saveconfig.json was written, one JSON line each, on disk
 * before the operation is answered. The saved file and the journal together are the configuration.
 *
 *     {"journal":1,"base":"<sha256 of saveconfig.json>"|null,"folded":N}
 *                                 N operations, or none, are folded into the first of the lines that follow
 *     {"do":{"path":…,"verb":…,"params":…},"of":"<change>"}
 *                                 operations of one change are taken back together; without it, each by itself
 *     {"do":[{…},{…}],"of":…}     several of one change, which are durable together or not at all
 *     {"do":{…},"of":…,"undoes":"<change>"}  the last operation of a change that takes another one back
 *     {"do":{…},"on":"<sha256>"}  one that replaces everything, done while saveconfig.json was this
 *     {"saved":"<sha256>"}        saveconfig.json is about to become this: what stands above is in it
 */

import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseJson, reasonOf, systemErrorCode } from '../errors.ts';
import { describeOperation, type Operation, type PartOfChange } from '../operations/operation.ts';
import { type Files, freePath, realFiles, replaceFile, syncDirectory, writeAll } from './atomic-file.ts';

interface JournalLine {
  readonly journal?: number;
  readonly base?: string | null;
  readonly folded?: number;
  readonly do?: Operation | readonly Operation[];
  readonly of?: string;
  readonly undoes?: string;
  readonly on?: string | null;
  readonly saved?: string;
}

export interface Replay {
  /** What happened since the saved file. */
  readonly operations: readonly Operation[];
  /** The saved file is not the one that the journal goes with: where the journal was put aside, and how many operations it holds. */
  readonly setAside?: { readonly path: string; readonly operations: number };
}

/** An operation, and the change that it is a part of. */
export interface JournaledOperation {
  readonly operation: Operation;
  readonly change: string | undefined;
}

/** How many of the latest operations are kept to be shown. */
const latestMax = 100;
/** A journal of fewer bytes is left as it grew. */
const foldBytesMin = 8 << 20;
/** How many times as long as when it was folded last it becomes, before it is folded again. */
const foldGrowth = 2;
/** More lines than this make a start slow. */
const foldLinesMin = 1_000;

export class Journal {
  readonly #path: string;
  readonly #files: Files;
  #file: FileHandle | undefined;
  #pending = 0;
  #latest: string[] = [];
  #lines = 0;
  /** Bytes that are acknowledged; what stands behind them is a line that failed. */
  #size = 0;
  #foldedSize = 0;
  #torn = false;

  private constructor(path: string, files: Files) {
    this.#path = path;
    this.#files = files;
  }

  /** Operations that are not in saveconfig.json. */
  get pending(): number {
    return this.#pending;
  }

  /** The last of them, a line each, oldest first. */
  get latest(): readonly string[] {
    return this.#latest;
  }

  /** Whether it is time to `fold`. @param atStart it was read just now */
  wantsFolding(atStart = false): boolean {
    return atStart
      ? this.#lines > foldLinesMin
      : this.#size > foldBytesMin && this.#size > foldGrowth * this.#foldedSize;
  }

  /**
   * @param base sha256 of saveconfig.json as it is on disk now, null when there is none
   * @param readOnly another process owns the journal: nothing is moved
   * @throws system errors, and an Error that names a line which is damaged in the middle
   */
  static async load(
    path: string,
    base: string | null,
    now: Date,
    readOnly: boolean,
    files = realFiles,
  ): Promise<{ journal: Journal; replay: Replay }> {
    const lines = await readLines(path, files);
    const operationsIn = (some: readonly JournalLine[]) => some.flatMap((line) => line.do ?? []);
    const journal = new Journal(path, files);
    const start = startOf(lines, base);
    if (start !== undefined) {
      const operations = operationsIn(lines.slice(start));
      const folded = start === 0 ? (lines[0]?.folded ?? 0) : 0;
      const single = folded > 0 ? operations.slice(1) : operations;
      journal.#pending = folded + single.length;
      journal.#latest = single.slice(-latestMax).map(describeOperation);
      journal.#lines = lines.length;
      return { journal, replay: { operations } };
    }
    const all = operationsIn(lines);
    if (all.length === 0) return { journal, replay: { operations: [] } };
    const aside = await freePath(join(dirname(path), `journal-${stamp(now)}.jsonl`), files);
    if (!readOnly) {
      await files.rename(path, aside);
      await syncDirectory(dirname(path), files);
    }
    return { journal, replay: { operations: [], setAside: { path: aside, operations: all.length } } };
  }

  /**
   * All of them, in one line, are on disk when it resolves.
   * @param on sha256 of a saveconfig.json (null: of none) that they go with as well: they leave nothing of what was there
   */
  async record(
    operations: readonly Operation[],
    base: string | null,
    on?: string | null,
    part?: PartOfChange,
  ): Promise<void> {
    const [first, ...more] = operations;
    if (!first) return;
    await this.#append({ do: more.length > 0 ? operations : first, ...part, ...(on !== undefined && { on }) }, base);
    this.#pending += operations.length;
    this.#latest = [...this.#latest, ...operations.map(describeOperation)].slice(-latestMax);
  }

  /**
   * What happened since saveconfig.json was written, oldest first, without the changes that were taken back. An operation that
   * was folded, or that came to stand on another file, belongs to no change: what was before it is not known.
   */
  async done(base: string | null): Promise<JournaledOperation[]> {
    const lines = await readLines(this.#path, this.#files);
    const written = lines.findLastIndex(({ saved }) => saved === base);
    const isWhole = written >= 0 || lines[0]?.base === base;
    const start = isWhole ? written + 1 : (startOf(lines, base) ?? lines.length);
    const first = isWhole ? ((lines[0]?.folded ?? 0) > 0 ? 1 : -1) : start;
    const done = lines.slice(start).flatMap(({ do: operation, of, undoes }, at) => {
      const change = start + at === first ? undefined : (of ?? `line ${start + at}`);
      return [operation ?? []].flat().map((one) => ({ operation: one, change, undoes }));
    });
    const undone = new Set(done.flatMap(({ change, undoes }) => (undoes === undefined ? [] : [change, undoes])));
    return done.filter(({ change }) => change === undefined || !undone.has(change));
  }

  /** Announces that saveconfig.json is about to be replaced by what `hash` names. */
  async announce(hash: string, base: string | null): Promise<void> {
    await this.#append({ saved: hash }, base);
  }

  /** saveconfig.json holds everything now: a new journal begins. */
  async restart(base: string | null): Promise<void> {
    this.#pending = 0;
    this.#latest = [];
    await this.#replace([{ journal: 1, base }]);
    this.#foldedSize = 0;
  }

  /** Everything so far in one operation, which gives what all of them gave. */
  async fold(operation: Operation, base: string | null): Promise<void> {
    await this.#replace([{ journal: 1, base, folded: this.#pending }, { do: operation }]);
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

  async #append(line: JournalLine, base: string | null): Promise<void> {
    this.#file ??= await this.#open(base);
    if (this.#torn) await this.#file.truncate(this.#size);
    this.#torn = true;
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      await writeAll(this.#file, bytes, this.#size);
      await this.#file.datasync();
    } catch (error) {
      // What was not acknowledged must not come back, nor stand in front of the next line.
      await this.#file.truncate(this.#size).catch(() => {});
      throw error;
    }
    this.#torn = false;
    this.#size += bytes.length;
    this.#lines += 1;
  }

  async #open(base: string | null): Promise<FileHandle> {
    const file = await this.#files.open(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const text = await file.readFile();
      // A torn last line was never acknowledged.
      this.#size = text.lastIndexOf('\n') + 1;
      this.#torn = this.#size !== text.length;
      if (this.#size > 0) return file;
      const header = Buffer.from(`${JSON.stringify({ journal: 1, base } satisfies JournalLine)}\n`);
      await file.truncate(0);
      await writeAll(file, header, 0);
      await file.datasync();
      await syncDirectory(dirname(this.#path), this.#files);
      this.#torn = false;
      this.#size = header.length;
      this.#lines = 1;
      return file;
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }
}

/** The first line to replay onto a saved file whose hash is `base`; undefined when the journal does not go with it. */
function startOf(lines: readonly JournalLine[], base: string | null): number | undefined {
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    if (lines[at]?.saved === base) return at + 1;
    if (lines[at]?.on === base) return at;
  }
  return lines.length === 0 || lines[0]?.base === base ? 0 : undefined;
}

async function readLines(path: string, files: Files): Promise<JournalLine[]> {
  let text: string;
  try {
    text = await files.readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  return lines.map((line, number) => {
    try {
      return parseJson(line) as JournalLine;
    } catch (error) {
      throw new Error(`${path} is damaged at line ${number + 1}: ${reasonOf(error)}`);
    }
  });
}

/** `20261120-181500` */
const stamp = (now: Date): string => now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
