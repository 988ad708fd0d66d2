/**
 * The shell's preferences (`set global …`), bookmarks and path history: one JSON file, read here, written through conf.
 * A change reads the file again and writes its own key only, so that shells side by side keep each other's changes.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { OperatorError, type PathMove, pathAfter, reasonOf, types, type ValueType } from '../../src/index.ts';

interface Preference<V> {
  readonly type: ValueType<V>;
  readonly default: V;
  readonly doc: string;
  /** The least value of a number. */
  readonly min?: number;
}

const preference = <V>(type: ValueType<V>, initial: V, doc: string, min?: number): Preference<V> => ({
  type,
  default: initial,
  doc,
  ...(min !== undefined && { min }),
});
const switched = (initial: boolean, doc: string) => preference(types.bool, initial, doc);
const number = (initial: number, doc: string, min = 0) =>
  preference(types.number as ValueType<number | null>, initial, doc, min);

/** targetcli's preferences, in the order in which they are listed. */
export const preferenceTable = {
  auto_add_default_portal: switched(true, 'A new iSCSI target listens on 0.0.0.0, port 3260.'),
  auto_add_mapped_luns: switched(true, 'A new LUN is mapped in every node ACL, and a new node ACL maps every LUN.'),
  auto_cd_after_create: switched(false, 'After a creation, what was created becomes the current path.'),
  auto_enable_tpgt: switched(true, 'A new TPG is enabled at once.'),
  auto_save_on_exit: switched(true, 'Leaving the shell saves the configuration.'),
  auto_use_daemon: switched(false, "targetcli's switch to its daemon; kept, and nothing here asks for it."),
  color_command: preference(types.color, 'cyan', 'Color of commands in completions.'),
  color_default: preference(types.colordefault, 'none', 'Color of ordinary text.'),
  color_keyword: preference(types.color, 'cyan', 'Color of keywords in completions.'),
  color_mode: switched(true, 'Colors on a terminal; false puts Info:, Warning: and Error: before messages instead.'),
  color_parameter: preference(types.color, 'magenta', 'Color of values in completions.'),
  color_path: preference(types.color, 'magenta', 'Color of paths in completions.'),
  daemon_use_batch_mode: switched(false, "targetcli's batch mode of its daemon; kept, and nothing here asks for it."),
  export_backstore_name_as_model: switched(
    true,
    "A new storage object's name is its INQUIRY product (emulate_model_alias).",
  ),
  logfile: preference(types.string, '', 'File that messages are appended to; empty for none.'),
  loglevel_console: preference(types.loglevel, 'info', 'The least serious message that is shown.'),
  loglevel_file: preference(types.loglevel, 'info', 'The least serious message that goes to logfile.'),
  max_backup_files: number(10, 'How many earlier generations of saveconfig.json are kept.', 1),
  pager: switched(true, 'In the interactive shell, output that is taller than the screen is shown page by page.'),
  prompt_length: number(30, 'The longest path in the prompt, in characters; 0 for any.'),
  tree_max_depth: number(0, 'How many levels ls shows; 0 for all.'),
  tree_round_nodes: switched(true, 'ls draws o- before a node; false: +-.'),
  tree_show_root: switched(true, 'ls shows the node it starts from.'),
  tree_status_mode: switched(true, 'ls shows the status of nodes.'),
} as const;

/** The name of a preference. */
export type PreferenceName = keyof typeof preferenceTable;
/** The value of a preference. */
export type PreferenceValue<N extends PreferenceName> =
  (typeof preferenceTable)[N] extends Preference<infer V> ? V : never;

/** The longest history of visited paths. */
const pathsMax = 100;

interface Hidden {
  readonly bookmarks: Readonly<Record<string, string>>;
  readonly path_history: readonly string[];
  readonly path_history_index: number;
}

type Stored = Partial<Record<PreferenceName | keyof Hidden, unknown>>;

/**
 * Loads `conf`, which takes longer than all else that a one-shot does: only a process that writes preferences loads it, or one that
 * serves long enough to see the file of `conf` replaced.
 */
export const loadConf = () => import('conf');

/** The preferences of one user. */
export class Preferences {
  readonly #directory: string | undefined;
  #stored: Stored;
  #problem: string | undefined;

  /** @param directory of preferences.json; undefined: nothing outlives this object */
  private constructor(directory: string | undefined, stored: Stored) {
    this.#directory = directory;
    this.#stored = stored;
  }

  /** A file that cannot be read is passed over: `problem` says so. */
  static open(directory: string | undefined): Preferences {
    try {
      return new Preferences(directory, directory === undefined ? {} : readStored(directory));
    } catch (error) {
      const preferences = new Preferences(directory, {});
      preferences.#problem =
        error instanceof OperatorError ? [error.message, error.hint].filter(Boolean).join(' ') : reasonOf(error);
      return preferences;
    }
  }

  /** Why the defaults hold: told once. */
  takeProblems(): readonly string[] {
    const problems = this.#problem === undefined ? [] : [`${this.#problem} Until then the defaults hold.`];
    this.#problem = undefined;
    return problems;
  }

