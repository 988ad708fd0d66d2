/** A root with its durable home, which brings acknowledged changes back. One process owns a home at a time; others may look. */

import { dirname, join } from 'node:path';
import { type Membership, readMembership, writeMembership } from '../cluster/membership.ts';
import { type Files, realFiles } from '../durable/atomic-file.ts';
import { Audit } from '../durable/audit.ts';
import { type Holder, inUse, type Role, takeLock } from '../durable/holder.ts';
import { type Home, makeHomeDirectory } from '../durable/home.ts';
import { Journal, journalFile } from '../durable/journal.ts';
import { type JournalLine, type Mark, unreadable } from '../durable/journal-lines.ts';
import { refuseHomeOfOther } from '../durable/owner.ts';
import { OperatorError, reasonOf, wholeReasonOf } from '../errors.ts';
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
import type { FileLock } from '../system/lock.ts';
import { keepFoldersIn } from '../system/own-folder.ts';
import { logDetail } from './author.ts';
import type { GivenConfiguration } from './given.ts';
import { ChangeHistory } from './history.ts';
import { Onlookers } from './onlookers.ts';
import { newPart, type StartOptions } from './options.ts';
import { Root } from './root.ts';
import { checkLoadable, hash, parseConfiguration, readIfThere } from './saved-file.ts';
import { type SavedFile, SavedState, type SaveOptions } from './saving.ts';
import { serialMaker } from './serial.ts';
import type { SharedTree } from './shared-tree.ts';
import { changeShared } from './sharing.ts';
import { Trials } from './trials.ts';

export interface HostOptions {
  readonly home: Home;
  readonly role: Role;
  /** The words of `serve`, as `Holder` has them. */
  readonly words?: readonly string[] | undefined;
  /** The file that gives the configuration. Absent: the configuration is that of the home. */
  readonly given?: GivenConfiguration | undefined;
  readonly log?: Log;
  /** The workers, as in `RootOptions`. */
  readonly workers?: WorkerOptions | undefined;
  readonly looked?: () => void;
  /** The files of the home: tests put faults in between here. */
  readonly files?: Files;
  /** The cluster that this gateway belongs to. */
  readonly membership?: Membership | undefined;
  /** The wall clock. */
  readonly now?: () => Date;
}

