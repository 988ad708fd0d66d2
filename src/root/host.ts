/**
 * A root with its durable home: what was acknowledged comes back. One process owns a home at a time; others may look.
 */

import { createHash, randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type Files, makePrivateDirectory, realFiles, type WrittenFile, writeThrough } from '../durable/atomic-file.ts';
import { backUp } from '../durable/backup.ts';
import { type Holder, inUse, type Role, takeLock } from '../durable/holder.ts';
import type { Home } from '../durable/home.ts';
import { Journal } from '../durable/journal.ts';
import { OperatorError, parseJson, reasonOf, systemErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { WorkerOptions } from '../loops/loops.ts';
import { describeOperation, type Operation, type PartOfChange, type Value } from '../operations/operation.ts';
import { dumpTree, dumpValue, formatSaved, mergeObject, type SavedConfiguration } from '../saved/saveconfig.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { FileLock } from '../system/lock.ts';
import { keepFoldersIn } from '../system/own-folder.ts';
import { type LastChange, lastChange } from './changes.ts';
import { Onlookers } from './onlookers.ts';
import { Root } from './root.ts';
import { serialMaker } from './serial.ts';

export interface HostOptions {
  readonly home: Home;
  readonly role: Role;
  readonly log?: Log;
  /** As in `RootOptions`. */
  readonly workers?: WorkerOptions | undefined;
  readonly looked?: () => void;
  /** Where faults can be put in between. */
  readonly files?: Files;
}

/** A change that can be taken back, as long as nothing else happens. */
export interface TakeBack extends LastChange {
  readonly at: number;
}

const changeIdBytes = 4;

/** What `saveconfig` did, for its messages. */
export interface SavedFile extends WrittenFile {
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
export async function openHost({ home, role, log, workers, looked, files = realFiles }: HostOptions): Promise<Host> {
  await directory(home.stateDirectory, files);
  await directory(dirname(home.saveFile), files);
  keepFoldersIn(home.runDirectory);
  const lock = await takeLock(home, role);
  const heldBy = 'pid' in lock ? lock : undefined;
  const onlookers = new Onlookers();
  const heard = onlookers.hearing(log ?? (() => {}));
  const host = new Host(
    home,
    new Root({
      log: heard,
      ...(looked && { looked }),
      workers,
      runDirectory: home.runDirectory,
      stateDirectory: home.stateDirectory,
      missingSerial: serialMaker(home.stateDirectory, files),
    }),
    'pid' in lock ? undefined : lock,
    heldBy,
    { onlookers, log: heard, files },
  );
  try {
    await host.load();
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

/** Operations after which nothing is left of what was before. */
const wholeVerbs: readonly string[] = ['restoreconfig', 'clearconfig'];
const isWhole = ({ path, verb }: Operation): boolean => path === '/' && wholeVerbs.includes(verb);

export class Host {
  readonly home: Home;
  readonly root: Root;
  /** The process that owns the home, when it is not this one. */
  readonly heldBy: Holder | undefined;
  readonly onlookers: Onlookers;
  /** Where what happens with the home is logged: onlookers hear it. */
  readonly log: Log;
  /** What the operator should know about the start, a line each. */
  readonly warnings: string[] = [];
  readonly #lock: FileLock | undefined;
  readonly #files: Files;
  readonly #journalPath: string;
  #journal: Journal | undefined;
  #closing: Promise<void> | undefined;
  /** How many operations this process has stored. */
  #recorded = 0;
  /** sha256 of the saveconfig.json that the tree stands on. */
  #base: string | null = null;
  /** sha256 of one that somebody else wrote, and that the operator was told of. */
  #told: string | null = null;

  constructor(
    home: Home,
    root: Root,
    lock: FileLock | undefined,
    heldBy: Holder | undefined,
    { onlookers, log, files }: { readonly onlookers: Onlookers; readonly log: Log; readonly files: Files },
  ) {
    this.home = home;
    this.root = root;
    this.#lock = lock;
    this.heldBy = heldBy;
    this.onlookers = onlookers;
    this.log = log;
    this.#files = files;
    this.#journalPath = join(home.stateDirectory, 'journal.jsonl');
  }

  /** Operations that are acknowledged and durable but not in saveconfig.json. */
  get unsavedOperations(): number {
    return this.#journal?.pending ?? 0;
  }

  /** The last of them, as lines without secrets, oldest first. */
  get latestOperations(): readonly string[] {
    return this.#journal?.latest ?? [];
  }

  async load(): Promise<void> {
    const { saveFile } = this.home;
    const saved = await readIfThere(saveFile, this.#files);
    this.#base = saved && hash(saved);
    const readOnly = this.heldBy !== undefined;
    const loaded = await Journal.load(this.#journalPath, this.#base, new Date(), readOnly, this.#files).catch(
      (error) => {
        throw new OperatorError(
          `Cannot read the journal: ${reasonOf(error)}`,
          `Mend or move away ${this.#journalPath}`,
        );
      },
    );
    const { journal, replay } = loaded;
    this.#journal = journal;
    // What came before one that replaces everything needs no repetition.
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
    if (!readOnly && journal.wantsFolding(true)) await this.#fold(journal);
    this.root.recordTo((operations, part) => this.#record(operations, journal, part));
  }

  /** @param from the file that it stands in */
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

  async #record(operations: readonly Operation[], journal: Journal, part?: PartOfChange): Promise<void> {
    if (this.heldBy) throw inUse(this.home, this.heldBy);
    if (this.#closing !== undefined)
      throw new OperatorError('The process that serves this configuration is stopping.', 'Nothing was changed.');
    try {
      // Whatever the file says meanwhile, an operation that replaces everything is newer and leaves nothing of it.
      const on = operations.some(isWhole) ? await this.#hashOnDisk() : undefined;
      await journal.record(operations, this.#base, on, part);
      this.#recorded += operations.length;
      if (on !== undefined) this.#base = on;
      // What was restored is what stands in the file.
      if (on && hash(formatSaved(dumpTree(this.root.tree))) === on) await journal.restart(on).catch(() => {});
    } catch (error) {
      throw new OperatorError(
        `The change could not be stored in ${this.#journalPath}: ${reasonOf(error)}`,
        'Nothing was changed.',
      );
    }
    this.onlookers.changed(operations);
    if (journal.wantsFolding()) await this.#fold(journal);
  }

  /**
   * The last change since saveconfig.json was written, and what takes it back; undefined when there is none.
   * @throws OperatorError when it cannot be taken back
   */
  lastChange(): Promise<TakeBack | undefined> {
    return this.root.inTurn(async () => {
      const saved = await readIfThere(this.home.saveFile, this.#files);
      if ((saved && hash(saved)) !== this.#base)
        throw new OperatorError(
          `${this.home.saveFile} was changed by somebody else since it was read; what came before is not known any more.`,
        );
      const configuration = saved ? parseConfiguration(saved.toString('utf8'), this.home.saveFile) : {};
      const done = (await this.#journal?.done(this.#base)) ?? [];
      const last = await lastChange(this.root.tree, configuration, done, this.root.serving);
      return last && { ...last, at: this.#recorded };
    });
  }

  /** Takes it back: a change like any other. @throws OperatorError also when something else was changed meanwhile */
  async takeBack({ change, back, at }: TakeBack): Promise<void> {
    const part = { of: randomBytes(changeIdBytes).toString('hex'), undoes: change };
    const options = { part, comingBack: true };
    const prepared = await Promise.all(back.map((one) => this.root.prepare(one, options) ?? one));
    await this.root.change(async (apply) => {
      if (at !== this.#recorded) throw new OperatorError('Something else was changed meanwhile.', 'See again: undo');
      for (const operation of prepared) await apply(operation);
    }, options);
  }

  /** A journal that cannot be folded is long, and good. */
  async #fold(journal: Journal): Promise<void> {
    const configuration = dumpValue(this.root.tree);
    const operation = { path: '/', verb: 'restoreconfig', params: { configuration, clear_existing: true } };
    await journal.fold(operation, this.#base).catch(() => {});
  }

  /**
   * Writes saveconfig.json, or `path` when given. Only the home's own file has backups and ends the journal.
   * One that somebody else changed is not overwritten until the operator was told of it.
   * @param only merge this storage object into another file; the home's own file always gets everything, since what
   *   was acknowledged comes back in any case
   * @throws OperatorError when it cannot be written; the old file is then as it was
   */
  save(path: string | undefined, backups: number, only?: StorageObject): Promise<SavedFile> {
    // What is written and where the new journal begins must be the same moment.
    return this.root.inTurn(() => this.#save(path, backups, only));
  }

  async #save(path: string | undefined, backups: number, only?: StorageObject): Promise<SavedFile> {
    const configuration = dumpTree(this.root.tree);
    const text = formatSaved(configuration);
    const target = path ?? this.home.saveFile;
    try {
      if (target !== this.home.saveFile) {
        await makePrivateDirectory(dirname(target), this.#files);
        const content = only ? await this.#merged(target, only) : text;
        return { path: target, backup: false, ...(await writeThrough(target, content, this.#files)) };
      }
      if (this.heldBy) throw inUse(this.home, this.heldBy);
      const old = await readIfThere(target, this.#files);
      this.#refuseForeign(old);
      const made = old ? await this.#backUp(old, backups) : { backup: false };
      if (old && made.backupProblem !== undefined) refusePoorer(old, configuration, made.backupProblem, target);
      return { path: target, ...made, ...(await this.#replaceSaved(text)) };
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(
        `Could not save the configuration to ${target}: ${reasonOf(error)}`,
        'The file that was there is untouched.',
      );
    }
  }

  async #replaceSaved(text: string): Promise<WrittenFile> {
    const next = hash(text);
    await this.#journal?.announce(next, this.#base);
    let written: WrittenFile;
    try {
      written = await writeThrough(this.home.saveFile, text, this.#files);
    } catch (error) {
      // Renamed, and then the directory could not be synchronised: the journal holds for either file.
      if ((await this.#hashOnDisk()) === next) this.#base = next;
      throw error;
    }
    this.#base = next;
    for (const storageObject of this.root.tree.allStorageObjects()) storageObject.isSerialMade = false;
    // The announcement in the old journal says the same as a new one.
    await this.#journal?.restart(next).catch(() => {});
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

  /** What is in `path`, with one storage object as it is now. */
  async #merged(path: string, object: StorageObject): Promise<string> {
    const old = await readIfThere(path, this.#files);
    const empty: SavedConfiguration = { fabric_modules: [], storage_objects: [], targets: [] };
    const saved = old ? (parseConfiguration(old.toString('utf8'), path) as SavedConfiguration) : empty;
    return formatSaved(mergeObject(saved, this.root.tree, object));
  }

  async #backUp(old: Buffer, keep: number): Promise<{ backup: boolean; backupProblem?: string }> {
    try {
      return { backup: await backUp(this.home.backupDirectory, old, keep, new Date(), this.#files) };
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
    await this.root.stop();
    await this.#journal?.close();
    this.#lock?.release();
  }
}

/** Without a backup nothing is given up. */
function refusePoorer(old: Buffer, next: SavedConfiguration, problem: string, path: string): void {
  const count = (from: unknown) => {
    const { storage_objects: objects, targets } = from as Partial<SavedConfiguration>;
    return [objects, targets].map((list) => (Array.isArray(list) ? list.length : 0)) as [number, number];
  };
  const [objectsBefore, targetsBefore] = count(parseConfiguration(old.toString('utf8'), path));
  const [objects, targets] = count(next);
  if (objects >= objectsBefore && targets >= targetsBefore) return;
  throw new OperatorError(
    `Could not create backup file: ${problem}. ${path} has ${objectsBefore} storage objects and ${targetsBefore} targets, ` +
      `${objects} and ${targets} would replace them; it is not overwritten.`,
    `Make room for a backup, or save elsewhere: saveconfig FILE`,
  );
}

/** The text of a saved configuration → its JSON. @throws OperatorError in the words of a decoder, with the place */
export function parseConfiguration(text: string, path: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new OperatorError(
      `${path} is not valid JSON: ${reasonOf(error)}`,
      'Mend it, or put a backup in its place; tcli does not overwrite what it cannot read.',
    );
  }
}

async function directory(path: string, files: Files): Promise<void> {
  try {
    await makePrivateDirectory(path, files);
  } catch (error) {
    throw new OperatorError(
      `Cannot make ${path}: ${reasonOf(error)}`,
      'Choose another place with --home DIR, or run as root.',
    );
  }
}

async function readIfThere(path: string, files: Files): Promise<Buffer | null> {
  try {
    return await files.readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
