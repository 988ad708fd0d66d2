/**
 * The eight bytes of a logical unit number (SAM-5 4.7), single level:
 *
 *   peripheral  00bbbbbb nn        0 to 255; behind bus bb, as LIO and libiscsi write it, 0 to 16383
 *   flat        01nnnnnn nn        0 to 16383
 *   extended    d2 nn nn nn        flat, 24 bits
 */

const peripheralMax = 0xff;
const flatMax = 0x3fff;
const extendedFlat = 0xd2;

/** The number in an eight-byte LUN, or -1 when it is none that we could have. */
export function decodeLun(bytes: Uint8Array): number {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0, b6 = 0, b7 = 0] = bytes;
  if ((b4 | b5 | b6 | b7) !== 0) return -1;
  if (b0 === extendedFlat) return (b1 << 16) | (b2 << 8) | b3;
  if ((b2 | b3) !== 0) return -1;
  return b0 < 0x80 ? ((b0 & 0x3f) << 8) | b1 : -1;
}

/** Writes `number` (0 to 2^24-1) as the eight bytes at `into[at]`, in the shortest form that holds it. */
export function encodeLun(number: number, into: Uint8Array, at: number): void {
  into.fill(0, at, at + 8);
  if (number > flatMax) into.set([extendedFlat, number >> 16, (number >> 8) & 0xff, number & 0xff], at);
  else into.set([number > peripheralMax ? 0x40 | (number >> 8) : 0, number & 0xff], at);
}
