/** The commands that every device type has (SPC-4), one record each. */

import { bit, counting, encode, record, u8, u32 } from '../wire/layout.ts';
import { aluaOpcodes } from './alua.ts';
import { bufferOpcodes } from './buffer.ts';
import { diagnosticOpcodes } from './diagnostic.ts';
import { extendedCopyOpcodes } from './extended-copy.ts';
import { inquiry } from './inquiry.ts';
import { logOpcodes } from './log-page.ts';
import { encodeLun } from './lun.ts';
import { modeOpcodes } from './mode-commands.ts';

import { type OpcodeRow, opcode } from './opcode.ts';
import { allocated, good } from './parameter-data.ts';
import { pollable } from './readiness.ts';
import { reservationOpcodes } from './reservation-commands.ts';
import { CheckCondition, encodeSense, invalidCdb, sense } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { timestampOpcodes } from './timestamp.ts';
import { clearReportedLuns, clearUnitAttention, pendingUnitAttention } from './unit-attention.ts';

const reportLunsCdb = { select: u8(2), allocation: u32(6) };

/** The commands of every device type. */
export const spcOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x00,
    name: 'TEST UNIT READY',
    spec: 'SPC-4 6.47',
    cdb: {},
    medium: 'read',
    whenReserved: 'allowed',
    asksState: true,
    execute: () => good,
  }),
  opcode({
    code: 0x03,
    name: 'REQUEST SENSE',
    spec: 'SPC-4 6.39',
    cdb: { descriptor: bit(1, 0x01), allocation: u8(4) },
    answeredHere: true,
    medium: 'none',
    whenReserved: 'always',
    ignoresUnitAttention: true,
    duringMediumOperation: true,
    runsIn: 'any',
    absent: (_task, cdb) => requestSense(new CheckCondition(sense.logicalUnitNotSupported), cdb),
    execute: (lu, cdb, { nexus }) => {
      const condition = pendingUnitAttention(nexus, lu);
      if (!condition) return requestSense(pollable(lu), cdb);
      clearUnitAttention(nexus, lu);
      return requestSense(new CheckCondition(condition), cdb);
    },
  }),
  inquiry,
  ...modeOpcodes,
  ...reservationOpcodes,
  ...aluaOpcodes,
  ...extendedCopyOpcodes,
  ...logOpcodes,
  ...diagnosticOpcodes,
  ...bufferOpcodes,
  ...timestampOpcodes,
  opcode({
    code: 0xa0,
    name: 'REPORT LUNS',
    spec: 'SPC-4 6.33',
    cdb: reportLunsCdb,
    answeredHere: true,
    medium: 'none',
    whenReserved: 'always',
    ignoresUnitAttention: true,
    duringMediumOperation: true,
    runsIn: 'any',
    absent: reportLuns,
    execute: (_lu, cdb, task) => reportLuns(task, cdb),
  }),
];

function requestSense(what: CheckCondition, cdb: { descriptor: boolean; allocation: number }): Completion {
  return allocated(encodeSense(what.sense, cdb.descriptor, what.detail), cdb.allocation);
}

/** SELECT REPORT (SPC-4 6.33): which logical units; this target has neither well known nor subsidiary ones. */
const selectReports: Readonly<Record<number, 'all' | 'none'>> = {
  0: 'all',
  1: 'none', // well known logical units
  2: 'all',
  16: 'none', // administrative logical units
  17: 'all',
  18: 'none', // subsidiary logical units
};

/** SPC-4 6.33.2: LUNs follow. */
const lunList = record(8, { length: counting(u32(0), 8) });

function reportLuns(task: Task, cdb: { select: number; allocation: number }): Completion {
  const selected = selectReports[cdb.select];
  if (!selected) throw invalidCdb(reportLunsCdb.select);
  const luns = selected === 'all' ? task.nexus.luns() : [];
  clearReportedLuns(task.nexus);
  return allocated(encode(lunList, {}, ...luns.map(encodeLun)), cdb.allocation);
}
