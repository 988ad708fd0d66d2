/** A mode page: one record, and its bytes (SPC-4 7.5). */

import {
  bit,
  bits,
  bitsOf,
  counting,
  encode,
  encodeInto,
  type Field,
  type Fields,
  type Layout,
  record,
  u8,
  u16,
  type Values,
} from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';

/** A mode page: what its fields are now, and which of them initiators can change. */
export interface ModePage<F extends Fields = Fields> {
  readonly code: number;
  /** Absent: the page itself, in page_0 format (SPC-4 7.5.7). */
  readonly subpage?: number;
  readonly name: string;
  readonly spec: string;
  readonly offered?: (lu: StorageObject) => boolean;
  /** The layout. It counts bytes as the figure in the standard does: with the header of two bytes in front, or four with a subpage. */
  readonly layout: Layout<F>;
  /** The present values; fields that are not named are 0. */
  values(lu: StorageObject): Partial<Values<F>>;
  /** Fields that MODE SELECT can change. */
  readonly changeable: { readonly [K in keyof F]?: Changeable<Values<F>[K]> };
  /** The field that does not go with the others, in values that are right each by itself. */
  wrong?(values: Values<F>): (keyof F & string) | undefined;
}

/** The rules by which initiators can change a field. */
interface Changeable<V> {
  readonly offered?: (lu: StorageObject) => boolean;
  /** The values that there are; absent: all. */
  readonly only?: readonly V[];
  /** The value before anybody changes it; absent: 0. */
  initial?(lu: StorageObject): V;
  set(lu: StorageObject, value: V): void | Promise<void>;
}

/** A mode page with its fields checked. */
export const modePage = <F extends Fields>(page: ModePage<F>): ModePage => page as unknown as ModePage;

/** Page_0 and sub_page format (SPC-4 7.5.7). */
export const pageHeader = record(2, { spf: bit(0, 0x40), code: bits(0, 0x3f), length: counting(u8(1)) });
/** The beginning of a subpage. */
export const subpageHeader = record(4, {
  spf: bit(0, 0x40),
  code: bits(0, 0x3f),
  subpage: u8(1),
  length: counting(u16(2)),
});

/** The header of a page. */
export const headerOf = ({ subpage }: ModePage): typeof pageHeader | typeof subpageHeader =>
  subpage === undefined ? pageHeader : subpageHeader;

function withHeader(page: ModePage, bytes: Uint8Array): Buffer {
  const { code, subpage } = page;
  const body = bytes.subarray(headerOf(page).length);
  return subpage === undefined
    ? encode(pageHeader, { code }, body)
    : encode(subpageHeader, { spf: true, code, subpage }, body);
}

/** The page as it is now. */
export const currentPage = (page: ModePage, lu: StorageObject): Buffer =>
  withHeader(page, encode(page.layout, page.values(lu)));

/** The page as it is before anybody changes it. */
export function initialPage(page: ModePage, lu: StorageObject): Buffer {
  const bytes = currentPage(page, lu);
  const { unset } = page.layout;
  const values = Object.entries(page.changeable).map(([name, field]) => [name, field?.initial?.(lu) ?? unset[name]]);
  encodeInto(page.layout, bytes, 0, Object.fromEntries(values));
  return bytes;
}

/** The page with a 1 for each bit that can be changed. */
export function changeablePage(page: ModePage, lu: StorageObject): Buffer {
  const fields = changesOf(page).filter(([, , { offered }]) => offered?.(lu) ?? true);
  const mask = bitsOf(
    page.layout.length,
    fields.map(([, field]) => field),
  );
  return withHeader(page, mask);
}

/** The fields of a page that can be changed. */
export const changesOf = (page: ModePage): (readonly [name: string, field: Field, change: Changeable<unknown>])[] =>
  Object.entries(page.changeable).flatMap(([name, change]) =>
    change ? [[name, page.layout.fields[name]!, change] as const] : [],
  );
