/** A root with its durable home, which brings acknowledged changes back. One process owns a home at a time; others may look. */

import { dirname, join } from 'node:path';
import { type Files, makePrivateDirectory, realFiles, type WrittenFile, writeThrough } from '../durable/atomic-file.ts';
import { Audit } from '../durable/audit.ts';
import { backUp } from '../durable/backup.ts';
import { type Holder, inUse, type Role, takeLock } from '../durable/holder.ts';
import { type Home, makeHomeDirectory } from '../durable/home.ts';
import { Journal, journalFile } from '../durable/journal.ts';
import { unreadable } from '../durable/journal-lines.ts';
import { refuseHomeOfOther } from '../durable/owner.ts';
import { OperatorError, reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { WorkerOptions } from '../loops/loops.ts';
import {
  type Author,
  describeOperation,
  isWhole,
  type Operation,
  type PartOfChange,
  type Value,
} from '../operations/operation.ts';
import { dumpTree, formatSaved } from '../saved/saveconfig.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { FileLock } from '../system/lock.ts';
import { keepFoldersIn } from '../system/own-folder.ts';
import { logDetail } from './author.ts';
import type { GivenConfiguration } from './given.ts';
import { ChangeHistory } from './history.ts';
import { Onlookers } from './onlookers.ts';
import { newPart } from './options.ts';
import { Root } from './root.ts';
import { checkLoadable, hash, mergedInto, parseConfiguration, readIfThere, refusePoorer } from './saved-file.ts';
import { serialMaker } from './serial.ts';
import { Trials } from './trials.ts';

export interface HostOptions {
  readonly home: Home;
  readonly role: Role;
  /** The file that gives the configuration. Absent: the configuration is that of the home. */
  readonly given?: GivenConfiguration | undefined;
  readonly log?: Log;
  /** The workers, as in `RootOptions`. */
  readonly workers?: WorkerOptions | undefined;
  readonly looked?: () => void;
  /** The files of the home: tests put faults in between here. */
  readonly files?: Files;
  /** The wall clock. */
  readonly now?: () => Date;
}

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
  /** The reason why no backup could be made; the file was saved all the same. */
  readonly backupProblem?: string;
}

/**
 * Opens a home: takes its lock, reads saveconfig.json and the journal. Nothing is served yet (`host.root.start()`).
 * When a longer-lived process holds the home, the host can be looked at and not changed (`heldBy`).
 * @throws OperatorError for a saved file that is none
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { home, role, given, log, workers, looked, files = realFiles } = options;
  refuseHomeOfOther(home);
  for (const path of [home.stateDirectory, dirname(home.saveFile)]) await makeHomeDirectory(path, files);
  keepFoldersIn(home.runDirectory);
  const lock = await takeLock(home, role);
  const onlookers = new Onlookers();
  const heard = onlookers.hearing(log ?? (() => {}));
  const host = new Host(
    { ...options, log: heard },
    new Root({
      log: heard,
      ...(looked && { looked }),
      workers,
      runDirectory: home.runDirectory,
      stateDirectory: home.stateDirectory,
      missingSerial: serialMaker(home.stateDirectory, files),
      refuse: (part) => given?.refuse(part),
    }),
    lock,
    onlookers,
  );
  try {
    await host.load();
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

/** A root and its home. */
export class Host {
  readonly home: Home;
  readonly root: Root;
  /** The process that owns the home, when another process does. */
  readonly heldBy: Holder | undefined;
  /** The file that gives the configuration, as in `HostOptions`. */
  readonly given: GivenConfiguration | undefined;
  readonly #isBrief: boolean;
  readonly onlookers: Onlookers;
  /** The log of the home's events, which onlookers hear, too. */
  readonly log: Log;
  /** Lines that the operator should read about the start. */
  readonly warnings: string[] = [];
  /** All changes that were made, and undo and redo. */
  readonly history: ChangeHistory;
  /** Changes that are taken back when nobody confirms them in time. */
  readonly trials: Trials;
  readonly #lock: FileLock | undefined;
  readonly #files: Files;
  readonly #now: () => Date;
  readonly #journalPath: string;
  readonly #audit: Audit;
  #journal: Journal | undefined;
  #closing: Promise<void> | undefined;
  /** sha256 of the saveconfig.json that the tree stands on. */
  #base: string | null = null;
  /** sha256 of a saveconfig.json that somebody else wrote, after the operator was told of that file. */
  #told: string | null = null;

