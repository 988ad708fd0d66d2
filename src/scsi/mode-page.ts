/** What a mode page is: one record (SPC-4 7.5). */

import type { StorageObject } from './logical-unit.ts';

export interface ModePage {
  readonly code: number;
  /** Absent: the page itself, in page_0 format (SPC-4 7.5.7). */
  readonly subpage?: number;
  readonly name: string;
  readonly spec: string;
  readonly offered?: (lu: StorageObject) => boolean;
  /** The page's bytes after its header of two bytes, or four with a subpage, as they are now. */
  current(lu: StorageObject): Uint8Array;
  /** Fields that MODE SELECT can change. */
  readonly changeable: readonly Changeable[];
  /** The field that does not go with the others, in bytes that are right each by itself. */
  wrong?(bytes: Uint8Array): { readonly byte: number; readonly bit: number } | undefined;
}

/** One field that initiators can change: bits of `byte` (counted as in `current`), which start at bit 0 or are one. */
interface Changeable {
  readonly byte: number;
  readonly mask: number;
  readonly offered?: (lu: StorageObject) => boolean;
  /** The values that there are; absent: all. */
  readonly only?: readonly number[];
  /** As it is before anybody changes it; absent: 0. */
  initial?(lu: StorageObject): number;
  set(lu: StorageObject, value: number): void | Promise<void>;
}

/** Bits that are set where `value` says so. */
export const flagOf = (value: boolean | number, bits: number): number => (value ? bits : 0);
