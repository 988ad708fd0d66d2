/** What a saved file may hold in any place: values of any type, each taken for what it can be taken for. */

import { types } from '../attribute.ts';

/** An object of a saved file, as it stands there. */
export type Raw = Readonly<Record<string, unknown>>;

/** Whether a value is an object with keys: no list, and not null. */
export const isRaw = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** The value if it is an object with keys, else one without any. */
export const rawOf = (value: unknown): Raw => (isRaw(value) ? value : {});

/** What a value says, whatever it is: an object may have a `toString` that is none. */
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
