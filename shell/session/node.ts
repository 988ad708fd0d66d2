/**
 * A node of the tree. A node type is a record; help, syntax, signature errors, completion, `get` and `set` are computed from it. A node
 * is a view of an engine object, made when asked for: nothing is cached and nothing goes stale.
 */

import type {
  Host,
  InventoryRows,
  Operation,
  OperatorError,
  Outcome,
  Parameter,
  ParameterValues,
  PartOfChange,
  PathMove,
  Value,
  ValueType,
} from '../../src/index.ts';
import type { AskedWords, ClientQuestion, OutputSink, Terminal } from '../channel/protocol.ts';
import type { Preferences } from './preferences.ts';

/** The text that `ls` shows in brackets; an empty text is drawn as OK, ERROR or ... (healthy, not, neither). */
export interface Summary {
  readonly text: string;
  readonly healthy: boolean | null;
  /** Further lines of `status`; `ls` adds the first of them for a person. */
  readonly more?: readonly string[];
}

/** One setting, as it is now. */
export interface Setting {
  readonly name: string;
  readonly doc: string;
  readonly type: ValueType<unknown>;
  readonly value: string;
  readonly readOnly: boolean;
  /** Whether the value is shown only to a person who asks for it by name. */
  readonly secret?: boolean;
  /** The values, when they can be listed and the type does not list them. */
  readonly words?: readonly string[];
  /** The values that it can have, in a sentence, where `words` does not list them. */
  readonly range?: string;
}

/** Settings that `get` and `set` name together. */
export interface ConfigurationGroup {
  readonly name: string;
  /** The settings in the order in which they are listed: by name. */
  settings(): Setting[];
  /** Sets a setting. @param text of the setting's type. @throws OperatorError */
  set(name: string, text: string, context: Context): Promise<void>;
  /** The operations that set it, where the engine keeps it. */
  operations?(name: string, text: string): readonly Operation[];
  /** The fault of the settings taken together, in a line. */
  problem?(): string | undefined;
  /** Advice about the settings, for a person at a terminal. */
  advice?(): string | undefined;
}

/** A node type, for nodes that show an object of type `S`. */
export interface NodeType<S> {
  readonly doc: string;
  summary?(subject: S, host: Host): Summary;
  /** The further keys of `ls --json`: sizes and counts are numbers. */
  row?(subject: S, rows: InventoryRows): object;
  children?(subject: S, host: Host): Child[];
  /** Fetches from another process the things that `children` shows, where the tree does not have them. Rejects when they cannot be had. */
  look?(subject: S, host: Host): Promise<void>;
  /** The groups besides `global`, in the order in which `get` names them. */
  groups?(subject: S, host: Host): ConfigurationGroup[];
  /** The commands besides those of every node; a function where they depend on the object. */
  readonly commands?: Commands<S> | ((subject: S) => Commands<S>);
}

/** Commands by their names. */
export type Commands<S> = Readonly<Record<string, ShellCommand<S>>>;

/** A name below a node, and the node of that name. */
export interface Child {
  readonly name: string;
  readonly type: NodeType<never>;
  readonly subject: unknown;
  /** Set for a child that a drawing leaves out when it begins further up: the child's contents have to be asked for first (`NodeType.look`). */
  readonly apart?: true;
}

/** A node below another one. */
export const child = <S>(name: string, type: NodeType<S>, subject: S): Child => ({
  name,
  type: type as NodeType<never>,
  subject,
  ...(type.look && { apart: true }),
});

/** A word of a command: the record that values share, and further words for completion. */
export interface CommandParameter<V = unknown> extends Parameter<V> {
  /** Values that fit, without help or each with a line of it. */
  suggest?(node: Node, session: Suggesting): Iterable<string | readonly [text: string, help: string]>;
  /** The word for a node right below, out of that node's name; absent: no such node is meant. */
  ofChild?(name: string): string;
}

/** The parameters that may be given without their names, in this order. */
export const placesOf = (parameters: readonly CommandParameter[]): readonly CommandParameter[] =>
  parameters.filter(({ byName }) => !byName);

/** The facts that suggestions may use. */
export interface Suggesting {
  readonly preferences: Preferences;
  /** The words so far, by parameter. */
  readonly given: Readonly<Record<string, string>>;
  /** The path of a file, as in `Context`. */
  fileNamed(name: string): string;
}

/** Words, or `name=value`, that may follow a command's parameters without limit. */
export interface MoreWords {
  readonly kind: 'words' | 'keywords';
  /** A name may stand there without a value, where `kind` is keywords. */
  readonly takesNames?: true;
  readonly name: string;
  readonly doc: string;
  /** The names that fit. */
  offered(node: Node, session: Suggesting): readonly Offered[];
}

