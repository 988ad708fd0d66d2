/** FORMAT UNIT and SANITIZE: the whole medium overwritten in pieces, other commands kept away meanwhile (SBC-4 4.11). */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { mediumOf } from './block-access.ts';
import type { StorageObject } from './logical-unit.ts';
import {
  isSameMedium,
  isSanitize,
  type MediumMethod,
  type MediumWork,
  mediumWork,
  mediumWorkName,
  overwriteCountMax,
  senseOfWork,
} from './medium-work.ts';
import { bit, bits, type OpcodeRow, opcode, u16 } from './opcode.ts';
import { good, parameterList } from './parameter-data.ts';
import { offersUnmap, offersWriteSameUnmap } from './provisioning.ts';
import { rangeLocks } from './range-locks.ts';
import { notReady } from './readiness.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
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
      if (cdb['exit'] === 1 && failedSanitize(lu)?.exit === false) throw invalidCdb(1, 5);
      rest.check?.(lu, cdb);
    },
  });

const sanitizeOptions = (cdb: Readonly<Record<string, number>>) => ({
  immediate: cdb['immediate'] === 1,
  exit: cdb['exit'] === 1,
});

function failedSanitize(lu: StorageObject): MediumWork | undefined {
  const { work } = mediumWork.of(lu);
  return work?.failed && isSanitize(work) ? work : undefined;
}

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
      start(lu, task, { does: 'format' }, { immediate: cdb.hasList === 1 && checkFormatList(task), exit: false }),
  }),
  sanitize(0x01, 'OVERWRITE', '5.30.2.2', {
    check: (lu, cdb) => {
      const length = cdb['length']!;
      if (length <= overwriteHeaderBytes || length > overwriteHeaderBytes + lu.blockSize) throw invalidCdb(7, 7);
    },
    dataOut: (_lu, cdb) => cdb['length']!,
    execute: (lu, cdb, task) => start(lu, task, overwriteList(task), sanitizeOptions(cdb)),
  }),
  sanitize(0x02, 'BLOCK ERASE', '5.30.2.3', {
    offered: offersBlockErase,
    execute: (lu, cdb, task) => start(lu, task, { does: 'block erase' }, sanitizeOptions(cdb)),
  }),
  sanitize(0x1f, 'EXIT FAILURE MODE', '5.30.2.5', {
    medium: 'none',
    execute: async (lu) => {
      const failed = failedSanitize(lu);
      if (failed?.exit === false) throw invalidCdb(1, 4);
      if (failed) await put(lu, undefined);
      return good;
    },
  }),
];

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

/** OVERWRITE COUNT, INVERT and the pattern (SBC-4 5.30.2.2). */
function overwriteList(task: Task): MediumMethod {
  const list = parameterList(task.dataOut, task.dataOutLength);
  const count = list[0]! & overwriteCountMax;
  const length = list.readUInt16BE(2);
  if ((list[0]! & 0x60) !== 0) throw invalidParameter(0, 6); // TEST
  if (count === 0) throw invalidParameter(0, 4);
  if (length === 0 || length !== list.length - overwriteHeaderBytes) throw invalidParameter(2);
  const pattern = list.toString('hex', overwriteHeaderBytes);
  return { does: 'overwrite', count, invert: (list[0]! & 0x80) !== 0, pattern };
}

/** The complement of the pattern alternates with it where INVERT says so, and the last pass leaves the pattern. */
function overwritePasses(
  { blockSize }: StorageObject,
  { count, invert, pattern }: MediumWork & { does: 'overwrite' },
): Pass[] {
  const block = Buffer.alloc(blockSize, pattern, 'hex');
  const inverse = block.map((byte) => ~byte);
  return Array.from({ length: count }, (_, i) => {
    const piece = Buffer.alloc(overwriteBytes, invert && (count - i) % 2 === 0 ? inverse : block);
    return {
      pieceBytes: overwriteBytes,
      run: (volume, position, bytes) => volume.write(piece.subarray(0, bytes), position, false),
    };
  });
}

