/**
 * Parts of a saved object beside its fields (target/fields.ts), and among them groups of settings, which `set` names together. A further
 * kind of part is one more function here.
 */

import type { Attributes, AttributeTable, SavedExtent } from '../attribute.ts';
import { type Auth, authKeys, livingAuth, setAuth } from '../target/auth.ts';
import type { Fabric } from '../target/fabric.ts';
import { isRaw, type Raw, rawOf, textOf } from './raw.ts';

/** Hears of all that is wrong with a saved file while it is restored. */
export interface Told {
  error(line: string): void;
  /** Hears of a name that nobody knows. The name stays in the file. */
  strange(name: string, line: string): void;
  /** Does `what`, which may fail, and tells the reason. @returns whether `what` succeeded */
  attempt(what: () => void, line: (reason: string) => string): boolean;
}

/** The list under a key. A value that is no list is reported, and taken for an empty list. */
export function listIn(saved: Raw, key: string, where: string, told: Pick<Told, 'error'>): readonly unknown[] {
  const value = saved[key] ?? [];
  if (Array.isArray(value)) return value;
  told.error(`'${key}' of ${where} is no list`);
  return [];
}

/** Some keys of the saved form of one object. */
export interface SavedPart {
  readonly keys: readonly string[];
  /** The values of these keys. @param unknown the keys of the object that nobody knows */
  saved(unknown: Raw, extent?: SavedExtent): Raw;
  /** Takes the values of these keys. @returns the keys that nobody knows, or whose values cannot be used: they are written back as they were */
  restore(saved: Raw, told: Told): Raw;
}

/** Settings of one object. */
export interface SettingGroup extends SavedPart {
  readonly name: string;
  /** Whether the settings can be set. The file may have some that cannot. */
  readonly isOffered: boolean;
  /** The settings that can be changed, by name, with their printed values. */
  printed(): Readonly<Record<string, string>>;
  /** Sets a setting. @returns a function that sets the old value again. @throws OperatorError */
  set(name: string, value: string): () => void;
}

/**
 * The key of the file itself under which, by path, the attributes of storage objects stand that LIO does not have. In the object, rtslib
 * would restore nothing of that object; among LIO's attributes, LIO's tools would say that they do not know them; LIO's tools pass over a
 * key of the file. In this process it is a key of the object.
 */
export const elsewhere = 'storage_object_attributes';

/** The key of a saved object that names its secrets which the file leaves out. */
export const leftOutKey = 'secrets_left_out';
/** The words about a secret that nobody has. */
export const leftOut = 'the file leaves secrets out, and there is none here';

/** The place in the file of the attributes of one kind of object. */
interface Written {
  /** The key of LIO's attributes. Absent: LIO has none there. */
  readonly under?: 'attributes' | 'parameters';
  /** The place of the attributes that LIO does not have: in the saved object itself, where LIO's tools pass over them, or elsewhere. */
  readonly ours: 'beside' | typeof elsewhere;
}

/** A group of attributes. Lines that say what is wrong with one begin with `label`. */
export function attributeGroup(
  name: 'attribute' | 'parameter',
  attributes: Attributes<AttributeTable>,
  { under, ours }: Written,
  label = '',
): SettingGroup {
  const { table } = attributes;
  const beside = ours === 'beside' ? attributes.foreignNames : [];
  const keys = [...(under ? [under] : []), ...(ours === elsewhere ? [elsewhere] : []), ...beside];
  return {
    name,
    keys,
    isOffered: true,
    printed: () =>
      Object.fromEntries(
        Object.keys(table)
          .filter((key) => !table[key]?.readOnly)
          .map((key) => [key, attributes.print(key)]),
      ),
    set: (key, text) => setAttribute(attributes, key, text, name),
    saved: (unknown, extent) => ({
      // rtslib writes an empty `attributes`, and no empty `parameters`.
      ...(under &&
        (under === 'attributes' || Object.keys(table).length > 0) && {
          [under]: { ...(unknown[under] as Raw | undefined), ...attributes.saved(extent) },
        }),
      ...(ours === 'beside' && attributes.savedForeign(extent)),
      ...(ours === elsewhere && {
        [elsewhere]: { ...(unknown[elsewhere] as Raw | undefined), ...attributes.savedForeign(extent) },
      }),
    }),
    restore(saved, told) {
      const inside = under && saved[under];
      if (!isRaw(inside) && inside !== undefined && inside !== null) told.error(`${label}'${under}' is no object`);
      const left: Record<string, Raw> = {};
      const restoreAll = (all: Raw, where?: string) => {
        const strange = restoreKnown(attributes, all, told, { noun: name, label });
        if (where && strange.length > 0) left[where] = Object.fromEntries(strange);
      };
      restoreAll(rawOf(inside), under);
      for (const key of beside) if (Object.hasOwn(saved, key)) restoreAll({ [key]: saved[key] });
      if (ours === elsewhere) restoreAll(rawOf(saved[elsewhere]), elsewhere);
      return left;
    },
  };
}

/** Sets the saved attributes that are known; a value that is refused stays in the file. @returns those that are not known */
function restoreKnown(
  attributes: Attributes<AttributeTable>,
  all: Raw,
  told: Told,
  { noun, label }: { noun: 'attribute' | 'parameter'; label: string },
): [string, unknown][] {
  return Object.entries(all).filter(([key, value]) => {
    // The file has all of LIO's attributes, and most of them as they are in a new object.
    if (Object.hasOwn(attributes.values, key) && attributes.values[key] === value) return false;
    const known = attributes.of(key);
    if (!known) told.strange(key, `${label}Cannot find ${noun}: ${key}`);
    if (!known || known.readOnly) return !known;
    const isSet = told.attempt(
      () => attributes.set(key, attributes.check(key, textOf(value), noun)),
      (reason) => `${label}${reason}`,
    );
    if (!isSet) attributes.refuse(key, typeof value === 'number' ? value : textOf(value));
    return false;
  });
}

/** Sets an attribute. @returns a function that sets the old value again */
function setAttribute(
  attributes: Attributes<AttributeTable>,
  name: string,
  text: string,
  noun: 'attribute' | 'parameter',
): () => void {
  const checked = attributes.check(name, text, noun);
  const before = attributes.values[name]!;
  attributes.set(name, checked);
  return () => attributes.set(name, before);
}

/**
 * The CHAP words of an object of a fabric, which may have no use for them.
 * @param prefix of their keys in the file
 * @param label the beginning of a line about an invalid word
 */
export function chapGroup(
  name: 'auth' | 'discovery_auth',
  auth: Auth,
  { features }: Fabric,
  prefix: string,
  label: string,
): SettingGroup {
  const keys = authKeys.map((key) => prefix + key);
  const now = () => livingAuth(auth, Date.now());
  return {
    name,
    keys: [...keys, leftOutKey],
    isOffered: features.includes(name),
    printed: now,
    set: (key, value) => setAuth(auth, key, value),
    saved() {
      const words = now();
      return Object.fromEntries(authKeys.flatMap((key) => (words[key] === '' ? [] : [[prefix + key, words[key]]])));
    },
    restore(saved, told) {
      for (const key of authKeys) {
        const value = saved[prefix + key];
        if (value === undefined || value === null || value === '') continue;
        const set = () => void setAuth(auth, key, textOf(value));
        told.attempt(set, () => `${label} '${prefix}${key}'`);
      }
      for (const key of listIn(saved, leftOutKey, label, told)) told.error(`${label} '${textOf(key)}': ${leftOut}`);
      return {};
    },
  };
}