/**
 * Opens a home: takes its lock, reads saveconfig.json and the journal. Nothing is served yet (`host.start()`).
 * When a longer-lived process holds the home, the host can be looked at and not changed (`heldBy`).
 * @throws OperatorError for a saved file that is none
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { home, role, given, log, workers, looked, files = realFiles } = options;
  refuseHomeOfOther(home);
  for (const path of [home.stateDirectory, dirname(home.saveFile)]) await makeHomeDirectory(path, files);
  keepFoldersIn(home.runDirectory);
  const lock = await takeLock(home, role, options.words);
  const onlookers = new Onlookers();
  const heard = onlookers.hearing(log ?? (() => {}));
  const { membership = readMembership(home.stateDirectory) } = options;
  const host = new Host(
    { ...options, membership, log: heard },
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
  readonly membership: Membership | undefined;
  /** The tree that this process shares with its cluster; absent: there is none, or another process holds the home. */
  shared: SharedTree | undefined;
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
  /** The journal lacks changes that are in etcd. */
  #isBehind = false;
  readonly #file: SavedState;
  #journal: Journal | undefined;
  #closing: Promise<void> | undefined;

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
    this.membership = options.membership;
    this.#audit = new Audit(home.stateDirectory, files);
    this.#file = new SavedState({
      ...{ home, root, files, now, given: options.given },
      journal: () => this.#journal,
      heldBy: this.heldBy,
    });
    this.history = new ChangeHistory({
      root,
      audit: this.#audit,
      journal: () => this.#journal,
      base: () => this.#file.base,
      backupDirectory: home.backupDirectory,
      files,
      gateway: options.membership?.name,
      saved: () => this.#file.saved(),
    });
    this.trials = new Trials({
      history: this.history,
      log,
      now,
      confirm: (change, by) => this.#confirmAsAll(change, by),
      ended: (tried) => onlookers.trialEnded(tried),
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
    this.#file.base = saved && hash(saved);
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
    if (this.membership) await this.#share(this.membership, journal);
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
    const mark = { ...part, at: this.#now().toISOString() };
    const shared = await this.shared?.append(operations, mark);
    if (shared) await this.#cache(operations, { ...mark, ...shared }, journal);
    else
      await this.#write(operations, mark, journal).catch((error: unknown) => {
        throw new OperatorError(
          `The change could not be stored in ${this.#journalPath}: ${reasonOf(error)}`,
          'Nothing was changed.',
        );
      });
    this.trials.made(part);
    this.onlookers.changed(operations, part);
    this.log({ level: 'info', event: 'changed', detail: logDetail(operations, part) });
    if (journal.wantsFolding()) await this.history.shorten();
  }

  async #write(operations: readonly Operation[], mark: Mark, journal: Journal): Promise<void> {
    // An operation that replaces everything is newer than any saved file that was written meanwhile, and leaves nothing of it.
    const on = operations.some(isWhole) ? await this.#file.hashOnDisk() : undefined;
    await journal.record(operations, this.#file.base, mark, on);
    if (on !== undefined) this.#file.base = on;
    // Where the restored tree is what the file says, the journal can begin anew on that file.
    if (on && hash(formatSaved(dumpTree(this.root.tree))) === on) await journal.settle(on).catch(() => {});
  }

  /** Shares the tree with the cluster: what others have changed meanwhile comes before anything is served. */
  async #share(membership: Membership, journal: Journal): Promise<void> {
    if (this.given)
      throw new OperatorError(
        `This gateway has its configuration from the cluster ${membership.cluster}, and none from a file.`,
        'To be alone: tcli cluster leave',
      );
    const { SharedTree } = await import('./shared-tree.ts');
    const { root, log } = this;
    const shared = new SharedTree({
      ...{ membership, root, log, known: journal.number },
      follow: (operations, line, number) => this.#followed(operations, { ...line, number }, journal),
    });
    this.shared = shared;
    root.sharing = shared;
    await root.takeIn().catch((error: unknown) => void this.warnings.push(wholeReasonOf(error)));
    if (!this.#isBrief) shared.follow();
  }

  async #followed(operations: readonly Operation[], line: JournalLine, journal: Journal): Promise<void> {
    const { do: _, of = newPart().of, at = this.#now().toISOString(), trial, ...said } = line;
    const mark = { ...said, of, at };
    await this.#cache(operations, mark, journal);
    this.trials.made(mark);
    this.onlookers.changed(operations, mark);
    this.log({ level: 'info', event: 'changed', detail: logDetail(operations, mark) });
    if (journal.wantsFolding()) await this.history.shorten();
  }

  /** The journal follows what is made and in etcd already, whatever becomes of the journal. */
  async #cache(operations: readonly Operation[], mark: Mark & { confirms?: string }, journal: Journal): Promise<void> {
    const { confirms } = mark;
    try {
      if (this.#isBehind) await this.history.renew(mark.number!);
      else if (confirms !== undefined) await journal.confirm(confirms, this.#file.base, mark);
      else await this.#write(operations, mark, journal);
      this.#isBehind = false;
    } catch (error) {
      this.#isBehind = true;
      this.log({ level: 'error', event: 'journal behind the cluster', detail: { reason: reasonOf(error) } });
    }
  }

  /** Once more where others were faster. */
  async #confirmAsAll(change: string, by: Author): Promise<void> {
    const confirm = () => this.root.inTurn(() => this.#confirm(change, by));
    if (this.shared) await changeShared(this.root, async () => {}, confirm);
    else await confirm();
  }

  async #confirm(change: string, by: Author): Promise<void> {
    const mark = { ...newPart({ by, line: `confirm ${change}` }), at: this.#now().toISOString() };
    const shared = await this.shared?.append([], { ...mark, confirms: change });
    if (shared) await this.#cache([], { ...mark, ...shared, confirms: change }, this.#journal!);
    else await this.#journal?.confirm(change, this.#file.base, mark);
  }

  async #loadJournal(readOnly: boolean, check: () => void) {
    const now = this.#now();
    const line = `${this.home.saveFile} was replaced by somebody else`;
    const options = {
      path: this.#journalPath,
      base: this.#file.base,
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
    const { configuration, hash: found } = await this.#file.saved();
    if (found !== this.#file.base) return undefined;
    return {
      path: '/',
      verb: 'restoreconfig',
      params: { configuration: configuration as never, clear_existing: true },
    };
  }

  /** Serves from now on: alone, or as a gateway of its cluster. @throws OperatorError when the cluster cannot be asked */
  async start(options?: StartOptions): Promise<void> {
    const { root, shared, log } = this;
    if (shared) {
      const { Gateway } = await import('./gateway.ts');
      const { store, membership } = shared;
      const storageObjects = () => root.tree.allStorageObjects();
      const isCurrent = () => shared.isCurrent;
      root.gateway = await Gateway.join({ ...membership, store, log, storageObjects, isCurrent, share: root.share });
      const { number } = root.gateway;
      if (number !== membership.number) await writeMembership(this.home.stateDirectory, { ...membership, number });
    }
    await root.start(options);
  }

  /** Writes saveconfig.json, or `path` when given. @throws OperatorError as `SavedState.save` does */
  save(path: string | undefined, backups: number, options: SaveOptions = {}): Promise<SavedFile> {
    // The file and the journal's note of it must be of the same moment.
    return this.root.inTurn(() => this.#file.save(path, backups, options));
  }

  /** Stops serving, and lets the next process have the home. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.trials.close();
    // Units that are served are given to other gateways by way of the store.
    await this.root.stop();
    await this.shared?.close();
    await this.#journal?.close();
    this.#lock?.release();
  }
}
