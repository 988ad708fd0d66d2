/**
 * A change is a value: one operation (path, verb, typed parameters) is plain data that goes through one door
 * (`Root.apply`). It is checked, applied to the tree, made durable and answered; it can be printed as a command line,
 * journaled, sent to a worker or over a socket.
 */

import { quoted } from '../printable.ts';
import { shownValue } from '../target/auth.ts';
import type { Place, PlaceKind } from './place.ts';
import type { Tree } from './tree.ts';

export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
/** Parameters by their names. */
export type ParameterValues = Readonly<Record<string, Value>>;

/** A change of the tree as plain data. */
export interface Operation {
  /** The tree path of the node that changes: `/backstores/fileio`, `/iscsi/iqn…/tpg1/luns`. */
  readonly path: string;
  readonly verb: string;
  readonly params: ParameterValues;
}

/** The change that an operation is a part of, with its author and its reason: the operations of one command are one change. */
export interface PartOfChange {
  readonly of: string;
  /** The name of the change that this one takes back, as of its last operation. */
  readonly undoes?: string;
  /** The name of the change that was taken back, and that this one makes again. */
  readonly redoes?: string;
  readonly by?: Author;
  /** The typed line, without secrets. Absent: the operations describe the change. */
  readonly line?: string;
  /** The trial of the change, which is taken back when nobody confirms it in time. */
  readonly trial?: Trial;
}

/** The time that an unconfirmed change stands. */
interface Trial {
  readonly ms: number;
  /** The end of the trial; ISO 8601, UTC. A process that knows how long it has waited goes by that instead. */
  readonly until: string;
}

/** The way by which a change came: a line of a shell, a request, a file that was restored or is given, a SCSI command, a trial that is over. */
export type Via = 'shell' | 'socket' | 'tgtadm' | 'restore' | 'config' | 'initiator' | 'trial';

/** The author of a change, as far as the kernel knows. */
export interface Author {
  readonly via: Via;
  /** The user of the process that asked, and the user who had logged in to become that one, where it is another. */
  readonly user?: string;
  readonly login?: string;
  /** The terminal of the process, and the address from which somebody sits at that terminal. */
  readonly terminal?: string;
  readonly address?: string;
}

/** `root (alice) pts/3 from 10.0.0.7` */
export function printAuthor({ via, user, login, terminal, address }: Author): string {
  if (user === undefined) return via;
  const words = [user, login && `(${login})`, terminal, address && `from ${address}`, via !== 'shell' && `via ${via}`];
  return words.filter(Boolean).join(' ');
}

/** The result of an operation. */
export interface Outcome {
  /** The operation as it was carried out: nothing left to chance or to defaults, so that it can be repeated. */
  readonly operation: Operation;
  /** Lines for the operator, at level info. */
  readonly notes: readonly string[];
}

/** Carries an operation out. @throws OperatorError; nothing is left of it then */
export type Apply = (operation: Operation) => Promise<Outcome>;

/** The surroundings that an operation may use besides the tree. */
export interface Surroundings {
  /** Whether loops serve: they open volumes, and say what they find. False: only the configuration changes. */
  readonly serving: boolean;
  /** Whether a journal or a saved file is being read back: nothing is generated then, and files are not made. */
  readonly restoring: boolean;
  /** Whether a change is made here of a tree that other gateways have, too; what was stored already is taken as it is. */
  readonly inCluster?: boolean;
  /** Whether names come back that were there before: they are accepted as they are. */
  readonly comingBack?: boolean;
  /**
   * Brings the cache of a storage object to its medium, and so finds out whether the medium answers: `prepare` does so before an
   * operation asks something of the medium in turn. Rejects with the fault. Absent: no medium is open.
   */
  flushed?(path: string): Promise<void>;
  /** Random hexadecimal digits, at most 12. */
  randomHex(digits: number): string;
  randomUuid(): string;
  /** The serial number of a storage object for which a saved file has none. @param of a text that tells the object from others */
  missingSerial(of: string): Promise<string>;
  readonly hostName: string;
  readonly machine: string;
  /** Lets others have their turn in the event loop, when it is time; for trees that nobody else sees. */
  rest?(): Promise<void> | undefined;
}

