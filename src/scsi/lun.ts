/** The eight bytes of a logical unit number, single level (SAM-5 4.7), and the numbers that they stand for. */

import { bits, encode, lower, record, u8, u16, u24, u32 } from '../wire/layout.ts';

/** ADDRESS METHOD, with LENGTH and EXTENDED ADDRESS METHOD where it is an extended one. */
const methods = { peripheral: 0, flat: 1, extendedFlat: 0xd2 } as const;

/** Peripheral, whose upper bits are a bus as LIO and libiscsi write it, and flat: 14 bits both. */
const single = record(8, { method: bits(0, 0xc0), number: lower(14, u16(0)), second: u16(2), rest: u32(4) });
const extended = record(8, { method: u8(0), number: u24(1), rest: u32(4) });

/** Numbers that the shorter forms hold. */
const peripheralMax = 0xff;
const flatMax = 0x3fff;

/** The number in an eight-byte LUN, or -1 when it is none that we could have. */
export function decodeLun(bytes: Uint8Array): number {
  const { method, number, second, rest } = single.fields;
  if (rest.get(bytes, 0) !== 0) return -1;
  if (extended.fields.method.get(bytes, 0) === methods.extendedFlat) return extended.fields.number.get(bytes, 0);
  if (second.get(bytes, 0) !== 0 || method.get(bytes, 0) > methods.flat) return -1;
  return number.get(bytes, 0);
}

/** The number in a LUN of the peripheral method, given as its two halves; -1: it has another method, which `decodeLun` knows. */
export const peripheralLun = (high: number, low: number): number =>
  low === 0 && (high & 0xff00ffff) === 0 ? high >>> 16 : -1;

/** A number (0 to 2^24-1) as a LUN, in the shortest form that holds it. */
export function encodeLun(number: number): Buffer {
  if (number > flatMax) return encode(extended, { method: methods.extendedFlat, number });
  return encode(single, { method: number > peripheralMax ? methods.flat : methods.peripheral, number });
}
