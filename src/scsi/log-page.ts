/** Log pages, one record each, and LOG SENSE (SPC-4 6.8, 7.3; SBC-3 6.4). What is not measured is left out. */

import { mediumOf } from './block-access.ts';
import { predictsFailure } from './informational-exceptions.ts';
import type { StorageObject } from './logical-unit.ts';
import { bits, type Cdb, type OpcodeRow, opcode, u8, u16 } from './opcode.ts';
import { allocated } from './parameter-data.ts';
import { offersThresholds, thresholdSetBytes } from './provisioning-threshold.ts';
import { pollable } from './readiness.ts';
import { invalidCdb, sense } from './sense.ts';
import { type SelfTest, statistics } from './statistics.ts';
import type { Completion } from './task.ts';

interface LogPage {
  readonly code: number;
  readonly name: string;
  readonly spec: string;
  readonly offered?: (lu: StorageObject) => boolean;
  /** Parameter code → its value's bytes, ascending. */
  readonly parameters: (lu: StorageObject) => Parameters | Promise<Parameters>;
}

type Parameters = readonly (readonly [code: number, value: Uint8Array])[];

/** FORMAT AND LINKING 11b: a binary list. */
const binaryList = 0x03;
/** TEMPERATURE FFh: there is no sensor. */
const noTemperature = 0xff;
const allOnes = 0xffff_ffff_ffff_ffffn;

const u32Bytes = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Math.min(value, 0xffffffff));
  return bytes;
};

const u64Bytes = (...values: number[]): Uint8Array => {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64BE(BigInt(Math.floor(value)), 8 * i);
  return bytes;
};

/** SCOPE of a resource count (SBC-3 6.4.4). */
const scope = { own: 0x01, shared: 0x02 } as const;
const resources = (count: number, of: number) => Buffer.concat([u32Bytes(count), Uint8Array.of(of, 0, 0, 0)]);

/** Every log page there is but the list of them, ascending. */
export const logPages: readonly LogPage[] = [
  {
    code: 0x0c,
    name: 'Logical Block Provisioning',
    spec: 'SBC-3 6.4.4',
    offered: offersThresholds,
    parameters: async (lu) => {
      const { allocated, available } = await mediumOf(lu).space!();
      return [
        // Available LBA Mapping Resource Count; whoever else writes to the same medium takes of it.
        [0x0001, resources(Math.floor(available / thresholdSetBytes), scope.shared)],
        // Used LBA Mapping Resource Count.
        [0x0002, resources(Math.ceil(allocated / thresholdSetBytes), scope.own)],
      ];
    },
  },
  {
    code: 0x0d,
    name: 'Temperature',
    spec: 'SPC-4 7.3.21',
    parameters: () => [[0x0000, Uint8Array.of(0, noTemperature)]],
  },
  {
    code: 0x0e,
    name: 'Start-Stop Cycle Counter',
    spec: 'SPC-4 7.3.17',
    parameters: (lu) => [
      [0x0004, u32Bytes(statistics.of(lu).startStopCycles)],
      [0x0006, u32Bytes(statistics.of(lu).loadCycles)],
    ],
  },
  {
    code: 0x10,
    name: 'Self-Test Results',
    spec: 'SPC-4 7.3.16',
    parameters: (lu) =>
      Array.from({ length: 20 }, (_, i) => [i + 1, selfTestResult(statistics.of(lu).selfTests[i])] as const),
  },
  {
    code: 0x19,
    name: 'General Statistics and Performance',
    spec: 'SPC-4 7.3.6',
    parameters: (lu) => {
      const { readCommands, writeCommands, blocksRead, blocksWritten } = statistics.of(lu);
      // Processing intervals are not measured: 0.
      return [[0x0001, u64Bytes(readCommands, writeCommands, blocksWritten, blocksRead, 0, 0, 0, 0)]];
    },
  },
  {
    code: 0x2f,
    name: 'Informational Exceptions',
    spec: 'SPC-4 7.3.8',
    parameters: (lu) => {
      const { asc, ascq } = predictsFailure(lu) ? pollable(lu).sense : sense.noAdditionalSense;
      return [[0x0000, Uint8Array.of(asc, ascq, noTemperature, 0)]];
    },
  },
];

/** A Self-Test Results parameter: zeros where no test was made. */
function selfTestResult(test: SelfTest | undefined): Uint8Array {
  const bytes = Buffer.alloc(16);
  if (!test) return bytes;
  const { key, asc, ascq } = test.failedAt === undefined ? sense.noAdditionalSense : sense.unrecoveredReadError;
  bytes[0] = (test.code << 5) | test.result;
  bytes.writeBigUInt64BE(test.failedAt === undefined ? allOnes : BigInt(test.failedAt), 4);
  bytes.set([key, asc, ascq], 12);
  return bytes;
}

const allSubpages = 0xff;
/** PAGE CONTROL 01b: cumulative values, the only ones there are. */
const cumulative = 1;
const cdb = { control: bits(2, 6, 2), page: bits(2, 0, 6), subpage: u8(3), pointer: u16(5), allocation: u16(7) };

export const logOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x4d,
    name: 'LOG SENSE',
    spec: 'SPC-4 6.8',
    cdb,
    medium: 'none',
    whenReserved: 'allowed',
    duringMediumOperation: true,
    runsIn: 'standby',
    execute: logSense,
  }),
];

async function logSense(
  lu: StorageObject,
  { control, page, subpage, pointer, allocation }: Cdb<typeof cdb>,
): Promise<Completion> {
  const offered = logPages.filter((one) => one.offered?.(lu) ?? true);
  if (page === 0) return allocated(supported(offered, subpage), allocation);
  const found = offered.find((one) => one.code === page);
  if (!found) throw invalidCdb(2, 5);
  if (subpage !== 0) throw invalidCdb(3, 7);
  if (control !== cumulative) throw invalidCdb(2, 7);
  const parameters = (await found.parameters(lu)).filter(([code]) => code >= pointer);
  if (parameters.length === 0) throw invalidCdb(5, 7);
  const body = parameters.flatMap(([code, value]) => [Uint8Array.of(code >> 8, code, binaryList, value.length), value]);
  return allocated(withHeader(page, 0, Buffer.concat(body)), allocation);
}

/** Supported Log Pages (SPC-4 7.3.18), and with FFh their subpages (7.3.19, 7.3.20). */
function supported(offered: readonly LogPage[], subpage: number): Uint8Array {
  const codes = [0x00, ...offered.map(({ code }) => code)];
  if (subpage === 0) return withHeader(0, 0, Uint8Array.from(codes));
  if (subpage !== allSubpages) throw invalidCdb(3, 7);
  const pairs = [[0x00, 0x00], [0x00, allSubpages], ...codes.slice(1).map((code) => [code, 0x00])];
  return withHeader(0, subpage, Uint8Array.from(pairs.flat()));
}

/** DS: nothing is saved; SPF and the subpage, where there is one. */
function withHeader(page: number, subpage: number, body: Uint8Array): Uint8Array {
  const header = Uint8Array.of(0x80 | (subpage === 0 ? 0 : 0x40) | page, subpage, body.length >> 8, body.length);
  return Buffer.concat([header, body]);
}
