/** FORMAT UNIT and SANITIZE: the whole medium overwritten in pieces, other commands kept away meanwhile (SBC-4 4.11). */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { mediumOf } from './block-access.ts';
import { bit, bits, type OpcodeRow, opcode, u16 } from './opcode.ts';
import { good, parameterList } from './parameter-data.ts';
import { offersUnmap, offersWriteSameUnmap } from './provisioning.ts';
import type { MediumOperation } from './readiness.ts';
import { CheckCondition, invalidCdb, invalidParameter, type Sense, sense } from './sense.ts';
import type { StorageObject } from './storage-object.ts';
import { type Completion, status, type Task } from './task.ts';

/** Bytes overwritten, zeroed and erased at a time: a closing volume gets a word in between. */
const overwriteBytes = 1024 * 1024;
const zeroBytes = 64 * 1024 * 1024;
const eraseBytes = 1024 * 1024 * 1024;

/** One way over the medium, in pieces of so many bytes. */
interface Pass {
  readonly pieceBytes: number;
  run(volume: Volume, position: number, length: number): Promise<void>;
}

interface Work {
  readonly inProgress: Sense;
  readonly failure: Sense;
  /** AUSE: a failure can be left behind with EXIT FAILURE MODE. */
  readonly exit: boolean;
  readonly passes: readonly Pass[];
}

const isThin = (lu: StorageObject): boolean => offersUnmap(lu) || offersWriteSameUnmap(lu);

/** BLOCK ERASE is deallocation here: offered where that leaves zeros. VPD page B1h says what is read afterwards. */
export const offersBlockErase = (lu: StorageObject): boolean => isThin(lu) && !lu.volume?.discardLeavesAnything;

const sanitizeFields = { immediate: bit(1, 7), exit: bit(1, 5), length: u16(7) };
const overwriteHeaderBytes = 4;

/** A service action of SANITIZE. CRYPTOGRAPHIC ERASE is not there: no medium here is encrypted by its target. */
const sanitize = (
  serviceAction: number,
  name: string,
  clause: string,
  rest: Partial<OpcodeRow> & Pick<OpcodeRow, 'execute'>,
): OpcodeRow =>
  opcode({
    code: 0x48,
    serviceAction,
    name: `SANITIZE ${name}`,
    spec: `SBC-4 ${clause}`,
    cdb: sanitizeFields,
    medium: 'write',
    whenReserved: 'conflicts',
    headOfQueue: true,
    mends: [sense.formatCommandFailed, sense.sanitizeCommandFailed],
    ...rest,
    check: (lu, cdb) => {
      if (!rest.check && cdb['length'] !== 0) throw invalidCdb(7, 7);
      // Only a SANITIZE in the restricted completion mode gets out of one that failed in it (SBC-4 4.11.1).
      if (cdb['exit'] === 1 && sanitizeFailed(lu) && !lu.mediumFailure?.exit) throw invalidCdb(1, 5);
      rest.check?.(lu, cdb);
    },
  });

const sanitizeFailed = (lu: StorageObject): boolean => lu.mediumFailure?.sense === sense.sanitizeCommandFailed;

export const formatSanitizeOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x04,
    name: 'FORMAT UNIT',
    spec: 'SBC-4 5.4',
    cdb: { longList: bit(1, 5), hasList: bit(1, 4) },
    // CMPLST and DEFECT LIST FORMAT: the only defect list taken is an empty one.
    ignores: [bit(1, 3), bits(1, 0, 3)],
    medium: 'write',
    whenReserved: 'conflicts',
    mends: [sense.formatCommandFailed],
    dataOut: (_lu, cdb) => (cdb.hasList === 0 ? 0 : cdb.longList === 1 ? 8 : 4),
    execute: (lu, cdb, task) =>
      start(lu, task, cdb.hasList === 1 && checkFormatList(task), {
        inProgress: sense.formatInProgress,
        failure: sense.formatCommandFailed,
        exit: false,
        passes: [zeroPass(lu)],
      }),
  }),
  sanitize(0x01, 'OVERWRITE', '5.34.2', {
    check: (lu, cdb) => {
      const length = cdb['length']!;
      if (length <= overwriteHeaderBytes || length > overwriteHeaderBytes + lu.blockSize) throw invalidCdb(7, 7);
    },
    dataOut: (_lu, cdb) => cdb['length']!,
    execute: (lu, cdb, task) => start(lu, task, cdb['immediate'] === 1, sanitizing(cdb, overwritePasses(lu, task))),
  }),
  sanitize(0x02, 'BLOCK ERASE', '5.34.3', {
    offered: offersBlockErase,
    execute: (lu, cdb, task) => start(lu, task, cdb['immediate'] === 1, sanitizing(cdb, [erasePass])),
  }),
  sanitize(0x1f, 'EXIT FAILURE MODE', '5.34.5', {
    medium: 'none',
    execute: (lu) => {
      if (!sanitizeFailed(lu)) return good;
      if (!lu.mediumFailure?.exit) throw invalidCdb(1, 4);
      lu.mediumFailure = undefined;
      return good;
    },
  }),
];

