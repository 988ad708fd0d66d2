/**
 * What a node of the tree is. A node type is a record; help, syntax, signature errors, completion, `get` and `set` are
 * computed from it. A node is a view of an engine object, made when asked for: nothing is cached and nothing goes stale.
 */

import type {
  Host,
  InventoryRows,
  Operation,
  Outcome,
  Parameter,
  ParameterValues,
  PartOfChange,
  Value,
  ValueType,
} from '../../src/index.ts';
import type { ClientQuestion, OutputSink, Terminal } from '../channel/protocol.ts';
import type { Preferences } from './preferences.ts';

/** What `ls` shows in brackets; an empty text is drawn as OK, ERROR or ... (healthy, not, neither). */
export interface Summary {
  readonly text: string;
  readonly healthy: boolean | null;
  /** Lines that `status` shows besides; the first is what `ls` adds for a person. */
  readonly more?: readonly string[];
}

/** One setting, as it is now. */
export interface Setting {
  readonly name: string;
  readonly doc: string;
  readonly type: ValueType<unknown>;
  readonly value: string;
  readonly readOnly: boolean;
  /** Its value is shown to who asks for it by name, and to nobody else. */
  readonly secret?: boolean;
  /** The values that there are, when they can be listed and the type does not. */
  readonly words?: readonly string[];
}

/** Settings that `get` and `set` name together. */
export interface ConfigurationGroup {
  readonly name: string;
  /** In the order in which they are listed: by name. */
  settings(): Setting[];
  /** @param text of the setting's type. @throws OperatorError */
  set(name: string, text: string, context: Context): Promise<void>;
  /** The operations by which it is set, where the engine keeps it. */
  operations?(name: string, text: string): readonly Operation[];
  /** What is wrong with the settings as they are together, in a line. */
  problem?(): string | undefined;
}

/** A node type, for nodes that show an object of type `S`. */
export interface NodeType<S> {
  readonly doc: string;
  summary?(subject: S, host: Host): Summary;
  /** What `ls --json` says of it besides: sizes and counts are numbers. */
  row?(subject: S, rows: InventoryRows): object;
  children?(subject: S, host: Host): Child[];
  /** Asks somebody else for what `children` shows, where the tree does not have it. Rejects when that cannot be had. */
  look?(subject: S, host: Host): Promise<void>;
  /** Besides `global`, in the order in which `get` names them. */
  groups?(subject: S, host: Host): ConfigurationGroup[];
  /** Besides those that every node has; a function where they depend on the object. */
  readonly commands?: Commands<S> | ((subject: S) => Commands<S>);
}

/** Commands by their names. */
export type Commands<S> = Readonly<Record<string, ShellCommand<S>>>;

/** A name below a node, and what stands there. */
export interface Child {
  readonly name: string;
  readonly type: NodeType<never>;
  readonly subject: unknown;
  /** A drawing that begins further up leaves it out: what it shows has to be asked for first (`NodeType.look`). */
  readonly apart?: true;
}

/** A node below another one. */
export const child = <S>(name: string, type: NodeType<S>, subject: S): Child => ({
  name,
  type: type as NodeType<never>,
  subject,
  ...(type.look && { apart: true }),
});

/** A word of a command: the record that values share, and what else completion may offer. */
export interface CommandParameter<V = unknown> extends Parameter<V> {
  /** Values that fit, without help or each with a line of it. */
  suggest?(node: Node, session: Suggesting): Iterable<string | readonly [text: string, help: string]>;
}

/** The parameters that may be given without their names, in this order. */
export const placesOf = (parameters: readonly CommandParameter[]): readonly CommandParameter[] =>
  parameters.filter(({ byName }) => !byName);

/** What suggestions may look at. */
export interface Suggesting {
  readonly preferences: Preferences;
  /** The words given so far, by parameter. */
  readonly given: Readonly<Record<string, string>>;
  /** As in `Context`. */
  fileNamed(name: string): string;
}

/** Words, or `name=value`, that may follow a command's parameters without limit. */
export interface MoreWords {
  readonly kind: 'words' | 'keywords';
  readonly name: string;
  readonly doc: string;
  /** The names that fit. */
  offered(node: Node, session: Suggesting): readonly Offered[];
}

interface Offered {
  readonly name: string;
  readonly doc: string;
  /** The values that there are, when they can be listed. */
  readonly words: readonly string[];
}