interface Offered {
  readonly name: string;
  readonly doc: string;
  /** The values, when they can be listed. */
  readonly words: readonly string[];
}

/** A command of a kind of node. */
export interface ShellCommand<S> {
  /** The help; completion shows its first sentence. */
  readonly doc: string;
  /** Further paragraphs of `help COMMAND`. A line that begins with a blank stays as it is. */
  readonly details?: readonly string[];
  /** Commands of the same node that belong to it. */
  readonly seeAlso?: readonly string[];
  readonly parameters: readonly CommandParameter[];
  readonly more?: MoreWords;
  /** Something goes away, or ends: whoever sits at a terminal may be asked first, and at several nodes he is asked once for all. */
  readonly takesAway?: true;
  /** Command lines, with what they do. They are run as tests. */
  readonly examples: readonly Example[];
  run(subject: S, context: Context, given: Given): Promise<void> | void;
  /** The output as data (docs/json.md), or a promise of it. Absent: the command has no such form. */
  json?(subject: S, context: Context, given: Given): unknown;
}

/** A line that is right, and its effect. */
export interface Example {
  readonly line: string;
  readonly does: string;
  /** The lines that must have been run before, from `/`. */
  readonly after?: readonly string[];
}

/** A command's parameters by name (absent ones undefined), and the words behind them. */
export interface Given {
  readonly values: Readonly<Record<string, unknown>>;
  readonly words: readonly string[];
  readonly keywords: readonly (readonly [name: string, value: string])[];
  /** The error for `words` that are no names (`MoreWords.takesNames`). */
  readonly surplus?: OperatorError;
}

/** The values of parameters, typed by their records. */
export type ValuesOf<P extends readonly Parameter[]> = {
  readonly [Q in P[number] as Q['name']]: Q extends { required: true; type: ValueType<infer V> }
    ? V
    : Q extends { type: ValueType<infer V> }
      ? V | undefined
      : never;
};

interface ParameterOptions<V> {
  readonly kind?: Parameter['kind'];
  readonly default?: V;
  readonly suggest?: NonNullable<CommandParameter['suggest']>;
  readonly ofChild?: NonNullable<CommandParameter['ofChild']>;
}

type Named<N extends string, V, R extends boolean> = CommandParameter<V> & { readonly name: N; readonly required: R };

const parameter = <N extends string, V, R extends boolean>(
  name: N,
  type: ValueType<V>,
  required: R,
  doc: string,
  { kind = 'plain', ...others }: ParameterOptions<V>,
) => ({ name, type, required, doc, kind, ...others }) as Named<N, V, R>;

/** A parameter that has to be given. */
export const required = <N extends string, V>(
  name: N,
  type: ValueType<V>,
  doc: string,
  options: ParameterOptions<V> = {},
): Named<N, V, true> => parameter(name, type, true, doc, options);

/** A parameter that may be left out. */
export const optional = <N extends string, V>(
  name: N,
  type: ValueType<V>,
  doc: string,
  options: ParameterOptions<V> = {},
): Named<N, V, false> => parameter(name, type, false, doc, options);

/** A command whose `run` gets its values typed by `parameters`. */
export const commandOf =
  <S>() =>
  <const P extends readonly CommandParameter[]>(declared: {
    readonly doc: string;
    readonly details?: readonly string[];
    readonly seeAlso?: readonly string[];
    readonly parameters: P;
    readonly more?: MoreWords;
    readonly takesAway?: true;
    readonly examples: readonly Example[];
    run(subject: S, context: Context, values: ValuesOf<P>, words: readonly string[]): Promise<void> | void;
    json?(subject: S, context: Context, values: ValuesOf<P>): unknown;
  }): ShellCommand<S> => ({
    doc: declared.doc,
    parameters: declared.parameters,
    examples: declared.examples,
    ...(declared.details && { details: declared.details }),
    ...(declared.seeAlso && { seeAlso: declared.seeAlso }),
    ...(declared.more && { more: declared.more }),
    ...(declared.takesAway && { takesAway: declared.takesAway }),
    run: (subject, context, given) => declared.run(subject, context, given.values as ValuesOf<P>, given.words),
    ...(declared.json && {
      json: (subject: S, context: Context, given: Given) =>
        declared.json?.(subject, context, given.values as ValuesOf<P>),
    }),
  });