const sanitizing = (cdb: Readonly<Record<string, number>>, passes: readonly Pass[]): Work => ({
  inProgress: sense.sanitizeInProgress,
  failure: sense.sanitizeCommandFailed,
  exit: cdb['exit'] === 1,
  passes,
});

/** The parameter list header: no protection, no defects, no initialization pattern (SBC-4 5.4.2). @returns IMMED */
function checkFormatList(task: Task): boolean {
  const list = parameterList(task.dataOut, task.dataOutLength);
  const options = list[1]!;
  if ((list[0]! & 0x07) !== 0) throw invalidParameter(0, 2); // PROTECTION FIELDS USAGE
  if ((options & 0x08) !== 0) throw invalidParameter(1, 3); // IP
  // Without FOV the options behind it are 0.
  if ((options & 0x80) === 0 && (options & 0x7c) !== 0) throw invalidParameter(1, 6);
  const long = list.length === 8;
  if (long && list[3] !== 0) throw invalidParameter(3); // P_I_INFORMATION, PROTECTION INTERVAL EXPONENT
  if ((long ? list.readUInt32BE(4) : list.readUInt16BE(2)) !== 0) throw invalidParameter(long ? 4 : 2);
  return (options & 0x02) !== 0;
}

/**
 * OVERWRITE COUNT passes of a pattern that fills each logical block. With INVERT its complement alternates with it, so
 * that the last pass leaves the pattern.
 */
function overwritePasses(lu: StorageObject, task: Task): Pass[] {
  const list = parameterList(task.dataOut, task.dataOutLength);
  const count = list[0]! & 0x1f;
  const inverts = (list[0]! & 0x80) !== 0;
  const length = list.readUInt16BE(2);
  if ((list[0]! & 0x60) !== 0) throw invalidParameter(0, 6); // TEST
  if (count === 0) throw invalidParameter(0, 4);
  if (length === 0 || length !== list.length - overwriteHeaderBytes) throw invalidParameter(2);
  const pattern = list.subarray(overwriteHeaderBytes);
  const block = Buffer.alloc(lu.blockSize, pattern);
  const inverse = block.map((byte) => ~byte);
  return Array.from({ length: count }, (_, i) => {
    const piece = Buffer.alloc(overwriteBytes, inverts && (count - i) % 2 === 0 ? inverse : block);
    return {
      pieceBytes: overwriteBytes,
      run: (volume, position, bytes) => volume.write(piece.subarray(0, bytes), position, false),
    };
  });
}

const erasePass: Pass = {
  pieceBytes: eraseBytes,
  run: async (volume, position, length) => volume.discard?.(position, length),
};

function zeroPass(lu: StorageObject): Pass {
  if (lu.volume?.writeZeroes)
    return {
      pieceBytes: zeroBytes,
      run: async (volume, position, length) => volume.writeZeroes?.(position, length, isThin(lu)),
    };
  const zeros = Buffer.alloc(overwriteBytes);
  return {
    pieceBytes: overwriteBytes,
    run: (volume, position, length) => volume.write(zeros.subarray(0, length), position, false),
  };
}

/** The work goes on whatever becomes of the task: resets and lost nexuses do not stop it (SBC-4 4.11.2). */
function start(lu: StorageObject, task: Task, immediate: boolean, work: Work): Completion | Promise<Completion> {
  const volume = mediumOf(lu);
  const operation: MediumOperation = {
    inProgress: work.inProgress,
    total: volume.size * work.passes.length,
    done: 0,
  };
  lu.operation = operation;
  lu.mediumFailure = undefined;
  const finished = overwrite(lu, volume, operation, work.passes).then(
    () => {
      lu.operation = undefined;
      return good;
    },
    (error: unknown) => {
      lu.operation = undefined;
      lu.mediumFailure = { sense: work.failure, exit: work.exit };
      throw error;
    },
  );
  if (!immediate) {
    const left = new Promise<Completion>((resolve) => {
      task.leave = () => resolve({ status: status.taskAborted });
    });
    return Promise.race([finished.catch(failing(work)), left]);
  }
  // GOOD goes out first; every command that needs the medium hears of a failure.
  finished.catch(() => {});
  return good;
}

const failing = (work: Work) => (): never => {
  throw new CheckCondition(work.failure);
};

async function overwrite(
  lu: StorageObject,
  volume: Volume,
  operation: MediumOperation,
  passes: readonly Pass[],
): Promise<void> {
  await lu.ranges.during(0, volume.size, true, async () => {
    for (const { pieceBytes, run } of passes) {
      for (let at = 0; at < volume.size; at += pieceBytes) {
        const length = Math.min(pieceBytes, volume.size - at);
        // A volume in memory is done at once: others shall have their turn.
        await breathe();
        await run(volume, at, length);
        operation.done += length;
      }
      await volume.flush();
    }
  });
}
