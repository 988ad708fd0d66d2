/** The shape of a saved configuration: objects, lists, and keys that nobody knows. */

import { OperatorError } from '../errors.ts';
import type { Raw } from './tree.ts';

/** The lists of a saved configuration; a list that is absent is empty. */
export function checkShape(saved: unknown): Raw & Record<'fabric_modules' | 'storage_objects' | 'targets', unknown[]> {
  if (!isRaw(saved))
    throw new OperatorError(
      `'${Array.isArray(saved) ? 'list' : typeof saved}' object has no attribute 'get'`,
      'A saved configuration is a JSON object with storage_objects and targets.',
    );
  const list = (key: string): unknown[] => {
    const value = saved[key] ?? [];
    if (!Array.isArray(value))
      throw new OperatorError(
        `'${key}' is no list`,
        'A saved configuration has lists of fabric_modules, storage_objects and targets.',
      );
    return value;
  };
  return {
    ...saved,
    fabric_modules: list('fabric_modules'),
    storage_objects: list('storage_objects'),
    targets: list('targets'),
  };
}

export const isRaw = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const rawOf = (value: unknown): Raw => (isRaw(value) ? value : {});
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
/** Keys of `raw` that are not in `known`. */
export const others = (raw: Raw, known: readonly string[]): Raw =>
  Object.fromEntries(Object.entries(raw).filter(([key]) => !known.includes(key)));
