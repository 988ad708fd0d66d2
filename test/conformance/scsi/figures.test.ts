/**
 * CDBs, sense data and LUNs as the tables of SPC-4, SBC-3, SBC-4 and SAM-5 draw them, in bytes that were written by hand, beside what
 * the opcode table reads in them: a field that a row puts in a wrong place is found here.
 * Not tested here: what a command does, and the pages that it answers with (identity.test.ts has their bytes).
 */

import { describe, expect, it } from 'vitest';
import { decodeLun, encodeLun } from '../../../src/scsi/lun.ts';
import { decodeCdb } from '../../../src/scsi/opcode.ts';
import { lookUp, opcodes } from '../../../src/scsi/opcode-table.ts';
import { encodeSense, sense } from '../../../src/scsi/sense.ts';

const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s+/g, ''), 'hex'));

/** A command, its CDB byte by byte, and the fields that its table in the standard finds there. */
const cdbs: [name: string, cdb: string, fields: Record<string, number | boolean>][] = [
  ['REQUEST SENSE', '03 01 00 00 fc 00', { descriptor: true, allocation: 0xfc }],
  ['FORMAT UNIT', '04 20 00 00 00 00', { longList: true, hasList: false }],
  ['FORMAT UNIT', '04 10 00 00 00 00', { longList: false, hasList: true }],
  ['READ(6)', '08 12 34 56 78 00', { lba: 0x123456, blocks: 0x78 }],
  ['READ(6)', '08 00 00 01 00 00', { lba: 1, blocks: 256 }],
  ['WRITE(6)', '0a 12 34 56 78 00', { lba: 0x123456, blocks: 0x78 }],
  ['SEEK(6)', '0b 12 34 56 00 00', { lba: 0x123456 }],
  ['INQUIRY', '12 01 83 01 02 00', { evpd: true, page: 0x83, allocation: 0x0102 }],
  ['MODE SELECT(6)', '15 10 00 00 2c 00', { length: 0x2c }],
  ['MODE SENSE(6)', '1a 08 8a 01 fc 00', { dbd: true, control: 2, page: 0x0a, subpage: 1, allocation: 0xfc }],
  [
    'START STOP UNIT',
    '1b 01 00 0a 32 00',
    { immediate: true, modifier: 10, condition: 3, noFlush: false, eject: true, start: false },
  ],
  [
    'START STOP UNIT',
    '1b 00 00 00 05 00',
    { immediate: false, modifier: 0, condition: 0, noFlush: true, eject: false, start: true },
  ],
  ['RECEIVE DIAGNOSTIC RESULTS', '1c 01 3f 01 02 00', { pageCodeValid: true, page: 0x3f, allocation: 0x0102 }],
  ['SEND DIAGNOSTIC', '1d a4 00 01 02 00', { code: 5, selfTest: true, length: 0x0102 }],
  ['PREVENT ALLOW MEDIUM REMOVAL', '1e 00 00 00 02 00', { prevent: 2 }],
  ['READ CAPACITY(10)', '25 00 01 02 03 04 00 00 01 00', { lba: 0x01020304, pmi: true }],
  ['READ(10)', '28 00 01 02 03 04 00 05 06 00', { lba: 0x01020304, blocks: 0x0506 }],
  ['WRITE(10)', '2a 08 01 02 03 04 00 05 06 00', { lba: 0x01020304, blocks: 0x0506, fua: true }],
  ['SEEK(10)', '2b 00 01 02 03 04 00 00 00 00', { lba: 0x01020304 }],
  ['WRITE AND VERIFY(10)', '2e 04 01 02 03 04 00 05 06 00', { lba: 0x01020304, blocks: 0x0506, bytchk: 2 }],
  ['VERIFY(10)', '2f 04 01 02 03 04 00 05 06 00', { lba: 0x01020304, blocks: 0x0506, bytchk: 2 }],
  ['PRE-FETCH(10)', '34 02 01 02 03 04 00 05 06 00', { lba: 0x01020304, blocks: 0x0506 }],
  ['SYNCHRONIZE CACHE(10)', '35 02 01 02 03 04 00 05 06 00', { lba: 0x01020304, blocks: 0x0506, immediate: true }],
  ['READ DEFECT DATA(10)', '37 00 15 00 00 00 00 01 02 00', { lists: 2, format: 5, allocation: 0x0102 }],
  ['WRITE BUFFER', '3b 02 03 04 05 06 07 08 09 00', { mode: 2, id: 3, offset: 0x040506, length: 0x070809 }],
  ['READ BUFFER(10)', '3c 02 03 04 05 06 07 08 09 00', { mode: 2, id: 3, offset: 0x040506, length: 0x070809 }],
  ['WRITE SAME(10)', '41 08 01 02 03 04 00 05 06 00', { lba: 0x01020304, blocks: 0x0506, unmap: true }],
  ['UNMAP', '42 00 00 00 00 00 00 01 02 00', { length: 0x0102 }],
  ['SANITIZE OVERWRITE', '48 81 00 00 00 00 00 01 02 00', { immediate: true, exit: false, length: 0x0102 }],
  ['SANITIZE BLOCK ERASE', '48 22 00 00 00 00 00 00 00 00', { immediate: false, exit: true, length: 0 }],
  ['SANITIZE EXIT FAILURE MODE', '48 9f 00 00 00 00 00 00 00 00', { immediate: true, exit: false, length: 0 }],
  [
    'LOG SENSE',
    '4d 00 4c 01 00 02 03 04 05 00',
    { control: 1, page: 0x0c, subpage: 1, pointer: 0x0203, allocation: 0x0405 },
  ],
  ['MODE SELECT(10)', '55 10 00 00 00 00 00 01 02 00', { length: 0x0102 }],
  [
    'MODE SENSE(10)',
    '5a 10 8a 01 00 00 00 02 03 00',
    { longLba: true, dbd: false, control: 2, page: 0x0a, subpage: 1, allocation: 0x0203 },
  ],
  ['PERSISTENT RESERVE IN READ KEYS', '5e 00 00 00 00 00 00 01 02 00', { allocation: 0x0102 }],
  ['PERSISTENT RESERVE IN READ RESERVATION', '5e 01 00 00 00 00 00 01 02 00', { allocation: 0x0102 }],
  ['PERSISTENT RESERVE IN REPORT CAPABILITIES', '5e 02 00 00 00 00 00 01 02 00', { allocation: 0x0102 }],
  ['PERSISTENT RESERVE IN READ FULL STATUS', '5e 03 00 00 00 00 00 01 02 00', { allocation: 0x0102 }],
  ['PERSISTENT RESERVE OUT REGISTER', '5f 00 00 00 00 01 02 03 04 00', { length: 0x01020304 }],
  ['PERSISTENT RESERVE OUT RESERVE', '5f 01 35 00 00 01 02 03 04 00', { scope: 3, type: 5, length: 0x01020304 }],
  ['PERSISTENT RESERVE OUT RELEASE', '5f 02 35 00 00 01 02 03 04 00', { scope: 3, type: 5, length: 0x01020304 }],
  ['PERSISTENT RESERVE OUT CLEAR', '5f 03 00 00 00 01 02 03 04 00', { length: 0x01020304 }],
  ['PERSISTENT RESERVE OUT PREEMPT', '5f 04 35 00 00 01 02 03 04 00', { scope: 3, type: 5, length: 0x01020304 }],
  [
    'PERSISTENT RESERVE OUT PREEMPT AND ABORT',
    '5f 05 35 00 00 01 02 03 04 00',
    { scope: 3, type: 5, length: 0x01020304 },
  ],
  ['PERSISTENT RESERVE OUT REGISTER AND IGNORE EXISTING KEY', '5f 06 00 00 00 01 02 03 04 00', { length: 0x01020304 }],
  ['PERSISTENT RESERVE OUT REGISTER AND MOVE', '5f 07 00 00 00 01 02 03 04 00', { length: 0x01020304 }],
  ['EXTENDED COPY(LID1)', '83 00 00 00 00 00 00 00 00 00 01 02 03 04 00 00', { length: 0x01020304 }],
  [
    'RECEIVE COPY RESULTS(LID1) COPY STATUS',
    '84 00 07 00 00 00 00 00 00 00 01 02 03 04 00 00',
    { listIdentifier: 7, allocation: 0x01020304 },
  ],
  [
    'RECEIVE COPY RESULTS(LID1) OPERATING PARAMETERS',
    '84 03 07 00 00 00 00 00 00 00 01 02 03 04 00 00',
    { listIdentifier: 7, allocation: 0x01020304 },
  ],
  ['READ(16)', '88 00 00 00 01 02 03 04 05 06 07 08 09 0a 00 00', { lba: 0x010203040506, blocks: 0x0708090a }],
  [
    'COMPARE AND WRITE',
    '89 08 00 00 01 02 03 04 05 06 00 00 00 07 00 00',
    { lba: 0x010203040506, blocks: 7, fua: true },
  ],
  [
    'WRITE(16)',
    '8a 08 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, blocks: 0x0708090a, fua: true },
  ],
  [
    'ORWRITE(16)',
    '8b 08 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, blocks: 0x0708090a, fua: true },
  ],
  [
    'WRITE AND VERIFY(16)',
    '8e 04 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, blocks: 0x0708090a, bytchk: 2 },
  ],
  [
    'VERIFY(16)',
    '8f 04 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, blocks: 0x0708090a, bytchk: 2 },
  ],
  ['PRE-FETCH(16)', '90 02 00 00 01 02 03 04 05 06 07 08 09 0a 00 00', { lba: 0x010203040506, blocks: 0x0708090a }],
  [
    'SYNCHRONIZE CACHE(16)',
    '91 02 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, blocks: 0x0708090a, immediate: true },
  ],
  [
    'WRITE SAME(16)',
    '93 08 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, blocks: 0x0708090a, unmap: true, ndob: false },
  ],
  [
    'WRITE SAME(16)',
    '93 01 00 00 00 00 00 00 00 01 00 00 00 02 00 00',
    { lba: 1, blocks: 2, unmap: false, ndob: true },
  ],
  [
    'WRITE ATOMIC(16)',
    '9c 08 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, boundary: 0x0708, blocks: 0x090a, fua: true },
  ],
  [
    'READ CAPACITY(16)',
    '9e 10 00 00 01 02 03 04 05 06 07 08 09 0a 01 00',
    { lba: 0x010203040506, allocation: 0x0708090a, pmi: true },
  ],
  [
    'GET LBA STATUS',
    '9e 12 00 00 01 02 03 04 05 06 07 08 09 0a 00 00',
    { lba: 0x010203040506, allocation: 0x0708090a },
  ],
  [
    'READ(32)',
    '7f 00 00 00 00 00 00 18 00 09 00 00 00 00 01 02 03 04 05 06 00 00 00 00 00 00 00 00 07 08 09 0a',
    { lba: 0x010203040506, blocks: 0x0708090a },
  ],
  [
    'VERIFY(32)',
    '7f 00 00 00 00 00 00 18 00 0a 04 00 00 00 01 02 03 04 05 06 00 00 00 00 00 00 00 00 07 08 09 0a',
    { lba: 0x010203040506, blocks: 0x0708090a, bytchk: 2 },
  ],
  [
    'WRITE(32)',
    '7f 00 00 00 00 00 00 18 00 0b 08 00 00 00 01 02 03 04 05 06 00 00 00 00 00 00 00 00 07 08 09 0a',
    { lba: 0x010203040506, blocks: 0x0708090a, fua: true },
  ],
  [
    'WRITE AND VERIFY(32)',
    '7f 00 00 00 00 00 00 18 00 0c 04 00 00 00 01 02 03 04 05 06 00 00 00 00 00 00 00 00 07 08 09 0a',
    { lba: 0x010203040506, blocks: 0x0708090a, bytchk: 2 },
  ],
  [
    'WRITE SAME(32)',
    '7f 00 00 00 00 00 00 18 00 0d 08 00 00 00 01 02 03 04 05 06 00 00 00 00 00 00 00 00 07 08 09 0a',
    { lba: 0x010203040506, blocks: 0x0708090a, unmap: true, ndob: false },
  ],
  ['REPORT LUNS', 'a0 00 02 00 00 00 01 02 03 04 00 00', { select: 2, allocation: 0x01020304 }],
  ['REPORT TARGET PORT GROUPS', 'a3 2a 00 00 00 00 01 02 03 04 00 00', { format: 1, allocation: 0x01020304 }],
  [
    'REPORT SUPPORTED OPERATION CODES',
    'a3 0c 83 9e 00 10 01 02 03 04 00 00',
    { timeouts: true, reporting: 3, code: 0x9e, serviceAction: 0x0010, allocation: 0x01020304 },
  ],
  [
    'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS',
    'a3 0d 80 00 00 00 01 02 03 04 00 00',
    { extended: true, allocation: 0x01020304 },
  ],
  ['REPORT TIMESTAMP', 'a3 0f 00 00 00 00 01 02 03 04 00 00', { allocation: 0x01020304 }],
  ['SET TARGET PORT GROUPS', 'a4 0a 00 00 00 00 01 02 03 04 00 00', { length: 0x01020304 }],
  ['SET TIMESTAMP', 'a4 0f 00 00 00 00 01 02 03 04 00 00', { length: 0x01020304 }],
  ['READ(12)', 'a8 00 01 02 03 04 05 06 07 08 00 00', { lba: 0x01020304, blocks: 0x05060708 }],
  ['WRITE(12)', 'aa 08 01 02 03 04 05 06 07 08 00 00', { lba: 0x01020304, blocks: 0x05060708, fua: true }],
  ['WRITE AND VERIFY(12)', 'ae 04 01 02 03 04 05 06 07 08 00 00', { lba: 0x01020304, blocks: 0x05060708, bytchk: 2 }],
  ['VERIFY(12)', 'af 04 01 02 03 04 05 06 07 08 00 00', { lba: 0x01020304, blocks: 0x05060708, bytchk: 2 }],
  [
    'READ DEFECT DATA(12)',
    'b7 15 01 02 03 04 05 06 07 08 00 00',
    { lists: 2, format: 5, index: 0x01020304, allocation: 0x05060708 },
  ],
];

