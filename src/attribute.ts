/**
 * Declared values. An attribute, a text parameter, a preference and a command's parameter are each one record of the
 * same make; reading, printing, checking, help, completion and the saved file are computed from it.
 */

import { OperatorError } from './errors.ts';

/** How a value is written and read. `name` is the word that `set GROUP` prints; `wrong` ends targetcli's syntax error. */
export interface ValueType<V> {
  readonly name: string;
  /** The rule for a value, as targetcli says it: `Not setting x! Syntax error, 'v' ${wrong}`. */
  readonly wrong: string;
  /** The whole line about a text that is not of this type, where targetcli has one of its own. */
  refusal?(text: string): string;
  /** Text from a terminal, a script or a file → the value; undefined when the text is not of this type. */
  parse(text: string): V | undefined;
  print(value: V): string;
  /** All the words there are, when they can be listed (for completion). */
  readonly words?: readonly string[];
  /** How a value is written, where that needs saying: lines for help. */
  readonly syntax?: readonly string[];
  /** Values that are right, in a sentence, for whoever gave one that is not. */
  readonly example?: string;
}

/** The entry of a record that is used as a dictionary, under a word from outside: no record has `constructor`. */
export const entryOf = <V>(dictionary: Readonly<Record<string, V>>, word: string): V | undefined =>
  Object.hasOwn(dictionary, word) ? dictionary[word] : undefined;

const oneOf = (name: string, words: readonly string[], wrong: string): ValueType<string> => ({
  name,
  wrong,
  words,
  parse: (text) => words.find((word) => word.toLowerCase() === text.toLowerCase()),
  print: (value) => value,
});

const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;
const LOG_LEVELS = ['critical', 'error', 'warning', 'info', 'verbose', 'debug'] as const;
const SIZE = /^(\d+)([kmgt]?)(b?)$/;

/** However many they are; undefined for what is no size. */
function bytesIn(text: string): number | undefined {
  const match = SIZE.exec(text.toLowerCase().replace('i', ''));
  return match ? Number(match[1]) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(match[2] ?? '') : undefined;
}

/** The value types there are. */
export const types = {
  /** An integer; no text is no value (null, printed `n/a`). */
  number: {
    name: 'number',
    wrong: 'is not a NUMBER.',
    parse: (text) => (text === '' ? null : /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined),
    print: (value) => (value === null ? 'n/a' : String(value)),
  } satisfies ValueType<number | null>,
  string: {
    name: 'string',
    wrong: '',
    parse: (text) => text,
    print: (value) => value,
  } satisfies ValueType<string>,
  bool: {
    name: 'bool',
    wrong: 'is not true|false.',
    words: ['true', 'false'],
    parse: (text) => entryOf({ true: true, false: false }, text.toLowerCase()),
    print: (value) => String(value),
  } satisfies ValueType<boolean>,
  /** 0 or 1, or a word for it. */
  onOff: {
    name: 'number',
    wrong: 'is not a NUMBER.',
    words: ['0', '1'],
    parse: (text) => entryOf({ 0: 0, 1: 1, false: 0, true: 1 }, text.toLowerCase()),
    print: (value) => String(value),
  } satisfies ValueType<number>,
  yesno: oneOf('yesno', ['Yes', 'No'], 'is not Yes|No.'),
  loglevel: oneOf('loglevel', LOG_LEVELS, `is not ${LOG_LEVELS.join('|')}`),
  color: oneOf('color', [...COLOURS, 'default'], `is not ${[...COLOURS, 'default'].join('|')}`),
  colordefault: oneOf('colordefault', [...COLOURS, 'none'], `is not ${[...COLOURS, 'none'].join('|')}`),
  /** Bytes: digits and an optional k, m, g or t, each 1024 times the one before (`i` and `b` may follow). */
  size: {
    name: 'size',
    wrong: 'is not a SIZE.',
    syntax: [
      '- Digits alone are bytes.',
      '- A letter behind them makes it more, each 1024 times the one before:',
      '    - nothing or B: bytes',
      '    - k, K, kB or KB: KiB, 1,024 bytes',
      '    - m, M, mB or MB: MiB, 1,048,576 bytes',
      '    - g, G, gB or GB: GiB',
      '    - t, T, tB or TB: TiB. There are no fractions.',
    ],
    example: 'A size is digits and k, m, g or t: 500M, 10G, 2T.',
    refusal: (text: string) =>
      bytesIn(text) === undefined
        ? `Cannot interpret size, wrong format: ${text}`
        : `Cannot interpret size, too large: ${text}; ${Math.floor(Number.MAX_SAFE_INTEGER / 2 ** 40)}T is the most`,
    parse: (text) => {
      const bytes = bytesIn(text);
      return Number.isSafeInteger(bytes) ? bytes : undefined;
    },
    print: (value) => String(value),
  } satisfies ValueType<number>,
} as const;

