/** Log pages, one record each, and LOG SENSE (SPC-4 6.8, 7.3; SBC-3 6.4). What is not measured is left out. */

import { bit, bits, counting, encode, exact64, record, u8, u16, u32, u64 } from '../wire/layout.ts';
import { mediumOf } from './block-access.ts';
import { predictsFailure } from './informational-exceptions.ts';
import type { StorageObject } from './logical-unit.ts';
import { type Cdb, type OpcodeRow, opcode } from './opcode.ts';
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
  readonly parameters: (lu: StorageObject) => LogParameters | Promise<LogParameters>;
}

type LogParameter = readonly [code: number, value: Uint8Array];
type LogParameters = readonly LogParameter[];

/** SPC-4 7.3.2: log parameters follow. */
const pageHeader = record(4, {
  ds: bit(0, 0x80),
  spf: bit(0, 0x40),
  code: bits(0, 0x3f),
  subpage: u8(1),
  length: counting(u16(2)),
});
/** A log parameter; its value follows. */
const parameterHeader = record(4, { code: u16(0), formatAndLinking: bits(2, 0x03), length: counting(u8(3)) });
/** FORMAT AND LINKING: a binary list. */
const binaryList = 3;

/** SBC-3 6.4.4 */
const resource = record(8, { count: u32(0), scope: bits(4, 0x03) });
const scope = { own: 1, shared: 2 } as const;
/** SPC-4 7.3.21 */
const temperature = record(2, { temperature: u8(1) });
/** There is no sensor. */
const noTemperature = 0xff;
/** SPC-4 7.3.18 */
const cycles = record(4, { count: u32(0) });
/** SPC-4 7.3.17 */
const selfTest = record(16, {
  code: bits(0, 0xe0),
  result: bits(0, 0x0f),
  firstFailure: exact64(4),
  key: bits(12, 0x0f),
  asc: u8(13),
  ascq: u8(14),
});
const noFailure = 0xffff_ffff_ffff_ffffn;
/** SPC-4 7.3.8; processing intervals follow, which are not measured. */
const performance = record(64, {
  readCommands: u64(0),
  writeCommands: u64(8),
  blocksWritten: u64(16),
  blocksRead: u64(24),
});
/** SPC-4 7.3.11 */
const exceptions = record(4, { asc: u8(0), ascq: u8(1), temperature: u8(2) });

/** A count as a field of 32 bits has it: at most all ones. */
const saturated = (count: number): number => Math.min(count, 0xffffffff);

/** Every log page there is but the list of them, ascending. */
export const logPages: readonly LogPage[] = [
  {
    code: 0x0c,
    name: 'Logical Block Provisioning',
    spec: 'SBC-3 6.4.4',
    offered: offersThresholds,
    parameters: async (lu) => {
      const { allocated, available } = await mediumOf(lu).space!();
      const count = (bytes: number, round: (sets: number) => number) => saturated(round(bytes / thresholdSetBytes));
      // Used LBA Mapping Resource Count.
      const used: LogParameter = [0x0002, encode(resource, { count: count(allocated, Math.ceil), scope: scope.own })];
      if (available === undefined) return [used];
      // Available LBA Mapping Resource Count; whoever else writes to the same medium takes of it.
      return [[0x0001, encode(resource, { count: count(available, Math.floor), scope: scope.shared })], used];
    },
  },
  {
    code: 0x0d,
    name: 'Temperature',
    spec: 'SPC-4 7.3.21',
    parameters: () => [[0x0000, encode(temperature, { temperature: noTemperature })]],
  },
  {
    code: 0x0e,
    name: 'Start-Stop Cycle Counter',
    spec: 'SPC-4 7.3.17',
    parameters: (lu) => [
      [0x0004, encode(cycles, { count: saturated(statistics.of(lu).startStopCycles) })],
      [0x0006, encode(cycles, { count: saturated(statistics.of(lu).loadCycles) })],
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
      const whole = Math.floor;
      const counts = {
        readCommands,
        writeCommands,
        blocksRead: whole(blocksRead),
        blocksWritten: whole(blocksWritten),
      };
      return [[0x0001, encode(performance, counts)]];
    },
  },
  {
    code: 0x2f,
    name: 'Informational Exceptions',
    spec: 'SPC-4 7.3.8',
    parameters: (lu) => {
      const { asc, ascq } = predictsFailure(lu) ? pollable(lu).sense : sense.noAdditionalSense;
      return [[0x0000, encode(exceptions, { asc, ascq, temperature: noTemperature })]];
    },
  },
];

/** A Self-Test Results parameter: zeros where no test was made. */
function selfTestResult(test: SelfTest | undefined): Uint8Array {
  if (!test) return encode(selfTest, {});
  const { code, result, failedAt } = test;
  const { key, asc, ascq } = failedAt === undefined ? sense.noAdditionalSense : sense.unrecoveredReadError;
  const firstFailure = failedAt === undefined ? noFailure : BigInt(failedAt);
  return encode(selfTest, { code, result, firstFailure, key, asc, ascq });
}

const allSubpages = 0xff;
/** PAGE CONTROL 01b: cumulative values, the only ones there are. */
const cumulative = 1;
const cdb = { control: bits(2, 0xc0), page: bits(2, 0x3f), subpage: u8(3), pointer: u16(5), allocation: u16(7) };

/** LOG SENSE. */
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
  if (!found) throw invalidCdb(cdb.page);
  if (subpage !== 0) throw invalidCdb(cdb.subpage);
  if (control !== cumulative) throw invalidCdb(cdb.control);
  const parameters = (await found.parameters(lu)).filter(([code]) => code >= pointer);
  if (parameters.length === 0) throw invalidCdb(cdb.pointer);
  const body = parameters.map(([code, value]) =>
    encode(parameterHeader, { code, formatAndLinking: binaryList }, value),
  );
  return allocated(withHeader(page, 0, ...body), allocation);
}

/** A page code and subpage code, as the list of all subpages has them. */
const subpageCode = record(2, { code: bits(0, 0x3f), subpage: u8(1) });

/** Supported Log Pages (SPC-4 7.3.18), and with FFh their subpages (7.3.19, 7.3.20). */
function supported(offered: readonly LogPage[], subpage: number): Uint8Array {
  const codes = [0x00, ...offered.map(({ code }) => code)];
  if (subpage === 0) return withHeader(0, 0, Uint8Array.from(codes));
  if (subpage !== allSubpages) throw invalidCdb(cdb.subpage);
  const all = [{ code: 0 }, { code: 0, subpage: allSubpages }, ...codes.slice(1).map((code) => ({ code }))];
  return withHeader(0, subpage, ...all.map((one) => encode(subpageCode, one)));
}

/** DS: nothing is saved; SPF and the subpage, where there is one. */
function withHeader(code: number, subpage: number, ...parameters: Uint8Array[]): Uint8Array {
  return encode(pageHeader, { ds: true, spf: subpage !== 0, code, subpage }, ...parameters);
}
