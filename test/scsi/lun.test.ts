/** LUN addressing: what SAM-5 allows in one level, and that all else is no number. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeLun, encodeLun } from '../../src/scsi/lun.ts';

const decoded = (hex: string) => decodeLun(Buffer.from(hex.padEnd(16, '0'), 'hex'));

test('SAM-5 4.7.5 every number from 0 to 2^24-1 comes back from its eight bytes', () => {
  fc.assert(
    fc.property(fc.nat(0xffffff), (number) => {
      const bytes = encodeLun(number);
      expect([bytes.length, decodeLun(bytes)]).toEqual([8, number]);
    }),
  );
});

test.each([
  ['0007', 7],
  ['4007', 7],
  ['412c', 300],
  // LIO, libiscsi and QEMU write such a LUN with a bus.
  ['012c', 300],
  ['3fff', 16383],
  ['7fff', 16383],
  ['d2010000', 65536],
])('SAM-5 4.7.7 %s is %i', (hex, number) => expect(decoded(hex)).toBe(number));

test.each([
  ['8007', 'logical unit addressing'],
  ['c101', 'a well known logical unit'],
  ['00070001', 'a second level'],
  ['0007000000000001', 'a fourth level'],
  ['ffffffffffffffff', 'no logical unit specified'],
])('SAM-5 4.7 %s (%s) is no number that we have', (hex) => expect(decoded(hex)).toBe(-1));
