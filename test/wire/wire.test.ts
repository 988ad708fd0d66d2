// Records, serial numbers, text and digests. It does not test what iSCSI says with them.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, slicedCrc32c } from '../../src/wire/crc32c.ts';
import {
  bit,
  bits,
  bitsOf,
  counting,
  decode,
  decodeAll,
  encode,
  encodeInto,
  hex,
  little32,
  lower,
  octets,
  record,
  text,
  u8,
  u16,
  u24,
  u32,
  u48,
  u64,
  zeroMeans,
} from '../../src/wire/layout.ts';
import { advanceSerial, distance } from '../../src/wire/serial.ts';
import { parseText, printText } from '../../src/wire/text.ts';

describe('records', () => {
  const fields = record(45, {
    flag: bit(0, 0x80),
    three: bits(0, 0x70),
    low: bits(0, 0x0f),
    byte: u8(1),
    short: u16(2),
    middle: u24(4),
    long: u32(7),
    bytes: octets(11, 5),
    upper: bits(16, 0xe0),
    part: lower(21, u24(16)),
    six: u48(19),
    eight: u64(25),
    little: little32(33),
    name: text(37, 4),
    digits: hex(41, 3),
    count: zeroMeans(256, u8(44)),
  });

  it('written fields are read, and no neighbour is touched', () => {
    const value = fc.record({
      flag: fc.boolean(),
      three: fc.nat(7),
      low: fc.nat(15),
      byte: fc.nat(255),
      short: fc.nat(0xffff),
      middle: fc.nat(0xffffff),
      long: fc.nat(0xffffffff),
      bytes: fc.uint8Array({ minLength: 5, maxLength: 5 }),
      upper: fc.nat(7),
      part: fc.nat(0x1fffff),
      six: fc.nat({ max: 2 ** 48 - 1 }),
      eight: fc.maxSafeNat(),
      little: fc.nat(0xffffffff),
      name: fc.stringMatching(/^([!-~]{0,4})$/),
      digits: fc.stringMatching(/^[0-9a-f]{6}$/),
      count: fc.integer({ min: 1, max: 256 }),
    });
    fc.assert(
      fc.property(value, value, fc.constantFrom(...Object.keys(fields.fields)), (first, second, name) => {
        const bytes = new Uint8Array(49).fill(0xa5);
        encodeInto(fields, bytes, 2, first);
        encodeInto(fields, bytes, 2, { [name]: second[name as keyof typeof second] });
        expect(decode(fields, bytes, 2)).toEqual({ ...first, [name]: second[name as keyof typeof second] });
        expect([bytes[0], bytes[1], bytes[47], bytes[48]]).toEqual([0xa5, 0xa5, 0xa5, 0xa5]);
      }),
    );
  });

  it('fields that overlap or stick out are a mistake', () => {
    expect(() => record(4, { a: u16(0), b: bit(1, 1) })).toThrow('field b');
    expect(() => record(4, { a: u32(1) })).toThrow('field a');
  });

  it('bytes behind a record are counted by its lengths, from the place of each', () => {
    const list = record(6, {
      all: counting(u16(0), 0),
      behind: counting(u8(2)),
      items: counting(u16(3), 6),
      flag: bit(5, 1),
    });
    const item = record(2, { value: u16(0) });
    const bytes = encode(list, { flag: true }, encode(item, { value: 7 }), encode(item, { value: 0x1234 }));
    expect(bytes.toString('hex')).toBe('000a07000401' + '00071234');
    expect(decodeAll(item, bytes, list.length)).toEqual([{ value: 7 }, { value: 0x1234 }]);
    // An item that is not whole is left out.
    expect(decodeAll(item, bytes.subarray(0, 9), list.length)).toEqual([{ value: 7 }]);
  });

  it('the bits of fields are as the fields own them', () => {
    expect([...bitsOf(5, [bit(0, 0x10), lower(21, u24(1)), bits(4, 0x06)])]).toEqual([0x10, 0x1f, 0xff, 0xff, 0x06]);
  });

  it('octets are copies, also of a Buffer', () => {
    const bytes = Buffer.from([1, 2, 3]);
    const copy = octets(0, 3).get(bytes, 0);
    bytes.fill(9);
    expect([...copy]).toEqual([1, 2, 3]);
  });
});

it('RFC 1982: numbers wrap, and half of the circle is ahead', () => {
  expect([advanceSerial(0xffffffff), advanceSerial(0, -1), distance(0xfffffffe, 3), distance(3, 0xfffffffe)]).toEqual([
    0, 0xffffffff, 5, -5,
  ]);
  expect(distance(0, 0x7fffffff)).toBe(0x7fffffff);
  expect(distance(0, 0x80000000)).toBeLessThan(0);
});

describe('text', () => {
  it('RFC 7143 6.1: pairs there and back', () => {
    const pairs = [
      ['TargetName', 'iqn.x:ü'],
      ['A', ''],
      ['B', 'x=y'],
    ] as const;
    expect(parseText(printText(pairs), 3)).toEqual(pairs);
  });

  it.each([
    ['a', 'not ended'],
    ['a=1\0b\0', 'no key=value'],
    ['=1\0', 'no key=value'],
    ['a b=1\0', 'not text'],
    ['a=\n\0', 'not text'],
    [`${'k'.repeat(64)}=\0`, 'key too long'],
    ['a=1\0b=2\0c=3\0', 'too many pairs'],
  ])('%j: %s', (pairs, fault) => {
    expect(parseText(Buffer.from(pairs), 2)).toBe(fault);
  });

  it('padding of NULs is borne with', () => {
    expect(parseText(Buffer.from('\0a=1\0\0\0'), 1)).toEqual([['a', '1']]);
  });
});

describe('CRC32C', () => {
  // RFC 7143 A.4 (RFC 3720 B.4): the digests of 32 bytes, as they stand on the wire.
  it.each([
    ['zeros', new Uint8Array(32), 'aa36918a'],
    ['ones', new Uint8Array(32).fill(0xff), '43aba862'],
    ['incrementing', Uint8Array.from({ length: 32 }, (_, i) => i), '4e79dd46'],
    ['decrementing', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), '5cdb3f11'],
  ])('RFC 7143 A.4: %s', (_name, bytes, expected) => {
    const digest = Buffer.alloc(4);
    digest.writeUInt32LE(crc32c(bytes, 0, 32));
    expect(digest.toString('hex')).toBe(expected);
  });

  it('both ways of computing agree, whole or in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(3000), fc.nat(20), (bytes, cut, start) => {
        const from = Math.min(start, bytes.length);
        const at = Math.max(from, Math.min(cut, bytes.length));
        const whole = slicedCrc32c(bytes, from, bytes.length);
        expect(crc32c(bytes, from, bytes.length)).toBe(whole);
        expect(crc32c(bytes, at, bytes.length, crc32c(bytes, from, at))).toBe(whole);
      }),
    );
  });
});
