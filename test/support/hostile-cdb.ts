/** CDBs and parameter lists as bytes, written by hand after the standards' figures: no layout of ours has a part in them. */

import type { StorageObject } from '../../src/scsi/logical-unit.ts';
import { be } from './logical-unit.ts';

export interface HostileCommand {
  readonly name: string;
  readonly cdb: readonly number[];
  readonly list: readonly number[];
  /** Where the CDB says how long the list is. */
  readonly length?: readonly [byte: number, bytes: number];
  /** Lengths at which a part of the list is a list, too. */
  readonly whole?: readonly number[];
  /** Commands that come before it, each with its list. */
  readonly before?: readonly (readonly [cdb: readonly number[], list: readonly number[]])[];
}

export const bytesOf = (hex: string): number[] => [...Buffer.from(hex.replace(/ /g, ''), 'hex')];

const block = Array.from({ length: 512 }, (_, i) => (i * 11 + 5) & 0xff);
const zeros = new Array<number>(512).fill(0);

/** Without data-out. */
const plain = [
  ...['00 00 00 00 00 00', '01 00 00 00 00 00', '03 00 00 00 fc 00', '08 00 00 01 01 00', '0b 00 00 05 00 00'],
  ...['12 00 00 00 ff 00', '12 01 83 00 ff 00', '1a 00 3f 00 ff 00', '1b 00 00 00 01 00', '1c 01 00 00 ff 00'],
  ...['1d 04 00 00 00 00', '1e 00 00 00 01 00', '16 00 00 00 00 00', '17 00 00 00 00 00', '04 00 00 00 00 00'],
  ...['25 00 00 00 00 00 00 00 00 00', '28 00 00 00 00 04 00 00 02 00', '2b 00 00 00 00 04 00 00 00 00'],
  ...['2f 00 00 00 00 04 00 00 02 00', '34 00 00 00 00 04 00 00 02 00', '35 00 00 00 00 04 00 00 02 00'],
  ...['37 00 18 00 00 00 00 00 ff 00', '3c 02 00 00 00 00 00 02 00 00', '4d 00 4d 00 00 00 00 00 ff 00'],
  ...['56 00 00 00 00 00 00 00 00 00', '57 00 00 00 00 00 00 00 00 00', '5a 00 3f ff 00 00 00 04 00 00'],
  ...['5e 00 00 00 00 00 00 00 ff 00', '5e 03 00 00 00 00 00 00 ff 00', '48 02 00 00 00 00 00 00 00 00'],
  ...['48 1f 00 00 00 00 00 00 00 00', '84 03 00 00 00 00 00 00 00 00 00 00 00 ff 00 00'],
  ...['88 00 00 00 00 00 00 00 00 04 00 00 00 02 00 00'],
  ...['8f 00 00 00 00 00 00 00 00 04 00 00 00 02 00 00', '90 00 00 00 00 00 00 00 00 04 00 00 00 02 00 00'],
  ...['91 00 00 00 00 00 00 00 00 04 00 00 00 02 00 00', '9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00'],
  ...['9e 12 00 00 00 00 00 00 00 00 00 00 00 ff 00 00', 'a0 00 00 00 00 00 00 00 00 ff 00 00'],
  ...['a3 0a 00 00 00 00 00 00 00 ff 00 00', 'a3 0c 00 00 00 00 00 00 ff ff 00 00'],
  ...['a3 0c 02 9e 00 10 00 00 00 ff 00 00', 'a3 0d 80 00 00 00 00 00 00 ff 00 00'],
  ...['a3 0f 00 00 00 00 00 00 00 ff 00 00', 'a8 00 00 00 00 04 00 00 00 02 00 00'],
  ...['af 00 00 00 00 04 00 00 00 02 00 00', 'b7 18 00 00 00 00 00 00 00 ff 00 00'],
  '7f 00 00 00 00 00 00 18 00 09 00 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00 02',
  '7f 00 00 00 00 00 00 18 00 0a 00 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00 02',
].map((cdb) => ({ name: cdb.slice(0, 5), cdb: bytesOf(cdb), list: [] }));

