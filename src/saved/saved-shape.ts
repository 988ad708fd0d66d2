/** The shape of a saved configuration: objects, lists, and keys that nobody knows. */

import { OperatorError } from '../errors.ts';
import { isRaw, others, type Raw } from '../operations/raw.ts';

/** The depth of nesting beyond which a value is no configuration: it would break every recursive walk. */
const depthMax = 64;

/** The kinds that a saved configuration has lists of. */
export const savedLists: readonly string[] = ['fabric_modules', 'storage_objects', 'targets'];

/** The lists of a saved configuration, without parts that are nested too deeply; a list that is absent is empty. */
export function checkShape(saved: unknown): Shape {
  if (!isRaw(saved))
    throw new OperatorError(
      `'${Array.isArray(saved) ? 'list' : typeof saved}' object has no attribute 'get'`,
      'A saved configuration is a JSON object with storage_objects and targets.',
    );
  const tooDeep: string[] = [];
  const isShallow = (value: unknown, name: string): boolean => {
    const shallow = isBounded(value);
    if (!shallow) tooDeep.push(`${name} is nested more than ${depthMax} deep and was left out`);
    return shallow;
  };
  const shallow: Raw = Object.fromEntries(
    Object.entries(saved).flatMap(([key, value]) => {
      if (Array.isArray(value) && savedLists.includes(key))
        return [[key, value.filter((one, number) => isShallow(one, `'${key}' ${number}`))]];
      return isShallow(value, `'${key}'`) ? [[key, value]] : [];
    }),
  );
  const list = (key: string): unknown[] => {
    const value = shallow[key] ?? [];
    if (!Array.isArray(value))
      throw new OperatorError(
        `'${key}' is no list`,
        'A saved configuration has lists of fabric_modules, storage_objects and targets.',
      );
    return value;
  };
  return {
    tooDeep,
    top: others(shallow, savedLists),
    fabric_modules: list('fabric_modules'),
    storage_objects: list('storage_objects'),
    targets: list('targets'),
  };
}

/** A saved configuration, part by part. */
interface Shape extends Readonly<Record<'fabric_modules' | 'storage_objects' | 'targets', readonly unknown[]>> {
  /** Keys that nobody knows. */
  readonly top: Raw;
  /** Lines about the parts that were left out. */
  readonly tooDeep: readonly string[];
}

function isBounded(value: unknown, depth = depthMax): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isBounded(inner, depth - 1));
}