describe('CDBs', () => {
  it.each(cdbs)('%s: %s has its fields where the standard draws them', (name, text, fields) => {
    const cdb = bytes(text);
    const row = lookUp(cdb)!;
    expect([row.name, row.cdbLength]).toEqual([name, cdb.length]);
    expect(decodeCdb(row, cdb)).toEqual(fields);
  });

  it('every command that has fields is drawn here', () => {
    const drawn = new Set(cdbs.map(([name]) => name));
    const rows = opcodes.filter(({ cdb, name }) => Object.keys(cdb).length > 0 && !drawn.has(name));
    expect(rows.map(({ name }) => name)).toEqual([]);
  });
});

describe('sense data', () => {
  it.each([
    [
      'SPC-4 4.5.3: fixed, with INFORMATION and VALID',
      encodeSense(sense.unrecoveredReadError, false, { information: 0x01020304 }),
      'f0 00 03 01 02 03 04 0a 00 00 00 00 11 00 00 00 00 00',
    ],
    [
      'SPC-4 4.5.2.4.2: fixed, with a pointer to bit 5 of byte 0102h of the CDB',
      encodeSense(sense.invalidFieldInCdb, false, { field: { in: 'cdb', byte: 0x0102, bit: 5 } }),
      '70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cd 01 02',
    ],
    [
      'SPC-4 4.5.2.4.2: fixed, with a pointer to a whole byte of the parameter list',
      encodeSense(sense.invalidFieldInParameterList, false, { field: { in: 'parameter list', byte: 7 } }),
      '70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 07',
    ],
    [
      'SPC-4 4.5.2.4.4: fixed, half of a format done',
      encodeSense(sense.formatInProgress, false, { progress: 0.5 }),
      '70 00 02 00 00 00 00 0a 00 00 00 00 04 04 00 80 80 00',
    ],
    [
      'SPC-4 4.5.2.2, 4.5.2.4: descriptors, with INFORMATION and a pointer',
      encodeSense(sense.invalidFieldInCdb, true, {
        information: 0x010203040506,
        field: { in: 'cdb', byte: 2, bit: 7 },
      }),
      '72 05 24 00 00 00 00 14 00 0a 80 00 00 00 01 02 03 04 05 06 02 06 00 00 cf 00 02 00',
    ],
  ])('%s', (_name, encoded, text) => {
    expect(Buffer.from(encoded).toString('hex')).toBe(text.replaceAll(' ', ''));
  });
});

describe('logical unit numbers', () => {
  it.each([
    ['SAM-5 4.7: peripheral device addressing', 0x12, '00 12 00 00 00 00 00 00'],
    ['SAM-5 4.7: flat space addressing', 0x1234, '52 34 00 00 00 00 00 00'],
    ['SAM-5 4.7: extended flat space addressing', 0x123456, 'd2 12 34 56 00 00 00 00'],
  ])('%s', (_name, number, text) => {
    expect([encodeLun(number).toString('hex'), decodeLun(bytes(text))]).toEqual([text.replaceAll(' ', ''), number]);
  });
});