/** One kind of operation: a verb at a kind of place. */
export interface OperationType<K extends PlaceKind = PlaceKind, P extends DeclaredParameters = DeclaredParameters> {
  readonly at: K;
  readonly verb: string;
  /** A sentence or two for callers that say what the operation does. */
  readonly doc: string;
  /**
   * The parameters: name → JSON type, or `printable`: a string that people will see, as a name or a value. A trailing `?` says that the
   * parameter may be left out. Other parameters are refused.
   */
  readonly params: P;
  /**
   * Does the part that may have to wait for another process: beside other changes, before this one has its turn. It changes nothing.
   * @returns the parameters, with what was found out; rejects with an OperatorError. Undefined: there is nothing to wait for
   */
  prepare?(
    place: Extract<Place, { kind: K }>,
    params: ParametersOf<P>,
    around: Surroundings,
  ): Promise<ParameterValues> | undefined;
  /**
   * Checks everything, then changes the tree.
   * @returns the parameters as carried out, and notes
   * @throws OperatorError; the tree is then as it was
   */
  apply(
    tree: Tree,
    place: Extract<Place, { kind: K }>,
    params: ParametersOf<P>,
    around: Surroundings,
  ): Promise<CarriedOut> | CarriedOut;
}

/** Parameters that clients must not give: random values and requests of initiators are believed without a check. */
export const ownParams: readonly string[] = ['settled', 'initiator'];

interface ParamTypes {
  readonly string: string;
  readonly printable: string;
  readonly number: number;
  readonly boolean: boolean;
  readonly object: { readonly [key: string]: Value } | readonly Value[];
}
type ParamType = keyof ParamTypes | `${keyof ParamTypes}?`;
type DeclaredParameters = Readonly<Record<string, ParamType>>;

/** The types of the parameters that an operation's record declares, after the door has checked them. */
type ParametersOf<P extends DeclaredParameters> = string extends keyof P
  ? ParameterValues
  : { readonly [K in keyof P as P[K] extends keyof ParamTypes ? K : never]: ParamTypes[P[K] & keyof ParamTypes] } & {
      readonly [K in Exclude<keyof P, '*'> as P[K] extends `${string}?` ? K : never]?: P[K] extends `${infer T extends
        keyof ParamTypes}?`
        ? ParamTypes[T]
        : never;
    };

/** The effect of an operation on the tree, and how to take it back. */
export interface CarriedOut {
  readonly params: ParameterValues;
  readonly notes?: readonly string[];
  /** Puts the tree back as it was, when the change fails later (a port in use, a full disk). */
  undo(): void | Promise<void>;
  /** Does what may only happen once the change is durable. */
  finish?(): Promise<void>;
  /** Closes what is left over after the change. That may take long: other changes are made meanwhile. */
  release?(): Promise<void>;
}

/** Lets a record state its kind of place and its parameters once, and types its functions by them. */
export const operation = <K extends PlaceKind, const P extends DeclaredParameters>(
  type: OperationType<K, P>,
): OperationType => type as unknown as OperationType;

/** The verbs of operations that replace the whole configuration. */
const wholeVerbs: readonly string[] = ['restoreconfig', 'clearconfig'];

/** Whether an operation replaces the whole configuration. */
export const isWhole = ({ path, verb }: Operation): boolean => path === '/' && wholeVerbs.includes(verb);

/** The operation as a line of the shell's grammar. Values that are objects are printed as quoted JSON. */
export function printOperation({ path, verb, params }: Operation): string {
  const at = /^[\w:.[\]/-]*$/.test(path) ? path : quoted(path);
  const { group, name, value, ...others } = params;
  const isSetting = verb === 'set' && typeof name === 'string';
  const words = Object.entries(isSetting ? { [name]: value ?? '', ...others } : params);
  return [at, verb, ...(isSetting ? [group] : []), ...words.map(([key, word]) => `${key}=${printValue(word)}`)].join(
    ' ',
  );
}

/** Prints an operation to be shown or logged: as `printOperation`, without secrets, and without parameters that only a repetition needs. */
export function describeOperation(operation: Operation): string {
  const plain = Object.entries(operation.params).filter(([, value]) => typeof value !== 'object');
  return printOperation(withoutSecrets({ ...operation, params: Object.fromEntries(plain) }));
}

/** The operation with its secrets hidden: the value of a setting, and those in a saved configuration. */
export function withoutSecrets({ path, verb, params }: Operation): Operation {
  const { name, value } = params;
  const setting = verb === 'set' && value !== undefined ? { value: shownValue(String(name), value) } : {};
  return { path, verb, params: { ...(hiding(params) as ParameterValues), ...setting } };
}

const hiding = (value: Value): Value =>
  Array.isArray(value)
    ? value.map(hiding)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, hiding(shownValue(key, part as Value))]))
      : value;

function printValue(value: Value): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w?;&*$!#,=\\+/.<>()~@:%[\]-]*$/.test(text) ? text : quoted(text);
}
