/**
 * The operation `fill` gives an object the rest of what a saved file says of it, after `create`. Taking `create` back removes the object
 * with all of that, so `fill` has no undo of its own.
 */

import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import type { SavedField } from '../target/fields.ts';
import { listIn, type Told } from './groups.ts';
import { type OperationType, operation } from './operation.ts';
import { type Raw, textOf } from './raw.ts';
import { isKnownKey, partsOf, readField, rowsOf } from './saved-form.ts';
import { type ObjectKind, type SavedObject, schema } from './schema.ts';

const kindsBy: ReadonlyMap<string, ObjectKind> = new Map(Object.values(schema).map((kind) => [kind.as, kind]));

/** The `fill` of each kind of object. Only restoring uses them. */
export const fillOperations: readonly OperationType[] = Object.values(schema).map((kind) =>
  operation({
    at: kind.name,
    verb: 'fill',
    doc: 'Takes what a saved file says of the object.',
    // `as` says which of the objects at this path is meant: the node of a target without TPG nodes is also that of its TPG.
    params: { as: 'string', saved: 'object' },
    apply(_tree, place, params, { restoring }) {
      const { as, saved } = params as { as: string; saved: Raw };
      const object = (place as unknown as Readonly<Record<string, SavedObject>>)[as]!;
      return { params, notes: fill(kindsBy.get(as)!, object, saved, restoring), undo: () => {} };
    },
  }),
);

/**
 * Gives an object what a saved file says of it. @param isStart names that nobody knows are not told of
 * @returns lines about what is wrong with it
 */
export function fill(kind: ObjectKind, object: SavedObject, saved: Raw, isStart: boolean): string[] {
  const lines: string[] = [];
  const told = tellingOf(lines, isStart);
  const parts = partsOf(kind, object);
  const unknown: [string, unknown][] = [];
  for (const key of Object.keys(saved)) {
    if (isKnownKey(kind, parts, key)) continue;
    unknown.push([key, saved[key]]);
    if (kind.strange) told.strange(key, kind.strange(object, key));
  }
  for (const [key, field] of rowsOf(kind)) if (!isCreated(field)) take(kind, object, key, field, saved[key], told);
  for (const part of parts) unknown.push(...Object.entries(part.restore(saved, told)));
  // The text of a key may be that of a property which every object inherits, as `constructor` is.
  object.unknown = unknown.length > 0 ? Object.fromEntries(unknown) : nothing;
  return lines;
}

const nothing: Raw = {};

/** Whether creating an object gives it the field. */
const isCreated = ({ names, given, chance, type }: SavedField): boolean =>
  (names ?? given ?? chance) !== undefined || type === 'reference';

function take(kind: ObjectKind, object: SavedObject, key: string, field: SavedField, saved: unknown, told: Told): void {
  const isUsable = (value: unknown): boolean => {
    const fits = kind.takes?.[key]?.(object, value) ?? true;
    if (typeof fits === 'string') told.error(fits);
    return fits === true;
  };
  if (field.type === 'words') {
    const words = listIn({ [key]: saved }, key, kind.called?.(object) ?? kind.name, told);
    return void Object.assign(object, { [field.as]: words.filter(isUsable).map(textOf) });
  }
  const value = readField(field, saved);
  if (value !== undefined && isUsable(saved)) Object.assign(object, { [field.as]: value });
}

/** Attributes and keys of newer kernels and tools that mean nothing outside of a kernel. */
const inert: readonly string[] = ['submit_type', 'complete_type', 'exclusive'];

/** Puts lines into `lines`. A restore tells of names that nobody knows; a start does not repeat that every time. */
const tellingOf = (lines: string[], isStart: boolean): Told => ({
  error: (line) => void lines.push(line),
  strange: (name, line) => void (!isStart && !inert.includes(name) && lines.push(line)),
  attempt(what, line) {
    try {
      what();
      return true;
    } catch (error) {
      lines.push(line(faultOf(error)));
      return false;
    }
  },
});

/** The reason of a failure, in words. A bug of ours is called a bug. */
export function faultOf(error: unknown): string {
  if (error instanceof OperatorError || systemErrorCode(error) !== undefined) return reasonOf(error);
  return `internal error: ${error instanceof Error ? error.name : typeof error}: ${reasonOf(error)}`;
}