/** The words about a command's word that `type` cannot parse. */
export function syntaxError(type: ValueType<unknown>, text: string): string {
  return type.refusal?.(text) ?? `Syntax error, '${text}' ${type.wrong}`;
}

/** The object that a command's parameter names, beyond its type: completion offers such names. */
type ParameterKind = 'plain' | 'path' | 'file' | 'block-device' | 'storage-object' | 'wwn';

/** One parameter of a command. Its place in the list is its place among the positional words. */
export interface Parameter<V = unknown> {
  readonly name: string;
  readonly doc: string;
  readonly type: ValueType<V>;
  readonly required: boolean;
  readonly kind: ParameterKind;
  /** Set for a parameter that is given by its name alone: targetcli's command has no such word, and so has no place for it. */
  readonly byName?: true;
  /** Shown by help; null when leaving it out means something no value can say. */
  readonly default?: V;
}

interface AttributeRule {
  /** 0 or a string's '' … as it stands in a new object. */
  readonly readOnly?: boolean;
  /** LIO does not have it: saved once it is not the default, and never among LIO's attributes (operations/groups.ts). */
  readonly foreign?: boolean;
  /** Set for an attribute that one of the kernels in use does not have: saved once it is not the default. */
  readonly newer?: boolean;
  /** Refused while the storage object is exported as a LUN. */
  readonly notWhileExported?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** The attribute of the same object whose value is the largest that this one may have. */
  readonly notAbove?: string;
  /** The only values accepted, when a range does not say it. */
  readonly only?: readonly (number | string)[];
  /** A rule of its own: the reason why `value` is refused, or undefined. */
  refuse?(value: number | string): string | undefined;
}

/** One attribute or text parameter of an object: its name is its key in the table it stands in. */
export interface Attribute<V extends number | string = number | string> extends AttributeRule {
  readonly doc: string;
  readonly type: ValueType<V>;
  readonly default: V;
  /** Where an initiator can see it, or `none: why` (an attribute that does nothing says so). */
  readonly effect: string;
  /** Values are numbers in saveconfig.json (attributes) or strings (iSCSI text parameters). */
  readonly saved: 'number' | 'string';
}

/** Attributes by their names. */
export type AttributeTable = Readonly<Record<string, Attribute>>;
/** The values of the attributes of a table, by their names. */
export type AttributeValues<T extends AttributeTable> = {
  [K in keyof T]: T[K]['default'];
};

type Declared = { doc: string; effect: string } & AttributeRule;

/** An attribute whose value is 0 or 1. */
export const flag = (declared: Declared & { default: 0 | 1 }): Attribute<number> => ({
  min: 0,
  max: 1,
  ...declared,
  type: types.number as ValueType<number>,
  saved: 'number',
});

/** An attribute whose value is a whole number. */
export const integer = (declared: Declared & { default: number }): Attribute<number> => ({
  min: 0,
  max: 0xffffffff,
  ...declared,
  type: types.number as ValueType<number>,
  saved: 'number',
});

/** A text value. */
export const text = (declared: Declared & { default: string; type?: ValueType<string> }): Attribute<string> => ({
  type: types.string,
  ...declared,
  saved: 'string',
});

