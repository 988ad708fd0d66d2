/**
 * The append-only journal: every acknowledged operation since saveconfig.json was written, one JSON line each, on disk
 * before the operation is answered. The saved file and the journal together are the configuration.
 *
 *     {"journal":1,"base":"<sha256 of saveconfig.json>"|null}
 *     {"do":{"path":…,"verb":…,"params":…}}
 *     {"saved":"<sha256>"}        saveconfig.json is about to become this: what stands above is in it
 */

import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf, systemErrorCode } from '../errors.ts';
import { replaceFile, syncDirectory } from './atomic-file.ts';
import type { Operation } from './operation.ts';

interface Line {
  readonly journal?: number;
  readonly base?: string | null;
  readonly do?: Operation;
  readonly saved?: string;
}

export interface Replay {
  /** What happened since the saved file. */
  readonly operations: readonly Operation[];
  /** The saved file is not the one that the journal goes with: where the journal was put aside, and how many operations it holds. */
  readonly setAside?: { readonly path: string; readonly operations: number };
}

export class Journal {
  readonly #path: string;
  #file: FileHandle | undefined;
  #pending: number;

  private constructor(path: string, pending: number) {
    this.#path = path;
    this.#pending = pending;
  }

  /** Operations that are not in saveconfig.json. */
  get pending(): number {
    return this.#pending;
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
  ): Promise<{ journal: Journal; replay: Replay }> {
    const lines = await readLines(path);
    const all = lines.flatMap((line) => (line.do ? [line.do] : []));
    const start = startOf(lines, base);
    if (start !== undefined) {
      const operations = lines.slice(start).flatMap((line) => (line.do ? [line.do] : []));
      return { journal: new Journal(path, operations.length), replay: { operations } };
    }
    if (all.length === 0) return { journal: new Journal(path, 0), replay: { operations: [] } };
    const aside = join(dirname(path), `journal-${stamp(now)}.jsonl`);
    if (!readOnly) await rename(path, aside);
    return {
      journal: new Journal(path, 0),
      replay: { operations: [], setAside: { path: aside, operations: all.length } },
    };
  }

  /** On disk when it resolves. */
  async record(operation: Operation, base: string | null): Promise<void> {
    await this.#append({ do: operation }, base);
    this.#pending += 1;
  }

  /** Announces that saveconfig.json is about to be replaced by what `hash` names. */
  async announce(hash: string, base: string | null): Promise<void> {
    await this.#append({ saved: hash }, base);
  }

  /** saveconfig.json holds everything now: a new journal begins. */
  async restart(base: string | null): Promise<void> {
    await this.close();
    await replaceFile(this.#path, `${JSON.stringify({ journal: 1, base })}\n`);
    this.#pending = 0;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #append(line: Line, base: string | null): Promise<void> {
    this.#file ??= await this.#open(base);
    const before = (await this.#file.stat()).size;
    try {
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
      const { bytesWritten } = await this.#file.write(bytes, 0, bytes.length, before);
      if (bytesWritten !== bytes.length)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      await this.#file.datasync();
    } catch (error) {
      // Half a line must not stay in front of the next one.
      await this.#file.truncate(before).catch(() => {});
      throw error;
    }
  }

  async #open(base: string | null): Promise<FileHandle> {
    const file = await open(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const text = await file.readFile('utf8');
    const whole = text.lastIndexOf('\n') + 1;
    // A torn last line was never acknowledged.
    if (whole !== text.length) await file.truncate(Buffer.byteLength(text.slice(0, whole)));
    if (whole === 0) {
      await file.write(`${JSON.stringify({ journal: 1, base })}\n`, 0);
      await file.datasync();
      await syncDirectory(dirname(this.#path));
    }
    return file;
  }
}

/** The first line to replay onto a saved file whose hash is `base`; undefined when the journal does not go with it. */
function startOf(lines: readonly Line[], base: string | null): number | undefined {
  for (let at = lines.length - 1; at >= 0; at -= 1) if (base !== null && lines[at]?.saved === base) return at + 1;
  return lines.length === 0 || lines[0]?.base === base ? 0 : undefined;
}

async function readLines(path: string): Promise<Line[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
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
      return JSON.parse(line) as Line;
    } catch (error) {
      throw new Error(`${path} is damaged at line ${number + 1}: ${reasonOf(error)}`);
    }
  });
}

/** `20261120-181500` */
const stamp = (now: Date): string => now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