/** With blocks. */
const blocks = [
  ['WRITE(6)', '0a 00 00 01 01 00', block],
  ['WRITE(10)', '2a 00 00 00 00 04 00 00 01 00', block],
  ['WRITE(12)', 'aa 00 00 00 00 04 00 00 00 01 00 00', block],
  ['WRITE(16)', '8a 00 00 00 00 00 00 00 00 04 00 00 00 01 00 00', block],
  [
    'WRITE(32)',
    '7f 00 00 00 00 00 00 18 00 0b 00 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00 01',
    block,
  ],
  ['WRITE AND VERIFY(10)', '2e 02 00 00 00 04 00 00 01 00', block],
  ['WRITE AND VERIFY(12)', 'ae 00 00 00 00 04 00 00 00 01 00 00', block],
  ['WRITE AND VERIFY(16)', '8e 02 00 00 00 00 00 00 00 04 00 00 00 01 00 00', block],
  [
    'WRITE AND VERIFY(32)',
    '7f 00 00 00 00 00 00 18 00 0c 02 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00 01',
    block,
  ],
  ['VERIFY(10), compared', '2f 02 00 00 00 04 00 00 01 00', block],
  ['VERIFY(16), compared', '8f 06 00 00 00 00 00 00 00 04 00 00 00 01 00 00', block],
  ['WRITE SAME(10)', '41 00 00 00 00 04 00 00 02 00', block],
  ['WRITE SAME(16)', '93 08 00 00 00 00 00 00 00 04 00 00 00 02 00 00', zeros],
  [
    'WRITE SAME(32)',
    '7f 00 00 00 00 00 00 18 00 0d 00 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00 02',
    block,
  ],
  ['COMPARE AND WRITE', '89 00 00 00 00 00 00 00 00 04 00 00 00 01 00 00', [...block, ...block]],
  ['ORWRITE(16)', '8b 00 00 00 00 00 00 00 00 04 00 00 00 01 00 00', block],
  ['WRITE ATOMIC(16)', '9c 00 00 00 00 00 00 00 00 04 00 00 00 01 00 00', block],
].map(([name, cdb, list]) => ({ name: name as string, cdb: bytesOf(cdb as string), list: list as number[] }));

/** Reservation key, service action reservation key, SPEC_I_PT and its like. */
const keys = (key: number, action: number, flags = 0) => [...be(key, 8), ...be(action, 8), 0, 0, 0, 0, flags, 0, 0, 0];
const transportId = [0x45, 0, ...be(44, 2), ...Buffer.from('iqn.2026-01.com.example:b,i,0x00023d000001'), 0, 0];
const reserveOut = (action: number, type: number, list: readonly number[]) => ({
  cdb: [0x5f, action, type, 0, 0, ...be(list.length, 4), 0],
  list,
  length: [5, 4] as const,
});
const register = [reserveOut(0, 0, keys(0, 7)).cdb, keys(0, 7)] as const;
const reserve = [reserveOut(1, 1, keys(7, 0)).cdb, keys(7, 0)] as const;
const moveList = [...be(7, 8), ...be(9, 8), 0, 0, ...be(1, 2), ...be(transportId.length, 4), ...transportId];

const copyCdb = (list: readonly number[]) => [0x83, 0, ...be(0, 8), ...be(list.length, 4), 0, 0];