/** A command of a kind of node. */
export interface ShellCommand<S> {
  /** The first sentence is what completion shows. */
  readonly doc: string;
  /** What `help COMMAND` says besides, a paragraph each. A line that begins with a blank stays as it is. */
  readonly details?: readonly string[];
  /** Commands of the same node that belong to it. */
  readonly seeAlso?: readonly string[];
  readonly parameters: readonly CommandParameter[];
  readonly more?: MoreWords;
  /** Command lines, with what they do. They are run as tests. */
  readonly examples: readonly Example[];
  run(subject: S, context: Context, given: Given): Promise<void> | void;
  /** What it would print, or a promise of it, as data (docs/json.md). Absent: it has no such form. */
  json?(subject: S, context: Context, given: Given): unknown;
}

/** A line that is right, and what it does. */
export interface Example {
  readonly line: string;
  readonly does: string;
  /** What must have been run before, from `/`. */
  readonly after?: readonly string[];
}

/** A command's parameters by name (absent ones undefined), and what followed them. */
export interface Given {
  readonly values: Readonly<Record<string, unknown>>;
  readonly words: readonly string[];
  readonly keywords: readonly (readonly [name: string, value: string])[];
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
    run: (subject, context, given) => declared.run(subject, context, given.values as ValuesOf<P>, given.words),
    ...(declared.json && {
      json: (subject: S, context: Context, given: Given) =>
        declared.json?.(subject, context, given.values as ValuesOf<P>),
    }),
  });

/** What a running command may use. Lines end without a newline. */
export interface Context {
  readonly node: Node;
  readonly host: Host;
  readonly preferences: Preferences;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** By what the changes of this line are known, and who makes them. */
  readonly part: PartOfChange;
  /** Where the shell stands. */
  readonly current: Node;
  /** Output proper: shown at every log level and without a colour. */
  print(text: string): void;
  /** Lines that have their own colours (`paintText`), and no characters beside them that `printable` would write out. */
  draw(lines: readonly string[]): void;
  info(text: string): void;
  warn(text: string): void;
  ask: OutputSink['ask'];
  /** The node that `path` names, seen from `from`. @throws OperatorError `No such path …` */
  resolve(path: string, from?: Node): Node;
  /** Goes to `path`, without a word. @param visit whether the path history shall know */
  goTo(path: string, visit?: boolean): Promise<void>;
  /** A file's name as a Unix shell takes it: `~` is the home directory, what is relative starts where the person stands. */
  fileNamed(name: string): string;
  /** What is in a file, or a variable, of whoever types: looked at where he sits, with his rights. @throws OperatorError */
  askClient(question: ClientQuestion): Promise<string>;
  /**
   * One operation through the engine's one door; its notes are shown. All those of a line are one change: the tree has each
   * of them at once, and what is said from the first one on is said when the line has ended and the change is made.
   */
  apply(path: string, verb: string, params: ParameterValues): Promise<Outcome>;
  /** Waits for what operations need of somebody outside, before the first of them is applied. */
  ahead(operations: readonly Operation[]): Promise<void>;
  /** Begins the change: what is found in the tree from now on stays so. */
  begin(): Promise<void>;
  /** Makes what was applied so far, for who has to see what comes of it. @throws OperatorError; nothing of it is left then */
  settle(): Promise<void>;
  /** What was applied so far stays, although the command fails; where the line is for several nodes, it goes all the same. */
  keep(): Promise<void>;
  /** A creation is over: the bookmark @last is set, and perhaps the shell goes there. */
  created(path: string): Promise<void>;
  leave(): void;
  /** The line fails, although the command says what it has to say. */
  fail(): void;
}

/** One node of the tree, as it is now. */
export class Node {
  readonly name: string;
  /** `/` for the root, else the parent's path, a slash and the name. */
  readonly path: string;
  readonly parent: Node | undefined;
  readonly host: Host;
  /** As of `Child`. */
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
    // Nobody knows whether it would go well.
    if (!this.host.isOffline || summary.healthy !== true) return summary;
    return { ...summary, text: summary.text || 'not served', healthy: null };
  }

  /** Undefined: there is nothing to say that has a type. */
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

  /** The commands of its own type. Their `run` wants `subject`. */
  get commands(): Commands<unknown> {
    const { commands } = this.#type;
    return ((typeof commands === 'function' ? commands(this.#subject) : commands) ?? {}) as Commands<unknown>;
  }

  get subject(): unknown {
    return this.#subject;
  }
}

/** The entries that are there. */
export const given = (values: Readonly<Record<string, Value | undefined>>): ParameterValues =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, Value] => entry[1] !== undefined));
