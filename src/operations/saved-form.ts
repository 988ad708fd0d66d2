/** The forms of an object that the schema gives: its saved form, the lines of `info`, and the parameters that make the object again. */

import type { SavedExtent } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import { shownValue } from '../target/auth.ts';
import type { SavedField } from '../target/fields.ts';
import type { SavedPart, SettingGroup } from './groups.ts';
import { onceFor } from './once-for.ts';
import type { ParameterValues, Value } from './operation.ts';
import { numberOf, type Raw, truthOf } from './raw.ts';
import { listsIn, type ObjectKind, type SavedObject } from './schema.ts';

/** The value of a field, as the object has it. */
const valueIn = (object: object, { as }: SavedField): unknown => (object as Raw)[as];

/** The value of a field, as the file has it. */
const writtenValue = (kind: ObjectKind, object: SavedObject, key: string, field: SavedField): unknown =>
  kind.written?.[key] ? kind.written[key](object) : valueIn(object, field);

/** The fields of a kind, each with its key. */
export const rowsOf = onceFor(({ fields }: ObjectKind) => Object.entries(fields));

function fieldsOf(kind: ObjectKind, object: SavedObject): Raw {
  const written: Record<string, unknown> = {};
  for (const [key, field] of rowsOf(kind)) {
    const value = writtenValue(kind, object, key, field);
    if (!isLeftOut(field, value)) written[key] = value;
  }
  return written;
}

const isLeftOut = ({ type, unless }: SavedField, value: unknown): boolean =>
  type === 'words' ? (value as readonly string[]).length === 0 : value === unless;

/** The lines that `info` shows of an object by itself, with secrets hidden. */
export function infoOf(
  kind: ObjectKind,
  object: SavedObject,
): Readonly<Record<string, string | number | boolean | null>> {
  const fields = Object.entries(fieldsOf(kind, object)).filter(([key]) => !kind.fields[key]?.quiet);
  const parts = partsOf(kind, object).flatMap((part) => Object.entries(part.saved({})));
  const lines = [...fields, ...parts].filter(([, value]) => typeof value !== 'object' || value === null);
  return Object.fromEntries(lines.map(([key, value]) => [key, shownValue(key, value as string | null)]));
}

/** The saved form of an object by itself, without the lists of objects that stand in it. */
export const savedForm = (kind: ObjectKind, object: SavedObject, extent: SavedExtent = 'all'): Raw => ({
  ...object.unknown,
  ...fieldsOf(kind, object),
  ...Object.assign({}, ...partsOf(kind, object).map((part) => part.saved(object.unknown, extent))),
});

/** The parts of an object, as they are now. */
export const partsOf = (kind: ObjectKind, object: SavedObject) => kind.parts?.(object) ?? [];

const keysOf = onceFor(
  (kind: ObjectKind): ReadonlySet<string> =>
    new Set([...Object.keys(kind.fields), ...(kind.idle ?? []), ...listsIn(kind).map(({ list }) => list)]),
);

/** Whether a key of a saved object is understood. */
export const isKnownKey = (kind: ObjectKind, parts: readonly SavedPart[], key: string): boolean =>
  keysOf(kind).has(key) || parts.some(({ keys }) => keys.includes(key));

/** Reads a saved value; undefined: the object keeps the value of a new one. */
export function readField({ type, chance, ours, absent, unreadable }: SavedField, saved: unknown): unknown {
  if (type === 'name') return saved;
  if (saved === undefined || saved === null) return absent;
  // A value that only tcli writes is read in exactly the form in which tcli writes it.
  const exact = chance !== undefined || ours === true;
  if (type === 'flag') return (exact ? asIs('boolean', saved) : truthOf(saved)) ?? unreadable;
  if (type === 'number') return exact ? asIs('number', saved) : numberOf(saved);
  return asIs('string', saved);
}

const asIs = (type: string, saved: unknown): unknown => (typeof saved === type ? saved : undefined);

