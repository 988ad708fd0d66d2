/** REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS: read off the opcode records. */

import type { StorageObject } from './logical-unit.ts';
import { bit, bits, type OpcodeRow, opcode, putField, serviceActionOf, u8, u16, u32, usageFor } from './opcode.ts';
import { allocated } from './parameter-data.ts';
import { invalidCdb } from './sense.ts';

const offersReporting = (lu: StorageObject): boolean => lu.attributes.values.emulate_rsoc === 1;

/** @param all every opcode there is, these included */
export const reportingOpcodes = (all: () => readonly OpcodeRow[]): OpcodeRow[] => [
  opcode({
    code: 0xa3,
    serviceAction: 0x0c,
    name: 'REPORT SUPPORTED OPERATION CODES',
    spec: 'SPC-4 6.35',
    cdb: {
      timeouts: bit(2, 7),
      reporting: bits(2, 0, 3),
      code: u8(3),
      serviceAction: u16(4),
      allocation: u32(6),
    },
    medium: 'none',
    whenReserved: 'reads',
    duringMediumOperation: true,
    runsIn: 'any',
    offered: offersReporting,
    execute: (lu, cdb) => {
      const offered = all().filter((row) => row.offered?.(lu) ?? true);
      const timeouts = cdb.timeouts === 1;
      if (cdb.reporting === 0) return allocated(allCommands(offered, timeouts), cdb.allocation);
      const ofCode = offered.filter((row) => row.code === cdb.code);
      return allocated(oneCommand(lu, ofCode, cdb, timeouts), cdb.allocation);
    },
  }),
  opcode({
    code: 0xa3,
    serviceAction: 0x0d,
    name: 'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS',
    spec: 'SPC-4 6.36',
    cdb: { extended: bit(2, 7), allocation: u32(6) },
    medium: 'none',
    whenReserved: 'reads',
    duringMediumOperation: true,
    runsIn: 'any',
    offered: offersReporting,
    execute: (_lu, cdb) => {
      // ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET, TARGET RESET
      const bytes = cdb.extended === 1 ? [0xda, 0, 0, 12, ...new Array(12).fill(0)] : [0xda, 0, 0, 0];
      return allocated(Uint8Array.from(bytes), cdb.allocation);
    },
  }),
];

/** SPC-4 6.35.2: eight bytes each, or twenty with a timeouts descriptor. */
function allCommands(rows: readonly OpcodeRow[], timeouts: boolean): Uint8Array {
  const each = timeouts ? 20 : 8;
  const bytes = Buffer.alloc(4 + rows.length * each);
  bytes.writeUInt32BE(bytes.length - 4, 0);
  rows.forEach((row, i) => {
    const at = 4 + i * each;
    bytes[at] = row.code;
    bytes.writeUInt16BE(row.serviceAction ?? 0, at + 2);
    bytes[at + 5] = (timeouts ? 2 : 0) | (row.serviceAction === undefined ? 0 : 1);
    bytes.writeUInt16BE(row.cdbLength, at + 6);
    if (timeouts) bytes.writeUInt16BE(noTimeouts.length - 2, at + 8);
  });
  return bytes;
}

/** A command timeouts descriptor that names no time (SPC-4 6.35.4). */
const noTimeouts = new Uint8Array(12).fill(10, 1, 2);

/** SPC-4 6.35.3. REPORTING OPTIONS 001b takes a code without service actions, 010b one with, 011b either. */
function oneCommand(
  lu: StorageObject,
  ofCode: readonly OpcodeRow[],
  { reporting, serviceAction }: { reporting: number; serviceAction: number },
  timeouts: boolean,
): Uint8Array {
  const hasServiceActions = ofCode.some((row) => row.serviceAction !== undefined);
  if (reporting > 3) throw invalidCdb(2, 2);
  if (reporting === 1 && hasServiceActions) throw invalidCdb(2, 2);
  if (reporting === 2 && ofCode.length > 0 && !hasServiceActions) throw invalidCdb(2, 2);
  const row = ofCode.find((one) => (one.serviceAction ?? 0) === (reporting === 1 ? 0 : serviceAction));
  if (!row) return Uint8Array.of(0, 0x01, 0, 0);
  const usage = usageFor(row, lu);
  usage[0] = row.code;
  if (row.serviceAction !== undefined) putField(serviceActionOf(row.code), usage, row.serviceAction);
  return Buffer.concat([
    Uint8Array.of(0, (timeouts ? 0x80 : 0) | 0x03, usage.length >> 8, usage.length),
    usage,
    timeouts ? noTimeouts : new Uint8Array(0),
  ]);
}