/** The surroundings of a running command. Lines end without a newline. */
export interface Context {
  readonly node: Node;
  readonly host: Host;
  readonly preferences: Preferences;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** The name and the author of this line's changes. */
  readonly part: PartOfChange;
  /** The current node of the shell. */
  readonly current: Node;
  /** Prints output proper: shown at every log level and without a colour. */
  print(text: string): void;
  /** Prints lines that have their own colours (`paintText`), and no characters beside them that `printable` would write out. */
  draw(lines: readonly string[]): void;
  info(text: string): void;
  warn(text: string): void;
  ask: OutputSink['ask'];
  /** The node that `path` names, seen from `from`. @throws OperatorError `No such path …` */
  resolve(path: string, from?: Node): Node;
  /** Goes to `path`, without a word. @param visit whether the path history shall know */
  goTo(path: string, visit?: boolean): Promise<void>;
  /** The path of a file as a Unix shell takes it: `~` is the home directory, and a relative name starts in the person's folder. */
  fileNamed(name: string): string;
  /** The contents of a file, or of a variable, of the person who types, with that person's rights. @throws OperatorError */
  askClient(question: ClientQuestion, words?: AskedWords): Promise<string>;
  /**
   * Applies one operation through the engine's one door, and shows its notes. All operations of a line are one change: the tree has each
   * of them at once, and messages from the first one on are shown when the line has ended and the change is made.
   */
  apply(path: string, verb: string, params: ParameterValues): Promise<Outcome>;
  /** Waits for the other processes that operations need, before the first of them is applied. */
  ahead(operations: readonly Operation[]): Promise<void>;
  /** Begins the change: the tree stays as it is from now on. */
  begin(): Promise<void>;
  /** Makes the operations so far, for a command that has to see their effect. @throws OperatorError; nothing of them is left then */
  settle(): Promise<void>;
  /** Keeps the operations so far, although the command fails; a line for several nodes takes them back all the same. */
  keep(): Promise<void>;
  /** Ends a creation: the bookmark @last is set, and perhaps the shell goes there. */
  created(path: string): Promise<void>;
  /** Bookmarks, and the shell, go along with what stands at other paths once the change is made. `apply` does so by itself. */
  moved(moves: readonly PathMove[]): Promise<void>;
  leave(): void;
  /** Makes the line fail, without a message besides the command's own. */
  fail(): void;
}

/** One node of the tree, as it is now. */
export class Node {
  readonly name: string;
  /** `/` for the root, else the parent's path, a slash and the name. */
  readonly path: string;
  readonly parent: Node | undefined;
  readonly host: Host;
  /** Whether drawings leave it out, as in `Child`. */
  readonly apart: boolean | undefined;
  readonly #type: NodeType<never>;
  readonly #subject: never;

  constructor({ name, type, subject, apart }: Child, parent: Node | undefined, host: Host) {
    this.name = name;
    this.parent = parent;
    this.path = parent === undefined ? '/' : parent.parent === undefined ? `/${name}` : `${parent.path}/${name}`;
    this.host = host;
    this.apart = apart;
    this.#type = type;
    this.#subject = subject as never;
  }

  get doc(): string {
    return this.#type.doc;
  }

  summary(): Summary {
    const summary = this.#type.summary?.(this.#subject, this.host) ?? { text: '', healthy: null };
    // Nobody knows whether the object would be healthy if it were served.
    if (!this.host.isOffline || summary.healthy !== true) return summary;
    return { ...summary, text: summary.text || 'not served', healthy: null };
  }

  /** The row of the object; undefined: its type has none. */
  row(rows: InventoryRows): object | undefined {
    return this.#type.row?.(this.#subject, rows);
  }

  children(): Node[] {
    return (this.#type.children?.(this.#subject, this.host) ?? []).map((below) => new Node(below, this, this.host));
  }

  child(name: string): Node | undefined {
    const found = this.#type.children?.(this.#subject, this.host).find((below) => below.name === name);
    return found && new Node(found, this, this.host);
  }

  async look(): Promise<void> {
    await this.#type.look?.(this.#subject, this.host);
  }

  groups(): ConfigurationGroup[] {
    return this.#type.groups?.(this.#subject, this.host) ?? [];
  }

  /** The commands of the node's own type. Their `run` wants `subject`. */
  get commands(): Commands<unknown> {
    const { commands } = this.#type;
    return ((typeof commands === 'function' ? commands(this.#subject) : commands) ?? {}) as Commands<unknown>;
  }

  get subject(): unknown {
    return this.#subject;
  }
}

/** The entries whose value is there. */
export const given = (values: Readonly<Record<string, Value | undefined>>): ParameterValues =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, Value] => entry[1] !== undefined));
