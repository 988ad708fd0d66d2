/**
 * The record of changes, for long after the journal has dropped them: a JSON line for each change and each save, without secrets, in
 * `changes.jsonl`. A full file becomes `changes.1.jsonl`, that one `changes.2.jsonl`, and so on. Changes that the journal still has are
 * not here yet; after a crash some may be in both, and are shown once.
 */

import { constants } from 'node:fs';
import { join } from 'node:path';
import { OperatorError, parseJson, reasonOf, systemErrorCode } from '../errors.ts';
import { type Author, describeOperation, type Operation } from '../operations/operation.ts';
import { type Files, realFiles, syncDirectory, writeAll } from './atomic-file.ts';
import type { JournalLine } from './journal-lines.ts';
import { changesIn, type PastChange, type PastSave, savesIn } from './past.ts';

/** A change, as the record keeps it. */
export interface AuditedChange {
  readonly change: string;
  /** The time of the change; ISO 8601, UTC. Absent in changes of old versions, which had none. */
  readonly at?: string;
  readonly by?: Author;
  /** The gateway of the cluster that made it. */
  readonly gateway?: string;
  /** The typed line. */
  readonly line?: string;
  /** The operations, each as a line of the shell. */
  readonly did: readonly string[];
  /** The number of operations beyond those. */
  readonly more?: number;
  /** The change that this one took back, or made again. */
  readonly undoes?: string;
  readonly redoes?: string;
}

/** All changes and saves of the record. */
export interface Audited {
  readonly changes: readonly AuditedChange[];
  readonly saves: readonly PastSave[];
}

/** The size at which a file is full. */
const fileBytesMax = 4 << 20;
/** The number of full files; the oldest is removed. */
const filesMax = 4;
/** The number of operations that are kept of a change. */
const operationsMax = 200;

const nameOf = (number: number): string => (number === 0 ? 'changes.jsonl' : `changes.${number}.jsonl`);

/** A change without its secrets. */
function audited({ id, operations, at, by, line, undoes, redoes, gateway }: PastChange): AuditedChange {
  const more = operations.length - operationsMax;
  return {
    change: id,
    ...(at !== undefined && { at }),
    ...(by && { by }),
    ...(gateway !== undefined && { gateway }),
    ...(line !== undefined && { line }),
    ...(undoes !== undefined && { undoes }),
    ...(redoes !== undefined && { redoes }),
    did: operations.slice(0, operationsMax).map((one: Operation) => describeOperation(one)),
    ...(more > 0 && { more }),
  };
}

/** The record of changes of one home. */
export class Audit {
  readonly #directory: string;
  readonly #files: Files;
  readonly #bytesMax: number;

  /** @param directory of the files, which exists */
  constructor(directory: string, files = realFiles, bytesMax = fileBytesMax) {
    this.#directory = directory;
    this.#files = files;
    this.#bytesMax = bytesMax;
  }

  /** Keeps the changes in lines of the journal; they are on disk when it resolves. System errors pass through. */
  async keep(lines: readonly JournalLine[], before: number): Promise<void> {
    // A change that goes on behind line `before` is not given up with the lines before it: `Past.cut`.
    const given = lines.slice(0, before);
    const records = [...changesIn(given).map(audited), ...savesIn(given)];
    if (records.length === 0) return;
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    const path = this.#path(0);
    const size = await this.#files.stat(path).then((found) => found.size, ifThere(0));
    if (size > 0 && size + Buffer.byteLength(text) > this.#bytesMax) await this.#rotate();
    const file = await this.#files.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const before = await file.readFile();
      // A line that a crash has torn was still in the journal.
      const end = before.lastIndexOf('\n') + 1;
      await file.truncate(end);
      await writeAll(file, Buffer.from(text), end);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(this.#directory, this.#files);
  }

  /** All changes and saves of the record, oldest first, followed by those of the journal. */
  async read(journal: readonly JournalLine[]): Promise<Audited> {
    const texts: string[] = [];
    for (let number = filesMax; number >= 0; number -= 1) texts.push(await this.#text(this.#path(number)));
    const kept = texts.flatMap((text) => text.split('\n').flatMap(recordIn));
    const all = [...kept, ...changesIn(journal).map(audited), ...savesIn(journal)];
    const once = [...new Map(all.map((one) => [keyOf(one), one])).values()];
    return {
      changes: once.filter((one): one is AuditedChange => 'change' in one),
      saves: once.filter((one): one is PastSave => 'hash' in one),
    };
  }

  async #text(path: string): Promise<string> {
    return this.#files
      .readFile(path, 'utf8')
      .catch(ifThere(''))
      .catch((error) => {
        throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
      });
  }

  async #rotate(): Promise<void> {
    await this.#files.rm(this.#path(filesMax), { force: true });
    for (let number = filesMax - 1; number >= 0; number -= 1)
      await this.#files.rename(this.#path(number), this.#path(number + 1)).catch(ifThere(undefined));
  }

  #path(number: number): string {
    return join(this.#directory, nameOf(number));
  }
}

const keyOf = (one: AuditedChange | PastSave): string => `${'change' in one ? one.change : one.hash} ${one.at ?? ''}`;

/** @returns a handler that gives `value` where the file is not there. @throws every other error */
const ifThere =
  <T>(otherwise: T) =>
  (error: unknown): T => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    return otherwise;
  };

/** Reads a line. An unreadable line is left out: the others are worth more than an error. */
function recordIn(line: string): (AuditedChange | PastSave)[] {
  try {
    const record = parseJson(line) as Partial<AuditedChange & PastSave> | null;
    if (typeof record?.change === 'string' && Array.isArray(record.did)) return [record as AuditedChange];
    return typeof record?.hash === 'string' ? [record as PastSave] : [];
  } catch {
    return [];
  }
}
