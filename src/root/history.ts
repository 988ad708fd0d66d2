/** Undo and redo: the last change is taken back, and a change that was taken back is made again. */

import type { Files } from '../durable/atomic-file.ts';
import type { Audit, Audited } from '../durable/audit.ts';
import { type Backup, backupsIn } from '../durable/backup.ts';
import type { Journal } from '../durable/journal.ts';
import type { Past, PastChange, Route } from '../durable/past.ts';
import { OperatorError } from '../errors.ts';
import type { Author, Operation } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import { isSameTree, rehearseOperations, treeOf } from '../saved/rehearsal.ts';
import { dumpTree } from '../saved/saveconfig.ts';
import { transitionSliced } from '../saved/transition.ts';
import { checkStep, lostBy, refuseLost, refuseResize, refuseTouched, withLosses } from './changes.ts';
import type { PartWords } from './options.ts';
import { newPart } from './options.ts';
import type { Root } from './root.ts';

/** A change that can be taken back, or made again, as long as nothing else happens. */
export interface HistoryStep {
  readonly does: 'undo' | 'redo';
  readonly change: PastChange;
  /** The operations of the step. */
  readonly operations: readonly Operation[];
  /** The paths of storage objects that come again, without what they held in memory. */
  readonly lost: readonly string[];
  /** The number of operations that this process had recorded when the step was computed. */
  readonly at: number;
}

/** A saved configuration of an earlier time; a field that is not known of it is absent. */
export interface SavedBackup extends Omit<Backup, 'hash'> {
  readonly saved?: string | undefined;
  readonly by?: Author | undefined;
  readonly changes?: number;
}

/** The parts of the home that the history reads. */
export interface HistoryOptions {
  readonly root: Root;
  readonly audit: Audit;
  readonly journal: () => Journal | undefined;
  /** sha256 of the saveconfig.json that the tree stands on, null where it stands on none. */
  readonly base: () => string | null;
  readonly backupDirectory: string;
  readonly files: Files;
  /** The name of this gateway in its cluster: only its own changes are taken back. Absent: there is no cluster. */
  readonly gateway?: string | undefined;
  /** saveconfig.json as it is on disk, and its hash; {} and null when there is none. @throws OperatorError */
  readonly saved: () => Promise<{ readonly configuration: unknown; readonly hash: string | null }>;
}

/** Stands for the hash of a saved file that is not known; no file has this hash. */
const unknownBase = 'unknown';