const erasePass: Pass = {
  pieceBytes: eraseBytes,
  async run(volume, position, length) {
    // Asked again, for what goes on with a volume that was opened anew.
    if (!volume.discard || volume.discardLeavesAnything) throw new Error('a discard does not erase');
    await volume.discard(position, length);
  },
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

const passesOf = (lu: StorageObject, work: MediumWork): readonly Pass[] =>
  work.does === 'overwrite' ? overwritePasses(lu, work) : [work.does === 'format' ? zeroPass(lu) : erasePass];

/** The work goes on whatever becomes of the task: resets and lost nexuses do not stop it (SBC-4 4.11.2). */
async function start(
  lu: StorageObject,
  task: Task,
  method: MediumMethod,
  { immediate, exit }: { immediate: boolean; exit: boolean },
): Promise<Completion> {
  const work = { ...method, exit, failed: false, medium: lu.config };
  const begun = put(lu, work);
  if (!immediate) {
    const left = new Promise<Completion>((resolve) => {
      task.leave = () => resolve({ status: status.taskAborted });
    });
    return Promise.race([begun.then(() => perform(lu, work)), left]);
  }
  await begun;
  // GOOD goes out first; every command that needs the medium hears of a failure.
  perform(lu, work).catch(() => {});
  return good;
}

/**
 * Goes on, from the beginning, with what was going on when the medium was left. For who has opened the volume.
 * @returns whether there is something to go on with
 */
export async function resume(lu: StorageObject): Promise<boolean> {
  const { config } = lu;
  const { work } = mediumWork.of(lu);
  if (work && !isSameMedium(work.medium, config)) {
    mediumWork.set(lu, { work: undefined });
    // Failing, it is kept for when the medium comes back; this one is not touched.
    await lu.keep?.(mediumWorkName, undefined).catch(() => {});
    return false;
  }
  if (!work || work.failed) return false;
  perform(lu, work).catch(() => {});
  return true;
}

/** What is true of the medium from now on, and kept: others are kept away before, and get at it after. */
async function put(lu: StorageObject, work: MediumWork | undefined): Promise<void> {
  const before = mediumWork.of(lu).work;
  if (work) mediumWork.set(lu, { work, progress: { total: 1, done: 0 } });
  try {
    await lu.keep?.(mediumWorkName, work);
  } catch {
    mediumWork.set(lu, { work: before });
    throw new CheckCondition(sense.internalTargetFailure);
  }
  mediumWork.set(lu, { work });
}

async function perform(lu: StorageObject, work: MediumWork): Promise<Completion> {
  const volume = mediumOf(lu);
  try {
    await overwrite(lu, volume, passesOf(lu, work));
    await put(lu, undefined);
    return good;
  } catch {
    // Its volume was closed under it: who opens it again goes on.
    if (lu.volume !== volume) throw notReady(lu) ?? new CheckCondition(sense.logicalUnitNotReady);
    const failed = { ...work, failed: true };
    await lu.keep?.(mediumWorkName, failed).catch(() => {});
    if (mediumWork.of(lu).work === work) mediumWork.set(lu, { work: failed });
    throw new CheckCondition(senseOfWork(failed));
  }
}

async function overwrite(lu: StorageObject, volume: Volume, passes: readonly Pass[]): Promise<void> {
  const progress = { total: Math.max(1, volume.size * passes.length), done: 0 };
  mediumWork.set(lu, { progress });
  const checkOpen = () => {
    if (lu.volume !== volume) throw new Error('the volume was closed');
  };
  await rangeLocks.of(lu).during(0, volume.size, true, async () => {
    for (const { pieceBytes, run } of passes) {
      for (let at = 0; at < volume.size; at += pieceBytes) {
        const length = Math.min(pieceBytes, volume.size - at);
        // A volume in memory is done at once: others shall have their turn.
        await breathe();
        checkOpen();
        await run(volume, at, length);
        progress.done += length;
      }
      await volume.flush();
      checkOpen();
    }
  });
}
