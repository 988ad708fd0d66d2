/** The commands that run beside a persistent reservation of another nexus: the standards' tables, an opcode each. */

import { expect, test } from 'vitest';
import { admitTask, retireTask } from '../../../src/scsi/device-server.ts';
import { opcodes } from '../../../src/scsi/opcode-table.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';
import { cdbOf } from '../../support/cdb.ts';
import { logicalUnit, ScsiInitiator } from '../../support/logical-unit.ts';

/**
 * SPC-4 5.12.1, SBC-3 table 13. Columns: any nexus under Write Exclusive and under Exclusive Access; a registered nexus
 * under the registrants only and all registrants types; one that is not registered under those of Write Exclusive and of
 * Exclusive Access. A: allowed, C: conflict. What PERSISTENT RESERVE OUT, RESERVE and RELEASE may do is theirs to say.
 */
const table = `
AAAAA INQUIRY; LOG SENSE; PERSISTENT RESERVE IN; PERSISTENT RESERVE OUT; PREVENT ALLOW MEDIUM REMOVAL; READ CAPACITY(10)
AAAAA READ CAPACITY(16); RELEASE(6); RELEASE(10); REPORT LUNS; REPORT TARGET PORT GROUPS; REPORT TIMESTAMP
AAAAA RECEIVE COPY RESULTS(LID1); REQUEST SENSE; START STOP UNIT start; TEST UNIT READY
ACAAC GET LBA STATUS; MODE SENSE(6); MODE SENSE(10); PRE-FETCH(10); PRE-FETCH(16); READ(6); READ(10); READ(12); READ(16); READ(32)
ACAAC READ BUFFER(10); READ DEFECT DATA(10); READ DEFECT DATA(12)
ACAAC RECEIVE DIAGNOSTIC RESULTS; REPORT SUPPORTED OPERATION CODES; REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS
ACAAC VERIFY(10); VERIFY(12); VERIFY(16); VERIFY(32)
CCACC COMPARE AND WRITE; EXTENDED COPY(LID1); FORMAT UNIT; MODE SELECT(6); MODE SELECT(10); ORWRITE(16)
CCACC PREVENT ALLOW MEDIUM REMOVAL prevent; RESERVE(6); RESERVE(10); REZERO UNIT; SANITIZE; SEEK(6); SEEK(10); SEND DIAGNOSTIC; SET TARGET PORT GROUPS
CCACC SET TIMESTAMP; START STOP UNIT; SYNCHRONIZE CACHE(10); SYNCHRONIZE CACHE(16); UNMAP; WRITE(6); WRITE(10)
CCACC WRITE(12); WRITE(16); WRITE AND VERIFY(10); WRITE AND VERIFY(12); WRITE AND VERIFY(16); WRITE ATOMIC(16)
CCACC WRITE AND VERIFY(32); WRITE BUFFER; WRITE SAME(10); WRITE SAME(16); WRITE SAME(32); WRITE(32)`;

const expected = new Map(
  table
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [columns = '', names = ''] = line.split(/ (.*)/);
      return names.split('; ').map((name) => [name, columns] as const);
    }),
);

/** Service actions that stand in one row; and CDBs that stand in another row than their opcode. */
const merged = ['PERSISTENT RESERVE IN', 'PERSISTENT RESERVE OUT', 'RECEIVE COPY RESULTS(LID1)', 'SANITIZE'];
const variants = [
  { name: 'START STOP UNIT start', cdb: [0x1b, 0, 0, 0, 0x01] },
  { name: 'PREVENT ALLOW MEDIUM REMOVAL prevent', cdb: [0x1e, 0, 0, 0, 0x01] },
];
const cases = [
  ...opcodes.map((row) => ({
    name: merged.find((one) => row.name.startsWith(one)) ?? row.name,
    cdb: cdbOf(row),
  })),
  ...variants,
];

const scenarios = [
  { type: 1, registered: true },
  { type: 3, registered: true },
  { type: 6, registered: true },
  { type: 5, registered: false },
  { type: 8, registered: false },
];

test('SPC-4 5.12.1 every opcode stands in the tables once, and nothing else does', () => {
  expect([...new Set(cases.map(({ name }) => name))].sort()).toEqual([...expected.keys()].sort());
});

test.each(cases)('SPC-4 5.12.1 $name $cdb', ({ name, cdb }) => {
  const { lu } = logicalUnit({ attributes: { emulate_tpu: 1, emulate_tpws: 1 } });
  Object.assign(lu.volume!, { atomicWriteBytesMax: 1 << 20 });
  const other = new ScsiInitiator(lu, 'other').login();
  const registration = (initiator: string) => ({ initiator, port: 1, key: '1'.padStart(16, '0') });
  const holder = registration('iqn.2026-01.com.example:holder,i,0x00023d000001');
  const answers = scenarios.map(({ type, registered }) => {
    const registrations = [holder, ...(registered ? [registration(other.nexus.initiatorPortName)] : [])];
    reservations.set(lu, {
      persistent: {
        generation: 0,
        aptpl: false,
        registrations,
        reservation: { type, holder: type >= 7 ? null : holder },
      },
    });
    const task = other.task(cdb);
    const refused = admitTask(task)?.status === 0x18;
    retireTask(task);
    return refused ? 'C' : 'A';
  });
  expect(answers.join('')).toBe(expected.get(name));
});
