/** A figure of RFC 7143 11 as a row of a table: the bytes of a header, written by hand, and what they mean. */

import type { Pdu } from '../../../../src/iscsi/pdu.ts';
import type { Fields, Values } from '../../../../src/wire/layout.ts';

export interface Figure {
  readonly name: string;
  readonly clause: string;
  readonly header: string;
  readonly pdu: Pdu<Fields>;
  readonly values: Readonly<Record<string, unknown>>;
}

export const hex = (text: string): string => text.replace(/\s+/g, '');
export const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(hex(text), 'hex'));

// No two fields of a header have a byte in common, so that none can be taken for another.
export const lun = bytes('00 0a 0b 0c 0d 0e 0f 10');
export const tag = 0x11121314;
/** Bytes 4 to 7 of every figure: TotalAHSLength, and DataSegmentLength in three bytes. */
export const lengths = { totalAhsLength: 2, dataSegmentLength: 0x030405 };

/** @param clause of RFC 7143 @param header its 48 bytes, four lines of 12 @param values what the figure says that they mean */
export function figure<F extends Fields>(
  clause: string,
  pdu: Pdu<F>,
  header: string,
  values: Omit<Values<Pdu<F>['fields']>, 'opcode' | 'totalAhsLength' | 'dataSegmentLength'>,
): Figure {
  return { clause, name: pdu.name, pdu: pdu as unknown as Pdu<Fields>, header, values };
}
