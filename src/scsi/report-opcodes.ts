/** REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS: read off the opcode records. */

import { bit, bits, counting, encode, record, u8, u16, u32 } from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';
import { type Cdb, type OpcodeRow, opcode, putCode, usageFor } from './opcode.ts';
import { allocated } from './parameter-data.ts';
import { invalidCdb } from './sense.ts';

const offersReporting = (lu: StorageObject): boolean => lu.attributes.values.emulate_rsoc === 1;

const cdb = {
  timeouts: bit(2, 0x80),
  reporting: bits(2, 0x07),
  code: u8(3),
  serviceAction: u16(4),
  allocation: u32(6),
};

/** @param all every opcode there is, these included */
export const reportingOpcodes = (all: () => readonly OpcodeRow[]): OpcodeRow[] => [
  opcode({
    code: 0xa3,
    serviceAction: 0x0c,
    name: 'REPORT SUPPORTED OPERATION CODES',
    spec: 'SPC-4 6.35',
    cdb,
    medium: 'none',
    whenReserved: 'reads',
    duringMediumOperation: true,
    runsIn: 'any',
    offered: offersReporting,
    execute: (lu, asked) => {
      const offered = all().filter((row) => row.offered?.(lu) ?? true);
      if (asked.reporting === 0) return allocated(allCommands(offered, asked.timeouts), asked.allocation);
      const ofCode = offered.filter((row) => row.code === asked.code);
      return allocated(oneCommand(lu, ofCode, asked), asked.allocation);
    },
  }),
  opcode({
    code: 0xa3,
    serviceAction: 0x0d,
    name: 'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS',
    spec: 'SPC-4 6.36',
    cdb: { extended: bit(2, 0x80), allocation: u32(6) },
    medium: 'none',
    whenReserved: 'reads',
    duringMediumOperation: true,
    runsIn: 'any',
    offered: offersReporting,
    execute: (_lu, asked) =>
      // The extended form has timeouts, none of which is known.
      allocated(encode(functions, offeredFunctions, new Uint8Array(asked.extended ? 12 : 0)), asked.allocation),
  }),
];

/** SPC-4 6.36.2, 6.36.3. */
const functions = record(4, {
  abortTask: bit(0, 0x80),
  abortTaskSet: bit(0, 0x40),
  clearTaskSet: bit(0, 0x10),
  logicalUnitReset: bit(0, 0x08),
  targetReset: bit(0, 0x02),
  length: counting(u8(3)),
});
const offeredFunctions = {
  ...{ abortTask: true, abortTaskSet: true, clearTaskSet: true },
  ...{ logicalUnitReset: true, targetReset: true },
};

/** SPC-4 6.35.2: descriptors follow. */
const commandsHeader = record(4, { length: counting(u32(0)) });
/** A command timeouts descriptor may follow. */
const commandDescriptor = record(8, {
  code: u8(0),
  serviceAction: u16(2),
  hasTimeouts: bit(5, 0x02), // CTDP
  hasServiceAction: bit(5, 0x01), // SERVACTV
  cdbLength: u16(6),
});
/** A command timeouts descriptor (SPC-4 6.35.4). */
const timeoutsDescriptor = record(12, { length: counting(u16(0)) });
const noTimeouts = encode(timeoutsDescriptor, {});

function allCommands(rows: readonly OpcodeRow[], timeouts: boolean): Uint8Array {
  const descriptors = rows.map(({ code, serviceAction, cdbLength }) =>
    encode(
      commandDescriptor,
      {
        ...{ code, serviceAction: serviceAction ?? 0, cdbLength },
        ...{ hasTimeouts: timeouts, hasServiceAction: serviceAction !== undefined },
      },
      ...(timeouts ? [noTimeouts] : []),
    ),
  );
  return encode(commandsHeader, {}, ...descriptors);
}

/** SPC-4 6.35.3: usage data follows, and maybe a command timeouts descriptor. */
const oneHeader = record(4, { hasTimeouts: bit(1, 0x80), support: bits(1, 0x07), cdbLength: u16(2) });
const support = { none: 1, asTheStandardSays: 3 } as const;

/** SPC-4 6.35.3. REPORTING OPTIONS 001b takes a code without service actions, 010b one with, 011b either. */
function oneCommand(
  lu: StorageObject,
  ofCode: readonly OpcodeRow[],
  { timeouts, reporting, serviceAction }: Cdb<typeof cdb>,
): Uint8Array {
  const hasServiceActions = ofCode.some((row) => row.serviceAction !== undefined);
  if (reporting > 3) throw invalidCdb(cdb.reporting);
  if (reporting === 1 && hasServiceActions) throw invalidCdb(cdb.reporting);
  if (reporting === 2 && ofCode.length > 0 && !hasServiceActions) throw invalidCdb(cdb.reporting);
  const row = ofCode.find((one) => (one.serviceAction ?? 0) === (reporting === 1 ? 0 : serviceAction));
  if (!row) return encode(oneHeader, { support: support.none });
  const usage = usageFor(row, lu);
  putCode(row, usage);
  const header = { hasTimeouts: timeouts, support: support.asTheStandardSays, cdbLength: usage.length };
  return encode(oneHeader, header, usage, ...(timeouts ? [noTimeouts] : []));
}
