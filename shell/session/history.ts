/**
 * The lines that were typed, oldest first, over all sessions: a text file that is only ever appended to, one write per line, so that
 * shells running side by side do not harm each other. Only its owner can read it, and lines with secrets never get in.
 */

import { writeSync } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isPrintable } from '../../src/client.ts';
import { secretsIn } from './secrets.ts';

/** Lines taken from the file when a shell starts, and kept in memory. */
const LINES_MAX = 5_000;
/** The bytes at the end of the file that are read. */
const READ_MAX = 4 << 20;
/** Longer lines are not kept: UTF-16 units. */
const LINE_LENGTH_MAX = 4_096;

/** Whether a line may be kept: it has no secret, and is one line. */
export const mayBeKept = (line: string): boolean =>
  line.trim() !== '' && line.length <= LINE_LENGTH_MAX && isPrintable(line) && secretsIn(line).length === 0;

/** The lines that were typed. */
export class History {
  /** The reason why lines will not outlive this shell, in a line; undefined when they will. */
  readonly problem: string | undefined;
  readonly #lines: string[];
  /** The path at which each line was typed last, in this shell. */
  readonly #paths = new Map<string, string>();
  readonly #file: FileHandle | undefined;

  private constructor(lines: string[], file?: FileHandle, problem?: string) {
    this.#lines = lines;
    this.#file = file;
    this.problem = problem;
  }

  /** Opens a history. It never fails: a history that cannot be read or written is an empty one with a `problem`. */
  static async open(path: string): Promise<History> {
    let file: FileHandle | undefined;
    try {
      // The history makes its own folder, and none above: Node's recursive mkdir never ends in a file system that makes no folders (/proc).
      await mkdir(dirname(path), { mode: 0o700 }).catch(() => {});
      // Lines of root do not belong into another user's home, and a link there could lead to any file.
      if ((await stat(dirname(path))).uid !== (process.geteuid?.() ?? 0))
        throw new Error(`${dirname(path)} is another user’s`);
      file = await open(path, 'a+', 0o600);
      const found = await file.stat();
      if (!found.isFile()) throw new Error(`${path} is not a regular file`);
      if (found.mode & 0o077) await file.chmod(0o600);
      return new History(await lastLines(file, found.size), file);
    } catch (error) {
      await file?.close();
      const reason = error instanceof Error ? error.message : String(error);
      return new History([], undefined, `History is not kept: ${reason}`);
    }
  }

  /** The lines, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The lines, oldest first, those that were typed at `path` after all others. */
  preferring(path: string): string[] {
    const here = (line: string) => this.#paths.get(line) === path;
    return [...this.#lines.filter((line) => !here(line)), ...this.#lines.filter(here)];
  }

  /** Keeps a line, unless it may not be kept or repeats the one before. A full disk loses it silently: the line itself still runs. */
  add(line: string, path = '/'): void {
    if (mayBeKept(line)) this.#paths.set(line, path);
    if (!mayBeKept(line) || line === this.#lines.at(-1)) return;
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
    try {
      if (this.#file) writeSync(this.#file.fd, `${line}\n`);
    } catch {
      // A full disk loses the line silently, as said above.
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

/** The lines of a history, oldest first; none where there is no file. */
export async function readHistory(path: string): Promise<readonly string[]> {
  try {
    await using file = await open(path, 'r');
    return await lastLines(file, (await file.stat()).size);
  } catch {
    return [];
  }
}

async function lastLines(file: FileHandle, size: number): Promise<string[]> {
  const length = Math.min(size, READ_MAX);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
  const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
  if (size > length) lines.shift();
  return lines.filter(mayBeKept).slice(-LINES_MAX);
}