/** The keys whose values are random. */
export const chanceKeys = ({ fields }: ObjectKind): string[] =>
  Object.keys(fields).filter((key) => fields[key]?.chance !== undefined);

/** The random values of a saved object, as `create` takes them in `settled`. */
export function settledIn(kind: ObjectKind, saved: Raw): Record<string, string | number> {
  const settled: Record<string, string | number> = {};
  for (const [key, field] of rowsOf(kind)) {
    const value = field.chance === undefined ? undefined : readField(field, saved[key]);
    if (value !== undefined) settled[field.chance!] = value as string | number;
  }
  return settled;
}

/** An object that has only the names in the parameters of its `create` or `delete`. */
export function namedBy(kind: ObjectKind, params: Raw): SavedObject {
  const named: SavedObject & Record<string, unknown> = { unknown: {} };
  for (const [, { names, as }] of rowsOf(kind)) if (names) named[as] = params[names];
  return named;
}

/** Parameters of `create` by the fields that have one of that name, as the object has them. */
function given(
  kind: ObjectKind,
  object: SavedObject,
  named: (field: SavedField) => string | undefined,
): ParameterValues {
  const all = Object.entries(kind.fields).flatMap(([key, field]) => {
    const name = named(field);
    const value = () => kind.given?.[key]?.(object) ?? (valueIn(object, field) as Value);
    return name === undefined ? [] : [[name, value()] as const];
  });
  return Object.fromEntries(all);
}

/** The parameters that name an object to `delete`. */
export const nameOf = (kind: ObjectKind, object: SavedObject): ParameterValues =>
  given(kind, object, ({ names }) => names);

/** The parameters that an object was made of. An object with other values is another object. */
const madeOf = (kind: ObjectKind, object: SavedObject): ParameterValues =>
  given(kind, object, (field) => field.names ?? field.given);
/** The parameters that an object was made of, as a text: another text means another object. */
export const idOf = (kind: ObjectKind, object: SavedObject): string => JSON.stringify(madeOf(kind, object));

/** The parameters that make an object again by `create`. */
export function creationOf(kind: ObjectKind, object: SavedObject): ParameterValues {
  const isMade = (field: SavedField) => !isLeftOut(field, valueIn(object, field));
  const settled = given(kind, object, (field) => (isMade(field) ? field.chance : undefined));
  const first = given(kind, object, (field) => field.first);
  return { ...madeOf(kind, object), ...first, ...(Object.keys(settled).length > 0 && { settled }) };
}

/** A printed setting; null: the setting is absent and cannot be set. */
export interface PrintedSetting {
  readonly group: string;
  readonly name: string;
  readonly value: string | null;
}

/** The settings of an object that `set` changes: its fields that a setting changes, behind its groups of settings. */
export const printedSettings = (kind: ObjectKind, object: SavedObject): PrintedSetting[] => [
  ...groupsOf(kind, object).flatMap((group) =>
    Object.entries(group.printed()).map(([name, value]) => ({ group: group.name, name, value })),
  ),
  ...Object.entries(kind.fields).flatMap(([key, field]) =>
    field.setBy ? [{ ...field.setBy, value: printField(writtenValue(kind, object, key, field)) }] : [],
  ),
];

/** Prints a value as `set` takes it. */
const printField = (value: unknown): string | null =>
  typeof value === 'boolean' ? (value ? '1' : '0') : value === null ? null : String(value);

/** The group of settings of that name. @throws OperatorError when there is none, or the object's fabric has none */
export function groupOf(kind: ObjectKind, object: SavedObject, name: unknown): SettingGroup {
  const group = groupsOf(kind, object).find((one) => one.name === name && one.isOffered);
  if (!group) throw new OperatorError(`Unknown configuration group: ${name}`);
  return group;
}

/** The groups of settings of an object. */
export const groupsOf = (kind: ObjectKind, object: SavedObject): SettingGroup[] =>
  partsOf(kind, object).filter((part): part is SettingGroup => Object.hasOwn(part, 'printed'));