/** With a parameter list, or after one. @param lu whose NAA the copies go by @param pages mode pages as MODE SENSE(10) gives them, whole */
const lists = (lu: StorageObject, pages: readonly (readonly number[])[]): HostileCommand[] => {
  const target = [0xe4, 0, 0, 0, 1, 3, 0, 16, ...Buffer.from(lu.naa, 'hex'), ...be(0, 5), ...be(512, 3)];
  const copy = (segment: readonly number[]) => [
    ...[1, 0, ...be(target.length, 2), 0, 0, 0, 0, ...be(segment.length, 4), 0, 0, 0, 0],
    ...target,
    ...segment,
  ];
  const copies = {
    '02h': copy([0x02, 2, 0, 24, 0, 0, 0, 0, 0, 0, ...be(2, 2), ...be(4, 8), ...be(10, 8)]),
    '0Ah': copy([0x0a, 0, 0, 28, 0, 0, 0, 0, ...be(513, 4), ...be(4, 8), ...be(10, 8), 0, 5, 0, 7]),
  };
  const unmap = [0, 22, 0, 16, 0, 0, 0, 0, ...be(4, 8), ...be(2, 4), 0, 0, 0, 0];
  const filled = new Array<number>(16).fill(7);
  return [
    ...pages.map((page) => ({
      name: `MODE SELECT(10) of page ${page[0]! & 0x3f}`,
      cdb: [0x55, 0x10, 0, 0, 0, 0, 0, ...be(8 + page.length, 2), 0],
      list: [0, 0, 0, 0, 0, 0, 0, 0, page[0]! & 0x7f, ...page.slice(1)],
      length: [7, 2] as const,
      whole: [8],
    })),
    ...pages.map((page) => ({
      name: `MODE SELECT(6) of page ${page[0]! & 0x3f}`,
      cdb: [0x15, 0x10, 0, 0, 12 + page.length, 0],
      list: [0, 0, 0, 8, 0, 0, 0, 0, 0, ...be(512, 3), page[0]! & 0x7f, ...page.slice(1)],
      length: [4, 1] as const,
      whole: [12],
    })),
    { name: 'UNMAP', cdb: bytesOf('42 00 00 00 00 00 00 00 18 00'), list: unmap, length: [7, 2] },
    { name: 'REGISTER', ...reserveOut(0, 0, keys(0, 7)) },
    {
      name: 'REGISTER with SPEC_I_PT',
      ...reserveOut(0, 0, [...keys(0, 7, 8), ...be(transportId.length, 4), ...transportId]),
    },
    { name: 'REGISTER AND IGNORE EXISTING KEY', ...reserveOut(6, 0, keys(0, 7)) },
    { name: 'RESERVE', ...reserveOut(1, 1, keys(7, 0)), before: [register] },
    { name: 'RELEASE', ...reserveOut(2, 1, keys(7, 0)), before: [register, reserve] },
    { name: 'CLEAR', ...reserveOut(3, 0, keys(7, 0)), before: [register, reserve] },
    { name: 'PREEMPT', ...reserveOut(4, 1, keys(7, 7)), before: [register, reserve] },
    { name: 'PREEMPT AND ABORT', ...reserveOut(5, 1, keys(7, 7)), before: [register, reserve] },
    { name: 'REGISTER AND MOVE', ...reserveOut(7, 0, moveList), before: [register, reserve] },
    ...Object.entries(copies).map(([name, list]) => ({
      name: `EXTENDED COPY, ${name}`,
      cdb: copyCdb(list),
      list,
      length: [10, 4] as const,
    })),
    {
      name: 'RECEIVE COPY RESULTS of a copy',
      cdb: bytesOf('84 00 01 00 00 00 00 00 00 00 00 00 00 ff 00 00'),
      list: [],
      before: [[copyCdb(copies['02h']), copies['02h']]],
    },
    {
      name: 'SET TARGET PORT GROUPS',
      cdb: bytesOf('a4 0a 00 00 00 00 00 00 00 08 00 00'),
      list: [0, 0, 0, 0, 1, 0, 0, 0],
      length: [6, 4],
      whole: [4],
    },
    {
      name: 'SET TIMESTAMP',
      cdb: bytesOf('a4 0f 00 00 00 00 00 00 00 0c 00 00'),
      list: [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0],
      length: [6, 4],
    },
    { name: 'FORMAT UNIT, short header', cdb: bytesOf('04 10 00 00 00 00'), list: [0, 0, 0, 0] },
    { name: 'FORMAT UNIT, long header', cdb: bytesOf('04 30 00 00 00 00'), list: new Array(8).fill(0) },
    {
      name: 'SANITIZE OVERWRITE',
      cdb: bytesOf('48 01 00 00 00 00 00 00 08 00'),
      list: [1, 0, 0, 4, 1, 2, 3, 4],
      length: [7, 2],
    },
    {
      name: 'WRITE BUFFER',
      cdb: bytesOf('3b 02 00 00 00 00 00 00 10 00'),
      list: filled,
      length: [6, 3],
      whole: filled.map((_, i) => i),
    },
    {
      name: 'WRITE BUFFER, echo',
      cdb: bytesOf('3b 0a 00 00 00 00 00 00 10 00'),
      list: filled,
      length: [6, 3],
      whole: filled.map((_, i) => i),
    },
    { name: 'SEND DIAGNOSTIC', cdb: bytesOf('1d 10 00 00 04 00'), list: [0, 0, 0, 0], length: [3, 2] },
  ];
};

/** A command of every kind, each of which would run. */
export const hostileCommands = (lu: StorageObject, pages: readonly (readonly number[])[]): HostileCommand[] => [
  ...plain,
  ...blocks,
  ...lists(lu, pages),
];