  /** The value of a preference. A stored value that is not of its type counts as absent. */
  get<N extends PreferenceName>(name: N): PreferenceValue<N> {
    const { type, default: initial } = preferenceTable[name] as Preference<unknown>;
    const stored = this.#stored[name];
    const value = stored === undefined ? undefined : type.parse(String(stored ?? ''));
    return (value === undefined ? initial : value) as PreferenceValue<N>;
  }

  print(name: PreferenceName): string {
    return (preferenceTable[name] as Preference<unknown>).type.print(this.get(name));
  }

  /** Sets a preference. @throws OperatorError in targetcli's words when `text` is not of its type */
  async set(name: PreferenceName, text: string): Promise<void> {
    const { type, min } = preferenceTable[name] as Preference<unknown>;
    const value = type.parse(text);
    if (value === undefined) throw new OperatorError(`Not setting ${name}! Syntax error, '${text}' ${type.wrong}`);
    if (min !== undefined && value !== null && (value as number) < min)
      throw new OperatorError(`Not setting ${name}! It must be at least ${min}.`);
    await this.#write(() => ({ [name]: value }));
  }

  /** The bookmarks, name → path, in the order in which they were made. */
  get bookmarks(): ReadonlyMap<string, string> {
    return new Map(Object.entries(bookmarksOf(this.#stored)));
  }

  async bookmark(name: string, path: string): Promise<void> {
    if (this.bookmarks.get(name) === path) return;
    await this.#write((stored) => ({ bookmarks: { ...bookmarksOf(stored), [name]: path } }));
  }

  /** Bookmarks of what has moved name its new path. */
  async follow(moves: readonly PathMove[]): Promise<void> {
    const moved = (stored: Stored) =>
      Object.entries(bookmarksOf(stored)).map(([name, path]) => [name, pathAfter(path, moves)] as const);
    if (isDeepStrictEqual(moved(this.#stored), [...this.bookmarks])) return;
    await this.#write((stored) => ({ bookmarks: Object.fromEntries(moved(stored)) }));
  }

  /** Takes the bookmarks as they are now: other shells of this home have the same ones. */
  look(): void {
    if (this.#directory === undefined || this.#problem !== undefined) return;
    try {
      this.#stored = { ...this.#stored, bookmarks: bookmarksOf(readStored(this.#directory)) };
    } catch {
      // The next write says so.
    }
  }

  async forget(name: string): Promise<void> {
    await this.#write((stored) => {
      const { [name]: _, ...others } = bookmarksOf(stored);
      return { bookmarks: others };
    });
  }

  /** The path of the last shell. */
  get lastPath(): string {
    const { paths, index } = historyOf(this.#stored);
    return paths[index] ?? '/';
  }

  /** Adds `path` behind the present place in the history; paths that came behind that place are forgotten. */
  async visit(path: string): Promise<void> {
    const { paths, index } = historyOf(this.#stored);
    if (paths[index] === path) return;
    const visited = [...paths.slice(0, index + 1), path].slice(-pathsMax);
    await this.#write(() => ({ path_history: visited, path_history_index: visited.length - 1 }));
  }

  /** One step in the history. @returns the path there; undefined at its end */
  async step(by: 1 | -1): Promise<string | undefined> {
    const { paths, index } = historyOf(this.#stored);
    const path = paths[index + by];
    if (path !== undefined) await this.#write(() => ({ path_history_index: index + by }));
    return path;
  }

  async #write(change: (stored: Stored) => Stored): Promise<void> {
    if (this.#directory === undefined) {
      Object.assign(this.#stored, change(this.#stored));
      return;
    }
    const { default: Conf } = await loadConf();
    // From here on nothing is awaited, so that no other session of this process comes in between.
    this.#stored = readStored(this.#directory);
    const changed = change(this.#stored);
    try {
      const store = new Conf({
        cwd: this.#directory,
        configName: 'preferences',
        projectName: 'tcli',
        projectSuffix: '',
        configFileMode: 0o600,
      });
      store.set(changed as Record<string, unknown>);
    } catch (error) {
      throw new OperatorError(`Could not store preferences in ${this.#directory}: ${reasonOf(error)}`);
    }
    Object.assign(this.#stored, changed);
  }
}

const fileIn = (directory: string): string => join(directory, 'preferences.json');

function readStored(directory: string): Stored {
  const path = fileIn(directory);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw new OperatorError(`Could not read preferences file ${path}: ${reasonOf(error)}`);
  }
  try {
    const stored: unknown = JSON.parse(text);
    return typeof stored === 'object' && stored !== null && !Array.isArray(stored) ? (stored as Stored) : {};
  } catch {
    throw new OperatorError(`Preferences file ${path} is not valid JSON.`, 'Mend it, or remove it.');
  }
}

function bookmarksOf(stored: Stored): Record<string, string> {
  const { bookmarks } = stored;
  if (typeof bookmarks !== 'object' || bookmarks === null) return {};
  return Object.fromEntries(Object.entries(bookmarks).filter(([, path]) => typeof path === 'string'));
}

function historyOf({ path_history: paths, path_history_index: index }: Stored): { paths: string[]; index: number } {
  const list = Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : ['/'];
  const last = list.length - 1;
  return { paths: list, index: Number.isInteger(index) ? Math.min(Math.max(Number(index), 0), last) : last };
}
