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

/** Which change an operation is a part of: those of one command are one change. And who made that, and why. */
export interface PartOfChange {
  readonly of: string;
  /** The change that is taken back by this one, as of its last operation. */
  readonly undoes?: string;
  /** The change that was taken back, and is made again by this one. */
  readonly redoes?: string;
  readonly by?: Author;
  /** What was typed, without secrets. Absent: its operations say it. */
  readonly line?: string;
  /** It is taken back when nobody confirms it in time. */
  readonly trial?: Trial;
}

/** How long a change stands that nobody confirms. */
export interface Trial {
  readonly ms: number;
  /** When that is over; ISO 8601, UTC. A process that knows how long it has waited goes by that. */
  readonly until: string;
}

/** How a change came: a line of a shell, a request, a file that was restored, a SCSI command, a trial that is over. */
export type Via = 'shell' | 'socket' | 'tgtadm' | 'restore' | 'initiator' | 'trial';

/** Who made a change, as far as the kernel knows. */
export interface Author {
  readonly via: Via;
  /** The user of the process that asked, and who had logged in to become that one, where it is another. */
  readonly user?: string;
  readonly login?: string;
  /** The terminal that the process belongs to, and the address from which somebody sits at it. */
  readonly terminal?: string;
  readonly address?: string;
}

/** What came of an operation. */
export interface Outcome {
  /** The operation as it was carried out: nothing left to chance or to defaults, so that it can be repeated. */
  readonly operation: Operation;
  /** Lines for the operator, at level info. */
  readonly notes: readonly string[];
}

/** Carries an operation out. @throws OperatorError; nothing is left of it then */
export type Apply = (operation: Operation) => Promise<Outcome>;

/** What an operation may use besides the tree. */
export interface Surroundings {
  /** Loops open volumes, and say what they find. False: only the configuration changes. */
  readonly serving: boolean;
  /** A journal or a saved file is being read back: nothing is generated, files are not made. */
  readonly restoring: boolean;
  /** What was there before comes back: its names are taken as they are. */
  readonly comingBack?: boolean;
  /**
   * Brings what the cache of a storage object holds to its medium, and so finds out whether that answers: for `prepare`,
   * before something is asked of the medium in turn. Rejects with what is wrong. Absent: nothing is open.
   */
  flushed?(path: string): Promise<void>;
  /** At most 12 digits. */
  randomHex(digits: number): string;
  randomUuid(): string;
  /** The serial number of a storage object for which a saved file has none. @param of what tells it from others */
  missingSerial(of: string): Promise<string>;
  readonly hostName: string;
  readonly machine: string;
}

/** One kind of operation: a verb at a kind of place. */
export interface OperationType<K extends PlaceKind = PlaceKind, P extends DeclaredParameters = DeclaredParameters> {
  readonly at: K;
  readonly verb: string;
  /** What it does, in a sentence or two: for who calls it. */
  readonly doc: string;
  /**
   * Parameter name → JSON type, or `printable`: a string that people will see, as a name or a value. A trailing `?` may be
   * left out. Others are refused.
   */
  readonly params: P;
  /**
   * What somebody outside of this process has a part in, who may take his time: done beside other changes, before this
   * one has its turn. It changes nothing.
   * @returns the parameters, with what it found out; rejects with an OperatorError. Undefined: there is nobody to wait for
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

/** Parameters that are not for clients to give: what chance decided, and what an initiator asked for, are believed. */
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

/** The parameters that an operation's record declares, as the door has checked them. */
type ParametersOf<P extends DeclaredParameters> = string extends keyof P
  ? ParameterValues
  : { readonly [K in keyof P as P[K] extends keyof ParamTypes ? K : never]: ParamTypes[P[K] & keyof ParamTypes] } & {
      readonly [K in Exclude<keyof P, '*'> as P[K] extends `${string}?` ? K : never]?: P[K] extends `${infer T extends
        keyof ParamTypes}?`
        ? ParamTypes[T]
        : never;
    };

/** What an operation has done to the tree, and how that is taken back. */
export interface CarriedOut {
  readonly params: ParameterValues;
  readonly notes?: readonly string[];
  /** Puts the tree back as it was, when the change cannot be carried through (a port in use, a full disk). */
  undo(): void | Promise<void>;
  /** What may only happen once the change is durable. */
  finish?(): Promise<void>;
  /** Lets go of what is left over then. It may take its time: other changes are made meanwhile. */
  release?(): Promise<void>;
}

/** Lets a record state its kind of place and its parameters once, and has its functions typed by them. */
export const operation = <K extends PlaceKind, const P extends DeclaredParameters>(
  type: OperationType<K, P>,
): OperationType => type as unknown as OperationType;

/** Operations after which nothing is left of what was before. */
const wholeVerbs: readonly string[] = ['restoreconfig', 'clearconfig'];

/** Whether nothing is left of what was before. */
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

/** The operation as a line to show or to log: as `printOperation`, without secrets, and without what only a repetition needs. */
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
