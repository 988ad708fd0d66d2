/**
 * A root with its durable home: what was acknowledged comes back. One process owns a home at a time; others may look.
 */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { FileLock } from '../system/lock.ts';
import { makePrivateDirectory, replaceFile } from './atomic-file.ts';
import { backUp } from './backup.ts';
import { type Holder, inUse, type Role, takeLock } from './holder.ts';
import type { Home } from './home.ts';
import { Journal } from './journal.ts';
import { Root } from './root.ts';
import { dump, format } from './saveconfig.ts';

export interface HostOptions {
  readonly home: Home;
  readonly role: Role;
  readonly log?: Log;
}

/** What `saveconfig` did, for its messages. */
export interface Saved {
  readonly path: string;
  readonly backup: boolean;
  /** Why no backup could be made; the file was saved all the same. */
  readonly backupProblem?: string;
}

/**
 * Opens a home: takes its lock, reads saveconfig.json and the journal. Nothing is served yet (`host.root.start()`).
 * When a longer-lived process holds the home, the host can be looked at and not changed (`heldBy`).
 * @throws OperatorError for a saved file that is none
 */
export async function openHost({ home, role, log }: HostOptions): Promise<Host> {
  await directory(home.stateDirectory);
  await directory(dirname(home.saveFile));
  const lock = await takeLock(home, role);
  const heldBy = 'pid' in lock ? lock : undefined;
  const host = new Host(home, new Root(log, home.runDirectory), 'pid' in lock ? undefined : lock, heldBy);
  try {
    await host.load();
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

export class Host {
  readonly home: Home;
  readonly root: Root;
  /** The process that owns the home, when it is not this one. */
  readonly heldBy: Holder | undefined;
  /** What the operator should know about the start, a line each. */
  readonly warnings: string[] = [];
  readonly #lock: FileLock | undefined;
  #journal: Journal | undefined;
  #base: string | null = null;

  constructor(home: Home, root: Root, lock: FileLock | undefined, heldBy: Holder | undefined) {
    this.home = home;
    this.root = root;
    this.#lock = lock;
    this.heldBy = heldBy;
  }

  /** Operations that are acknowledged and durable but not in saveconfig.json. */
  get unsavedOperations(): number {
    return this.#journal?.pending ?? 0;
  }

  async load(): Promise<void> {
    const saved = await readIfThere(this.home.saveFile);
    this.#base = saved && hash(saved);
    const path = join(this.home.stateDirectory, 'journal.jsonl');
    const { journal, replay } = await Journal.load(path, this.#base, new Date(), this.heldBy !== undefined);
    this.#journal = journal;
    if (saved) {
      const configuration = parse(saved.toString('utf8'), this.home.saveFile);
      const { notes } = await this.root.apply(
        { path: '/', verb: 'restoreconfig', params: { configuration: configuration as never } },
        true,
      );
      this.warnings.push(...notes.map((line) => `${this.home.saveFile}: ${line}, skipped`));
    }
    for (const operation of replay.operations) await this.root.apply(operation, true);
    if (replay.setAside)
      this.warnings.push(
        `${this.home.saveFile} was replaced by somebody else; it is what is loaded now. ` +
          `${replay.setAside.operations} changes that were made on the earlier one are kept in ${replay.setAside.path}`,
      );
    this.root.recordTo((operation) => {
      if (this.heldBy) throw inUse(this.home, this.heldBy);
      return journal.record(operation, this.#base).catch((error) => {
        throw new OperatorError(
          `The change could not be stored in ${path}: ${reasonOf(error)}`,
          'Nothing was changed.',
        );
      });
    });
  }

  /**
   * Writes saveconfig.json, or `path` when given. Only the home's own file has backups and ends the journal.
   * @throws OperatorError when it cannot be written; the old file is then as it was
   */
  async save(path: string | undefined, backups: number): Promise<Saved> {
    const text = format(dump(this.root.tree));
    const target = path ?? this.home.saveFile;
    try {
      if (target !== this.home.saveFile) {
        await makePrivateDirectory(dirname(target));
        await replaceFile(target, text);
        return { path: target, backup: false };
      }
      if (this.heldBy) throw inUse(this.home, this.heldBy);
      const old = await readIfThere(target);
      const made = old ? await this.#backUp(old, backups) : { backup: false };
      const next = hash(text);
      await this.#journal?.announce(next, this.#base);
      await replaceFile(target, text);
      this.#base = next;
      await this.#journal?.restart(next);
      return { path: target, ...made };
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(
        `Could not save the configuration to ${target}: ${reasonOf(error)}`,
        'The file that was there is untouched.',
      );
    }
  }

  async #backUp(old: Buffer, keep: number): Promise<{ backup: boolean; backupProblem?: string }> {
    try {
      return { backup: await backUp(this.home.backupDirectory, old, keep, new Date()) };
    } catch (error) {
      return { backup: false, backupProblem: reasonOf(error) };
    }
  }

  /** Stops serving, and lets the next process have the home. */
  async close(): Promise<void> {
    await this.root.stop();
    await this.#journal?.close();
    this.#lock?.release();
  }
}

/** The text of a saved configuration → its JSON. @throws OperatorError in the words of a decoder, with the place */
export function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OperatorError(
      `${path} is not valid JSON: ${reasonOf(error)}`,
      'Mend it, or put a backup in its place; tcli does not overwrite what it cannot read.',
    );
  }
}

async function directory(path: string): Promise<void> {
  try {
    await makePrivateDirectory(path);
  } catch (error) {
    throw new OperatorError(
      `Cannot make ${path}: ${reasonOf(error)}`,
      'Choose another place with --home DIR, or run as root.',
    );
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