/** The undo and redo of one root. */
export class ChangeHistory {
  readonly #options: HistoryOptions;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /**
   * The newest change that left a trace, or the change named `id`; undefined when there is none.
   * @throws OperatorError when the change cannot be taken back
   */
  last(id?: string): Promise<HistoryStep | undefined> {
    return this.#look(async (past, treeBy) => {
      const gone: string[] = [];
      const { gateway } = this.#options;
      for (const change of past.standing) {
        if (id !== undefined && change !== id) continue;
        if (id === undefined && gateway !== undefined && past.change(change)?.gateway !== gateway) continue;
        if (gateway !== undefined) refuseTouched(past, change);
        gone.push(change);
        const route = past.route({ without: gone });
        if (!route) return undefined;
        const made = past.change(change);
        const step = made && (await this.#step('undo', made, () => treeBy(route)));
        if (step) return step;
      }
      return undefined;
    });
  }

  /** The change that was taken back last; undefined when there is none. @throws OperatorError when that change cannot be made again */
  undone(): Promise<HistoryStep | undefined> {
    return this.#look(async (past, treeBy) => {
      const change = past.undone === undefined ? undefined : past.change(past.undone);
      const route = change && past.route({ again: [change.id] });
      return route && this.#step('redo', change, () => treeBy(route));
    });
  }

  /** Takes a step, which is a change like any other. @throws OperatorError also when something else was changed meanwhile */
  async take({ does, change, operations, at }: HistoryStep, said: PartWords = {}): Promise<void> {
    const { root, journal } = this.#options;
    const part = newPart({ ...said, ...(does === 'undo' ? { undoes: change.id } : { redoes: change.id }) });
    const options = { part, comingBack: true };
    const prepared = await Promise.all(operations.map((one) => root.prepare(one, options) ?? one));
    await root.change(async (apply) => {
      if (at !== journal()?.recorded)
        throw new OperatorError('Something else was changed meanwhile.', `See again: ${does}`);
      for (const operation of prepared) await apply(operation);
    }, options);
  }

  /**
   * Refuses a change that could not be taken back, while the tree has the change and the journal does not; runs in a turn.
   * @param of the name of the change
   * @throws OperatorError when the change could not be taken back
   */
  async refuseLasting(of: string, operations: readonly Operation[]): Promise<void> {
    const { saved, journal } = this.#options;
    const { configuration, hash } = await saved();
    const route = (await journal()?.past(hash))?.route({ without: [of] });
    if (!route) throw new OperatorError('What was before is not known, so this could not be taken back.');
    const step = await this.#step('undo', { id: of, operations }, () => this.#treeBy(route, configuration));
    refuseLost(step?.lost ?? []);
  }

  /** Changes on trial, the oldest first. */
  async onTrial(): Promise<PastChange[]> {
    const { base, journal } = this.#options;
    return (await journal()?.past(base()))?.onTrial ?? [];
  }

  /** Every change and every save that is known, oldest first. */
  async all(): Promise<Audited> {
    const { audit, journal } = this.#options;
    return audit.read((await journal()?.lines()) ?? []);
  }

  /** Earlier saved configurations, the oldest first, each with its author and the number of its changes. */
  async backups(): Promise<SavedBackup[]> {
    const { backupDirectory, files } = this.#options;
    const { saves } = await this.all();
    return (await backupsIn(backupDirectory, files)).map(({ hash, ...backup }) => {
      const save = saves.findLast((one) => one.hash === hash);
      return save ? { ...backup, saved: save.at, by: save.by, changes: save.changes } : backup;
    });
  }

  /** The tree as it was at a time; undefined when that is longer ago than what is known. */
  treeAt(time: Date): Promise<Tree | undefined> {
    return this.#look(async (past, treeBy) => {
      const line = past.lineAt(time);
      const route = line === undefined ? undefined : past.routeTo(line);
      return route && treeBy(route);
    });
  }

  /** The tree without the settings that initiators have made; undefined where they made none, or the earlier tree is not known. */
  withoutInitiators(): Promise<Tree | undefined> {
    return this.#look(async (past, treeBy) => {
      const theirs = past.changes.filter(({ by }) => by?.via === 'initiator').map(({ id }) => id);
      const route = theirs.length > 0 ? past.route({ without: theirs }) : undefined;
      return route && treeBy(route);
    });
  }

  /** Drops the older half of the journal's past. A journal that cannot be shortened stays long, and is still good. */
  async shorten(): Promise<void> {
    const { journal: current, saved, root } = this.#options;
    const base = this.#options.base();
    const journal = current();
    if (!journal) return;
    const { tree } = root;
    try {
      const { hash } = await saved();
      const past = await journal.past(hash === base ? hash : unknownBase);
      let cut = past.cut(new Set(past.onTrial.map(({ id }) => id)));
      const route = past.routeTo(cut);
      let before = route && (await this.#treeBy(route));
      let configuration = before && dumpTree(before);
      if (before) await rehearseOperations(before, past.operationsFrom(cut)).catch(() => (before = undefined));
      if (!before || !isSameTree(before, tree)) {
        // A change on trial has to be taken back one day, so the past that leads to it stays.
        if (past.onTrial.length > 0) return;
        [cut, configuration] = [past.length, dumpTree(tree)];
      }
      const params = { configuration: configuration as never, clear_existing: true };
      await journal.fold(cut, { path: '/', verb: 'restoreconfig', params }, base);
    } catch {
      // The next start tries to shorten the journal again.
    }
  }

  /**
   * Lets the journal begin anew.
   * @param number the number of the last change of the shared tree that is in it
   * @param configuration what it begins with: the tree as it is, unless something else is given
   */
  async renew(number: number, configuration: unknown = dumpTree(this.#options.root.tree)): Promise<void> {
    const journal = this.#options.journal();
    const params = { configuration: configuration as never, clear_existing: true };
    const whole = { path: '/', verb: 'restoreconfig', params };
    await journal?.fold((await journal.lines()).length, whole, this.#options.base(), number);
  }

  /** Runs `what` while nothing changes. */
  #look<T>(what: (past: Past, treeBy: (route: Route) => Promise<Tree>) => Promise<T | undefined>) {
    const { root, journal, saved } = this.#options;
    return root.inTurn(async () => {
      const { configuration, hash } = await saved();
      const past = await journal()?.past(hash);
      return past && what(past, (route) => this.#treeBy(route, configuration));
    });
  }

  async #treeBy({ onSaved, operations }: Route, configuration?: unknown): Promise<Tree> {
    const from = onSaved ? (configuration ?? (await this.#options.saved()).configuration) : {};
    const { tree } = await treeOf(from);
    await rehearseOperations(tree, operations);
    return tree;
  }

  /** @returns undefined when there is nothing to do */
  async #step(
    does: HistoryStep['does'],
    change: PastChange,
    wanted: () => Promise<Tree>,
  ): Promise<HistoryStep | undefined> {
    const { root, journal } = this.#options;
    const { tree, serving } = root;
    const wish = await wanted().catch((error: unknown) => {
      if (!(error instanceof OperatorError)) throw error;
      const [first] = change.operations;
      throw new OperatorError(
        does === 'undo'
          ? `What came after ${first?.path} ${first?.verb} stands on it: ${error.message}`
          : `${first?.path} ${first?.verb} cannot be made again as things are now: ${error.message}`,
        error.hint,
      );
    });
    const operations = (await transitionSliced(tree, wish)).map(({ operation }) => operation);
    if (operations.length === 0 && isSameTree(tree, wish)) return undefined;
    const cannot = does === 'undo' ? 'The change cannot be taken back' : 'The change cannot be made again';
    await checkStep(tree, operations, wish, cannot);
    refuseResize(tree, operations, cannot);
    // A ramdisk that the change itself creates was empty then.
    const created = change.operations.filter(({ verb }) => verb === 'create').map(pathMade);
    const isNew = (path: string) => does === 'redo' && created.includes(path);
    const lost = serving ? lostBy(tree, operations).filter((path) => !isNew(path)) : [];
    return { does, change, lost, operations: withLosses(operations, lost), at: journal()?.recorded ?? 0 };
  }
}

const pathMade = ({ path, params }: Operation): string => `${path}/${params['name']}`;
