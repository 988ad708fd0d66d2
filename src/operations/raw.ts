/** Values of any type, as a saved file may have them in any place, each read as what it can be. */

import { types } from '../attribute.ts';

/** An object of a saved file, as the file has it. */
export type Raw = Readonly<Record<string, unknown>>;

/** Whether a value is an object with keys, and neither a list nor null. */
export const isRaw = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** The value if it is an object with keys, otherwise an object without any. */
export const rawOf = (value: unknown): Raw => (isRaw(value) ? value : {});

/** Any value as text: even an object whose `toString` is not a function. */
export const textOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);

/** A whole number, also one that was written as text: rtslib takes both for ports, LUNs and tags. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : undefined;
}

/** A truth value, also one that was written as a number or as text; undefined for what is none. */
export function truthOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const number = numberOf(value);
  if (number !== undefined) return number > 0;
  return typeof value === 'string' ? types.bool.parse(value) : undefined;
}

/** Keys of `raw` that are not in `known`. */
export const others = (raw: Raw, known: readonly string[]): Raw =>
  Object.fromEntries(Object.entries(raw).filter(([key]) => !known.includes(key)));