  constructor(options: HostOptions, root: Root, lock: FileLock | Holder, onlookers: Onlookers) {
    const { home, role, files = realFiles, now = () => new Date(), log = () => {} } = options;
    this.home = home;
    this.given = options.given;
    this.#isBrief = role === 'command';
    this.root = root;
    this.#lock = 'pid' in lock ? undefined : lock;
    this.heldBy = 'pid' in lock ? lock : undefined;
    this.onlookers = onlookers;
    this.log = log;
    this.#files = files;
    this.#now = now;
    this.#journalPath = join(home.stateDirectory, journalFile);
    this.#audit = new Audit(home.stateDirectory, files);
    this.history = new ChangeHistory({
      root,
      audit: this.#audit,
      journal: () => this.#journal,
      base: () => this.#base,
      backupDirectory: home.backupDirectory,
      files,
      saved: () => this.#saved(),
    });
    this.trials = new Trials({
      history: this.history,
      log,
      now,
      confirm: (change, by) => root.inTurn(() => this.#confirm(change, by)),
    });
  }

  /** Whether this process serves nothing: it can look and change, but knows no sessions and no counts. */
  get isOffline(): boolean {
    return this.#isBrief && !this.root.serving;
  }

  /** Operations that are acknowledged and durable but not in saveconfig.json. */
  get unsavedOperations(): number {
    return this.given ? 0 : (this.#journal?.pending ?? 0);
  }

  /** The last of the unsaved operations, as lines without secrets, oldest first. */
  get latestOperations(): readonly string[] {
    return this.given ? [] : (this.#journal?.latest ?? []);
  }

  async load(): Promise<void> {
    const { saveFile } = this.home;
    const saved = await readIfThere(saveFile, this.#files);
    this.#base = saved && hash(saved);
    const readOnly = this.heldBy !== undefined;
    // A start that fails changes nothing: the journal stays beside the saved file until the file is mended.
    const check = () => void (saved && checkLoadable(saved, saveFile));
    const loaded = await this.#loadJournal(readOnly, check);
    const { journal, replay } = loaded;
    this.#journal = journal;
    // An operation that replaces everything makes all operations before it needless.
    const whole = replay.operations.findLastIndex(isWhole);
    if (saved && whole < 0) {
      const configuration = parseConfiguration(saved.toString('utf8'), saveFile);
      await this.#repeat(
        { path: '/', verb: 'restoreconfig', params: { configuration: configuration as Value } },
        saveFile,
      );
    }
    for (const operation of replay.operations.slice(Math.max(0, whole)))
      await this.#repeat(operation, this.#journalPath);
    if (replay.setAside)
      this.warnings.push(
        `${saveFile} was replaced by somebody else; it is what is loaded now. ` +
          `${replay.setAside.operations} changes that were made on the earlier one are kept in ${replay.setAside.path}`,
      );
    if (!readOnly && journal.wantsFolding(true)) await this.history.shorten();
    this.root.recordTo((operations, part) => this.#record(operations, journal, part));
    if (readOnly) return;
    this.warnings.push(...(await this.trials.resume()));
    this.warnings.push(...(await this.takeGiven()));
  }

  /** Makes the configuration what the given file says, where there is one. @returns lines about parts that could not be restored @throws OperatorError */
  async takeGiven(): Promise<readonly string[]> {
    if (!this.given) return [];
    const { operations, notes } = await this.given.take(this);
    this.log({ level: 'info', event: 'configuration taken', detail: { file: this.given.path, operations } });
    return notes.map((line) => `${this.given?.path}: ${line}, skipped`);
  }

  /** Repeats an operation of the journal. @param from the file that the operation stands in */
  async #repeat(operation: Operation, from: string): Promise<void> {
    try {
      const { notes } = await this.root.apply(operation, true);
      if (isWhole(operation)) this.warnings.push(...notes.map((line) => `${from}: ${line}, skipped`));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      throw new OperatorError(
        `${from} cannot be loaded: ${describeOperation(operation)}: ${error.message}`,
        error.hint,
      );
    }
  }

  async #record(operations: readonly Operation[], journal: Journal, part: PartOfChange = newPart()): Promise<void> {
    if (this.heldBy) throw inUse(this.home, this.heldBy);
    if (this.#closing !== undefined)
      throw new OperatorError('The process that serves this configuration is stopping.', 'Nothing was changed.');
    if (part.trial) await this.history.refuseLasting(part.of, operations);
    try {
      // An operation that replaces everything is newer than any saved file that was written meanwhile, and leaves nothing of it.
      const on = operations.some(isWhole) ? await this.#hashOnDisk() : undefined;
      await journal.record(operations, this.#base, { ...part, at: this.#now().toISOString() }, on);
      if (on !== undefined) this.#base = on;
      // Where the restored tree is what the file says, the journal can begin anew on that file.
      if (on && hash(formatSaved(dumpTree(this.root.tree))) === on) await journal.settle(on).catch(() => {});
    } catch (error) {
      throw new OperatorError(
        `The change could not be stored in ${this.#journalPath}: ${reasonOf(error)}`,
        'Nothing was changed.',
      );
    }
    this.trials.made(part);
    this.onlookers.changed(operations, part);
    this.log({ level: 'info', event: 'changed', detail: logDetail(operations, part) });
    if (journal.wantsFolding()) await this.history.shorten();
  }

  async #confirm(change: string, by: Author): Promise<void> {
    const mark = { ...newPart({ by, line: `confirm ${change}` }), at: this.#now().toISOString() };
    await this.#journal?.confirm(change, this.#base, mark);
  }

  async #loadJournal(readOnly: boolean, check: () => void) {
    const now = this.#now();
    const line = `${this.home.saveFile} was replaced by somebody else`;
    const options = {
      path: this.#journalPath,
      base: this.#base,
      now,
      readOnly,
      check,
      beginning: () => this.#beginning(),
      archive: this.#audit.keep.bind(this.#audit),
      replaced: { ...newPart({ by: { via: 'restore' as const }, line }), at: now.toISOString() },
      files: this.#files,
    };
    return Journal.load(options).catch((error) => {
      throw error instanceof OperatorError ? error : unreadable(this.#journalPath, reasonOf(error));
    });
  }

  /** The first operation of a journal that begins on a saved file. */
  async #beginning(): Promise<Operation | undefined> {
    const { configuration, hash: found } = await this.#saved();
    if (found !== this.#base) return undefined;
    return {
      path: '/',
      verb: 'restoreconfig',
      params: { configuration: configuration as never, clear_existing: true },
    };
  }

  async #saved(): Promise<{ configuration: unknown; hash: string | null }> {
    const { saveFile } = this.home;
    const saved = await readIfThere(saveFile, this.#files);
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
  save(path: string | undefined, backups: number, { only, by }: SaveOptions = {}): Promise<SavedFile> {
    // The file and the journal's note of it must be of the same moment.
    return this.root.inTurn(() => this.#save(path, backups, { only, by }));
  }

  async #save(path: string | undefined, backups: number, { only, by }: SaveOptions): Promise<SavedFile> {
    const configuration = dumpTree(this.root.tree);
    const text = formatSaved(configuration);
    const target = path ?? this.home.saveFile;
    try {
      if (target !== this.home.saveFile) {
        await makePrivateDirectory(dirname(target), this.#files);
        const content = only ? await mergedInto(target, this.root.tree, only, this.#files) : text;
        return { path: target, backup: false, ...(await writeThrough(target, content, this.#files)) };
      }
      if (this.heldBy) throw inUse(this.home, this.heldBy);
      if (this.given) throw new OperatorError(`${this.given.remark}.`, 'To save a copy: saveconfig FILE');
      const old = await readIfThere(target, this.#files);
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
    await this.#journal?.announce(next, this.#base, { at: this.#now().toISOString(), ...(by && { by }) });
    let written: WrittenFile;
    try {
      written = await writeThrough(this.home.saveFile, text, this.#files);
    } catch (error) {
      // The file may have been renamed before synchronising its directory failed: the journal is then valid for either file.
      if ((await this.#hashOnDisk()) === next) this.#base = next;
      throw error;
    }
    this.#base = next;
    for (const storageObject of this.root.tree.allStorageObjects()) storageObject.isSerialMade = false;
    // The journal's announcement says the same, so a failure here loses nothing.
    await this.#journal?.settle(next).catch(() => {});
    return written;
  }

  #refuseForeign(old: Buffer | null): void {
    const found = old && hash(old);
    if (found === this.#base || found === null || found === this.#told) return;
    this.#told = found;
    throw new OperatorError(
      `${this.home.saveFile} was changed by somebody else since it was read; it is not overwritten.`,
      'To load it: restoreconfig clear_existing=true. To replace it: saveconfig again; it is kept in the backups.',
    );
  }

  async #hashOnDisk(): Promise<string | null> {
    const saved = await readIfThere(this.home.saveFile, this.#files);
    return saved && hash(saved);
  }

  async #backUp(old: Buffer, keep: number): Promise<{ backup: boolean; backupProblem?: string }> {
    try {
      return { backup: await backUp(this.home.backupDirectory, old, keep, this.#now(), this.#files) };
    } catch (error) {
      return { backup: false, backupProblem: reasonOf(error) };
    }
  }

  /** Stops serving, and lets the next process have the home. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.trials.close();
    await this.root.stop();
    await this.#journal?.close();
    this.#lock?.release();
  }
}