/** A number that LIO keeps and saves as text (the iSCSI parameters). */
export const textNumber = (declared: Declared & { default: string; min: number; max: number }): Attribute<string> => ({
  type: {
    name: 'number',
    wrong: types.number.wrong,
    parse: (word) => (/^\d{1,15}$/.test(word) ? word : undefined),
    print: (value) => value,
  },
  ...declared,
  saved: 'string',
});

/** The differences between the attributes of one kind of object and those of others with the same table. */
interface KindOfAttributes {
  /** The attributes that LIO has here. Absent: all whose record does not say `foreign`. */
  readonly lio?: readonly string[];
  /** The values of an object that is read from a file without them, where those are not the record's defaults. */
  initial?(): Readonly<Record<string, number | string>>;
  /** The values with which an object is made before its file says anything, where those are not the record's defaults. */
  fresh?(): Readonly<Record<string, number | string>>;
}

/** How much of an object is written: all of it, or what differs from the object as it is when it has just been made. */
export type SavedExtent = 'all' | 'changes';

const defaults = new WeakMap<AttributeTable, Readonly<Record<string, number | string>>>();

/** Every attribute of a table with its default: made once, for there may be ten thousand objects with the same table. */
function defaultsOf(table: AttributeTable): Readonly<Record<string, number | string>> {
  const known = defaults.get(table);
  if (known) return known;
  const made = Object.fromEntries(Object.entries(table).map(([name, attribute]) => [name, attribute.default]));
  defaults.set(table, made);
  return made;
}

/** The names of `Attributes.foreignNames`, by the table and by `KindOfAttributes.lio`: made once, as the defaults are. */
const foreign = new WeakMap<AttributeTable, Map<readonly string[], readonly string[]>>();
const everyName: readonly string[] = [];

/**
 * The values of one object's attributes. `values` is a plain object, so that a hot path reads a property and no more.
 */
export class Attributes<T extends AttributeTable> {
  readonly table: T;
  readonly values: AttributeValues<T>;
  readonly #changed: () => void;
  readonly #kind: KindOfAttributes;
  /** Values of a saved file that were refused: they stay in it until another one is set. */
  readonly #refused = new Map<string, number | string>();

  /** @param changed called when a value was set */
  constructor(
    table: T,
    defaults: Partial<AttributeValues<T>> = {},
    changed: () => void = () => {},
    kind: KindOfAttributes = {},
  ) {
    this.table = table;
    this.#changed = changed;
    this.#kind = kind;
    this.values = { ...(defaultsOf(table) as AttributeValues<T>), ...defaults };
  }

  /** Name → value as it goes into saveconfig.json, in the table's order: LIO's, as far as they can be written. */
  saved(extent: SavedExtent = 'all'): Record<string, number | string> {
    if (extent === 'changes') return this.#changes((name) => !this.#isForeign(name));
    return this.#pick(({ isForeign, isInitial, newer }) => !isForeign && !(newer && isInitial));
  }

  /** The attributes that LIO does not have, where they differ from the default. */
  savedForeign(extent: SavedExtent = 'all'): Record<string, number | string> {
    if (extent === 'changes') return this.#changes((name) => this.#isForeign(name));
    return this.#pick(({ isForeign, isInitial }) => isForeign && !isInitial);
  }

  /** The names of these attributes. */
  get foreignNames(): readonly string[] {
    const { lio = everyName } = this.#kind;
    const known = foreign.get(this.table)?.get(lio);
    if (known) return known;
    const names = Object.keys(this.table).filter((name) => this.#isForeign(name));
    foreign.set(this.table, (foreign.get(this.table) ?? new Map()).set(lio, names));
    return names;
  }

  #isForeign(name: string): boolean {
    return this.table[name]?.foreign === true || this.#kind.lio?.includes(name) === false;
  }

