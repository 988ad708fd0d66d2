/** The saved file of a home: what the tree stands on, and how it is written, with backups. */

import { dirname } from 'node:path';
import { type Files, makePrivateDirectory, type WrittenFile, writeThrough } from '../durable/atomic-file.ts';
import { backUp } from '../durable/backup.ts';
import { type Holder, inUse } from '../durable/holder.ts';
import type { Home } from '../durable/home.ts';
import type { Journal } from '../durable/journal.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import type { Author } from '../operations/operation.ts';
import { dumpTree, formatSaved } from '../saved/saveconfig.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { GivenConfiguration } from './given.ts';
import type { Root } from './root.ts';
import { hash, mergedInto, parseConfiguration, readIfThere, refusePoorer } from './saved-file.ts';

/** The options of saving a configuration. */
export interface SaveOptions {
  /**
   * Merge this storage object into another file. The home's own file always gets the whole tree, since acknowledged changes come back in
   * any case.
   */
  readonly only?: StorageObject | undefined;
  /** The author of the saved file. */
  readonly by?: Author | undefined;
}

/** The result of `saveconfig`, for its messages. */
export interface SavedFile extends WrittenFile {
  readonly path: string;
  readonly backup: boolean;
  /** The folder of the file, where saving made it. */
  readonly madeFolder?: string;
  /** The reason why no backup could be made; the file was saved all the same. */
  readonly backupProblem?: string;
}

/** The options of this object. */
export interface SavedStateOptions {
  readonly home: Home;
  readonly root: Root;
  readonly files: Files;
  readonly now: () => Date;
  readonly journal: () => Journal | undefined;
  /** The process that owns the home, when another process does. */
  readonly heldBy: Holder | undefined;
  /** The file that gives the configuration, as in `HostOptions`. */
  readonly given: GivenConfiguration | undefined;
}

/** The saved file of one home. */
export class SavedState {
  /** sha256 of the saveconfig.json that the tree stands on. */
  base: string | null = null;
  readonly #options: SavedStateOptions;
  /** sha256 of a saveconfig.json that somebody else wrote, and of which the operator was told. */
  #told: string | null = null;

  constructor(options: SavedStateOptions) {
    this.#options = options;
  }

  /** saveconfig.json as it is on disk, and its hash; {} and null when there is none. @throws OperatorError */
  async saved(): Promise<{ configuration: unknown; hash: string | null }> {
    const { saveFile } = this.#options.home;
    const saved = await readIfThere(saveFile, this.#options.files);
    return {
      configuration: saved ? parseConfiguration(saved.toString('utf8'), saveFile) : {},
      hash: saved && hash(saved),
    };
  }

  /**
   * Writes saveconfig.json, or `path` when given. Only the home's own file has backups and ends the journal. A file that somebody else
   * changed is not overwritten until the operator was told of that.
   * @throws OperatorError when the file cannot be written; the old file is then as it was
   */
  async save(path: string | undefined, backups: number, { only, by }: SaveOptions): Promise<SavedFile> {
    const configuration = dumpTree(this.#options.root.tree);
    const text = formatSaved(configuration);
    const target = path ?? this.#options.home.saveFile;
    try {
      if (target !== this.#options.home.saveFile) {
        const made = await makePrivateDirectory(dirname(target), this.#options.files);
        const content = only ? await mergedInto(target, this.#options.root.tree, only, this.#options.files) : text;
        return {
          path: target,
          backup: false,
          ...(made !== undefined && { madeFolder: made }),
          ...(await writeThrough(target, content, this.#options.files)),
        };
      }
      const { given } = this.#options;
      if (given) throw new OperatorError(`${given.remark}.`, 'To save a copy: saveconfig FILE');
      if (this.#options.heldBy) throw inUse(this.#options.home, this.#options.heldBy);
      const old = await readIfThere(target, this.#options.files);
      this.#refuseForeign(old);
      const made = old ? await this.#backUp(old, backups) : { backup: false };
      if (old && made.backupProblem !== undefined) refusePoorer(old, configuration, made.backupProblem, target);
      return { path: target, ...made, ...(await this.#replaceSaved(text, by)) };
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(
        `Could not save the configuration to ${target}: ${reasonOf(error)}`,
        'The file that was there is untouched.',
      );
    }
  }

  async #replaceSaved(text: string, by: Author | undefined): Promise<WrittenFile> {
    const next = hash(text);
    await this.#options
      .journal()
      ?.announce(next, this.base, { at: this.#options.now().toISOString(), ...(by && { by }) });
    let written: WrittenFile;
    try {
      written = await writeThrough(this.#options.home.saveFile, text, this.#options.files);
    } catch (error) {
      // The file may have been renamed before synchronising its directory failed: the journal is then valid for either file.
      if ((await this.hashOnDisk()) === next) this.base = next;
      throw error;
    }
    this.base = next;
    for (const storageObject of this.#options.root.tree.allStorageObjects()) storageObject.isSerialMade = false;
    // The journal's announcement says the same, so a failure here loses nothing.
    await this.#options
      .journal()
      ?.settle(next)
      .catch(() => {});
    return written;
  }

  #refuseForeign(old: Buffer | null): void {
    const found = old && hash(old);
    if (found === this.base || found === null || found === this.#told) return;
    this.#told = found;
    throw new OperatorError(
      `${this.#options.home.saveFile} was changed by somebody else since it was read; it is not overwritten.`,
      'To load it: restoreconfig clear_existing=true. To replace it: saveconfig again; it is kept in the backups.',
    );
  }

  async hashOnDisk(): Promise<string | null> {
    const saved = await readIfThere(this.#options.home.saveFile, this.#options.files);
    return saved && hash(saved);
  }

  async #backUp(old: Buffer, keep: number): Promise<{ backup: boolean; backupProblem?: string }> {
    try {
      return {
        backup: await backUp(this.#options.home.backupDirectory, old, keep, this.#options.now(), this.#options.files),
      };
    } catch (error) {
      return { backup: false, backupProblem: reasonOf(error) };
    }
  }
}
