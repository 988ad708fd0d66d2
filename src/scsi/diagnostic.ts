/** SEND DIAGNOSTIC and RECEIVE DIAGNOSTIC RESULTS: self-tests that read the medium (SPC-4 6.42, 6.28, 5.14). */

import { bit, bits, counting, encode, record, u8, u16 } from '../wire/layout.ts';
import { mediumOf } from './block-access.ts';
import type { StorageObject } from './logical-unit.ts';
import { type Cdb, type OpcodeRow, opcode } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import { type SelfTest, statistics } from './statistics.ts';
import type { Completion, Task } from './task.ts';

/** Bytes read at a time by the extended self-test. */
const pieceBytesMax = 1024 * 1024;
/** SELF-TEST CODE (SPC-4 6.42): those in the foreground, and what they read. */
const foregroundShort = 5;
const foregroundExtended = 6;
/** SELF-TEST RESULTS (SPC-4 7.3.16). */
const result = { completed: 0, aborted: 2, segmentFailed: 7 } as const;

/** A diagnostic page (SPC-4 7.2.1). */
const pageHeader = record(4, { code: u8(0), length: counting(u16(2)) });
/** Supported Diagnostic Pages (SPC-4 7.2.4): itself. */
const supportedPages = encode(pageHeader, { code: 0x00 }, Uint8Array.of(0x00));

const cdb = { code: bits(1, 0xe0), selfTest: bit(1, 0x04), length: u16(3) };
const resultsCdb = { pageCodeValid: bit(1, 0x01), page: u8(2), allocation: u16(3) };

/** SEND DIAGNOSTIC and RECEIVE DIAGNOSTIC RESULTS. */
export const diagnosticOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x1d,
    name: 'SEND DIAGNOSTIC',
    spec: 'SPC-4 6.42',
    cdb,
    // PF; DEVOFFL, UNITOFFL: nothing goes off line.
    ignores: [bit(1, 0x10), bits(1, 0x03)],
    medium: 'read',
    whenReserved: 'conflicts',
    runsIn: 'standby',
    check: (_lu, { code, selfTest, length }) => {
      if (selfTest && code !== 0) throw invalidCdb(cdb.code);
      if (code !== 0 && code !== foregroundShort && code !== foregroundExtended) throw invalidCdb(cdb.code);
      if ((selfTest || code !== 0) && length !== 0) throw invalidCdb(cdb.length);
    },
    dataOut: (_lu, { length }) => length,
    execute: sendDiagnostic,
  }),
  opcode({
    code: 0x1c,
    name: 'RECEIVE DIAGNOSTIC RESULTS',
    spec: 'SPC-4 6.28',
    cdb: resultsCdb,
    medium: 'none',
    whenReserved: 'reads',
    runsIn: 'standby',
    check: (_lu, { pageCodeValid, page }) => {
      if (!pageCodeValid) throw invalidCdb(resultsCdb.pageCodeValid);
      if (page !== 0) throw invalidCdb(resultsCdb.page);
    },
    execute: (_lu, { allocation }) => allocated(supportedPages, allocation),
  }),
];

function sendDiagnostic(
  lu: StorageObject,
  { code, selfTest, length }: Cdb<typeof cdb>,
  task: Task,
): Completion | Promise<Completion> {
  if (selfTest || code !== 0) return test(lu, code, task);
  if (length > 0) checkPage(parameterList(task.dataOut, length));
  return good;
}

/** One diagnostic page, whole (SPC-4 6.42): 00h, which has nothing in it when it is sent (SPC-4 7.2.4). @throws CheckCondition */
function checkPage(list: Buffer): void {
  const { fields } = pageHeader;
  const pageBytes = list.length < pageHeader.length ? Infinity : fields.length.get(list, 0);
  if (list.length < pageHeader.length + pageBytes) throw invalidCdb(cdb.length);
  if (fields.code.get(list, 0) !== 0) throw invalidParameter(fields.code);
  if (pageBytes !== 0) throw invalidParameter(fields.length);
}

/** Reads the first and the last block, or all of them. @throws CheckCondition LOGICAL UNIT FAILED SELF-TEST */
async function test(lu: StorageObject, code: number, task: Task): Promise<Completion> {
  // Code 000b marks a log parameter that holds nothing: the default self-test is not logged.
  const log = (test: Omit<SelfTest, 'code'>) => code !== 0 && statistics.of(lu).tested({ code, ...test });
  const volume = mediumOf(lu);
  const end = lu.blocks * lu.blockSize;
  const ends = [0, Math.max(0, end - lu.blockSize)];
  const extended = code === foregroundExtended;
  const piece = Buffer.allocUnsafe(extended ? Math.min(pieceBytesMax, end) : Math.min(lu.blockSize, end));
  const positions = extended
    ? Array.from({ length: Math.ceil(end / pieceBytesMax) }, (_, i) => i * pieceBytesMax)
    : ends;
  for (const position of positions) {
    if (task.aborted || task.terminated) {
      log({ result: result.aborted });
      return good;
    }
    try {
      await volume.read(piece.subarray(0, Math.min(piece.length, end - position)), position);
    } catch {
      log({ result: result.segmentFailed, failedAt: position / lu.blockSize });
      throw new CheckCondition(sense.failedSelfTest);
    }
  }
  log({ result: result.completed });
  return good;
}