  #pick(
    which: (one: { isForeign: boolean; isInitial: boolean; newer?: boolean | undefined }) => boolean,
  ): Record<string, number | string> {
    const values = this.values as Record<string, number | string>;
    const initial = this.#kind.initial?.() ?? {};
    const picked: Record<string, number | string> = {};
    for (const [name, { readOnly, newer, default: usual }] of Object.entries<Attribute>(this.table)) {
      const value = this.#refused.get(name) ?? values[name];
      if (readOnly || value === undefined) continue;
      const isInitial = value === (initial[name] ?? usual);
      if (which({ isForeign: this.#isForeign(name), isInitial, newer })) picked[name] = value;
    }
    return picked;
  }

  #changes(which: (name: string) => boolean): Record<string, number | string> {
    const values = this.values as Record<string, number | string>;
    const fresh = this.#kind.fresh?.();
    const usual = defaultsOf(this.table);
    const changed: Record<string, number | string> = {};
    for (const name in usual) {
      const value = this.#refused.get(name) ?? values[name]!;
      if (value !== (fresh?.[name] ?? usual[name]) && !this.table[name]?.readOnly && which(name)) changed[name] = value;
    }
    return changed;
  }

  /** The record of an attribute by a name from outside. */
  of(name: string): Attribute | undefined {
    return entryOf<Attribute>(this.table, name);
  }

  print(name: string): string {
    const attribute = this.of(name);
    return attribute ? attribute.type.print(this.values[name] as number | string) : '';
  }

  /**
   * The value that `text` stands for, checked against the record.
   * @param noun `attribute` or `parameter`, for the message
   * @throws OperatorError with LIO's line (`Cannot set attribute x: [Errno 22] Invalid argument`) and the reason as hint
   */
  check(name: string, text: string, noun: string, exported = false): number | string {
    const attribute = this.of(name);
    if (!attribute) throw new OperatorError(`Cannot find ${noun}: ${name}`);
    if (attribute.readOnly) throw new OperatorError(`Parameter ${name} is read-only.`);
    const refused = (why: string) => refusedValue(name, noun, why);
    const value = attribute.type.parse(text);
    if (value === undefined || value === null) throw refused(`'${text}' ${attribute.type.wrong}`);
    if (attribute.notWhileExported && exported && value !== this.values[name])
      throw refused(`${name} cannot change while the storage object is exported as a LUN; delete its LUNs first.`);
    const why = refusal(attribute, value);
    if (why) throw refused(`${name} ${why}`);
    return value;
  }

  /**
   * Checks a value against what this machine has. One that is read back from a file is taken as it stands there.
   * @throws OperatorError as `check`
   */
  checkLimit(name: string, value: number | string, noun: string): void {
    const limit = this.of(name)?.notAbove;
    if (limit !== undefined && Number(value) > Number(this.values[limit]))
      throw refusedValue(name, noun, `${name} must not be above ${limit}, which is ${this.values[limit]}.`);
  }

  /** Sets a value that `check` returned. */
  set(name: keyof T & string, value: number | string): void {
    this.assign({ [name]: value });
  }

  /** Sets values that were checked, or were settled before, whatever the table is. */
  assign(values: Readonly<Record<string, number | string>>): void {
    for (const [name, value] of Object.entries(values)) {
      (this.values as Record<string, number | string>)[name] = value;
      this.#refused.delete(name);
    }
    this.#changed();
  }

  /** Keeps a value of a saved file that `check` refused. */
  refuse(name: keyof T & string, value: number | string): void {
    this.#refused.set(name, value);
  }
}

const refusedValue = (name: string, noun: string, why: string): OperatorError =>
  new OperatorError(`Cannot set ${noun} ${name}: [Errno 22] Invalid argument`, why);

function refusal(attribute: Attribute, value: number | string): string | undefined {
  if (attribute.only && !attribute.only.includes(value)) return `can be ${attribute.only.join(', ')}.`;
  const { min, max } = attribute;
  const number = Number(value);
  if (attribute.type.name === 'number' && ((min !== undefined && number < min) || (max !== undefined && number > max)))
    return `must be between ${min} and ${max}.`;
  return attribute.refuse?.(value);
}
