/** FORMAT UNIT and SANITIZE: the whole medium overwritten in pieces, other commands kept away meanwhile (SBC-4 4.11). */

import { setImmediate as breathe } from 'node:timers/promises';
import type { Volume } from '../backstore/backstore.ts';
import { bit, bits, counting, decode, record, u8, u16, u32 } from '../wire/layout.ts';
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
import { type Cdb, type Opcode, type OpcodeRow, opcode, serviceActionOf } from './opcode.ts';
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

const sanitizeFields = { immediate: bit(1, 0x80), exit: bit(1, 0x20), length: u16(7) };

/** A service action of SANITIZE. CRYPTOGRAPHIC ERASE is not there: no medium here is encrypted by its target. */
const sanitize = (
  serviceAction: number,
  name: string,
  clause: string,
  rest: Partial<Opcode<typeof sanitizeFields>> & Pick<Opcode<typeof sanitizeFields>, 'execute'>,
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
      if (!rest.check && cdb.length !== 0) throw invalidCdb(sanitizeFields.length);
      // Only a SANITIZE in the restricted completion mode gets out of one that failed in it (SBC-4 4.11.1).
      if (cdb.exit && failedSanitize(lu)?.exit === false) throw invalidCdb(sanitizeFields.exit);
      rest.check?.(lu, cdb);
    },
  });

const wholeMedium = (lu: StorageObject): number => lu.blocks * lu.blockSize;

const sanitizeOptions = ({ immediate, exit }: Cdb<typeof sanitizeFields>) => ({ immediate, exit });

function failedSanitize(lu: StorageObject): MediumWork | undefined {
  const { work } = mediumWork.of(lu);
  return work?.failed && isSanitize(work) ? work : undefined;
}

/** FORMAT UNIT and SANITIZE. */
export const formatSanitizeOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x04,
    name: 'FORMAT UNIT',
    spec: 'SBC-4 5.4',
    cdb: { longList: bit(1, 0x20), hasList: bit(1, 0x10) },
    // CMPLST and DEFECT LIST FORMAT: the only defect list taken is an empty one.
    ignores: [bit(1, 0x08), bits(1, 0x07)],
    medium: 'write',
    whenReserved: 'conflicts',
    mends: [sense.formatCommandFailed],
    limited: wholeMedium,
    dataOut: (_lu, cdb) => (!cdb.hasList ? 0 : (cdb.longList ? longFormatList : shortFormatList).length),
    execute: (lu, cdb, task) =>
      start(lu, task, { does: 'format' }, { immediate: cdb.hasList && checkFormatList(task), exit: false }),
  }),
  sanitize(0x01, 'OVERWRITE', '5.30.2.2', {
    check: (lu, cdb) => {
      const length = cdb.length;
      if (length <= overwriteHeader.length || length > overwriteHeader.length + lu.blockSize)
        throw invalidCdb(sanitizeFields.length);
    },
    dataOut: (_lu, cdb) => cdb.length,
    limited: wholeMedium,
    execute: (lu, cdb, task) => start(lu, task, overwriteList(task), sanitizeOptions(cdb)),
  }),
  sanitize(0x02, 'BLOCK ERASE', '5.30.2.3', {
    offered: offersBlockErase,
    limited: wholeMedium,
    execute: (lu, cdb, task) => start(lu, task, { does: 'block erase' }, sanitizeOptions(cdb)),
  }),
  sanitize(0x1f, 'EXIT FAILURE MODE', '5.30.2.5', {
    medium: 'none',
    execute: async (lu) => {
      const failed = failedSanitize(lu);
      if (failed?.exit === false) throw invalidCdb(serviceActionOf(0x48));
      if (failed) await put(lu, undefined);
      return good;
    },
  }),
];

/** Parameter list headers, short and long (SBC-4 5.4.2); what follows is an empty list of defects. */
const formatOptions = {
  protectionFieldsUsage: bits(0, 0x07),
  optionsValid: bit(1, 0x80), // FOV
  /** DPRY, DCRT, STPF, IP, obsolete: options of formats that nothing here does. */
  options: bits(1, 0x7c),
  initializationPattern: bit(1, 0x08), // IP
  immediate: bit(1, 0x02),
};
const { initializationPattern, ...apart } = formatOptions;
const shortFormatList = record(4, { ...apart, defectListLength: u16(2) });
const longFormatList = record(8, { ...apart, protectionInformation: u8(3), defectListLength: u32(4) });

/** No protection, no defects, no initialization pattern. @returns IMMED */
function checkFormatList(task: Task): boolean {
  const bytes = parameterList(task.dataOut, task.dataOutLength);
  const layout = bytes.length === longFormatList.length ? longFormatList : shortFormatList;
  const { fields } = layout;
  const list = decode<typeof shortFormatList.fields>(layout, bytes);
  if (list.protectionFieldsUsage !== 0) throw invalidParameter(fields.protectionFieldsUsage);
  if (initializationPattern.get(bytes, 0)) throw invalidParameter(initializationPattern);
  if (!list.optionsValid && list.options !== 0) throw invalidParameter(fields.options);
  const { protectionInformation } = longFormatList.fields;
  if (layout === longFormatList && protectionInformation.get(bytes, 0) !== 0)
    throw invalidParameter(protectionInformation);
  if (list.defectListLength !== 0) throw invalidParameter(fields.defectListLength);
  return list.immediate;
}

/** OVERWRITE's parameter list (SBC-4 5.30.2.2); the pattern follows. */
const overwriteHeader = record(4, {
  invert: bit(0, 0x80),
  test: bits(0, 0x60),
  count: bits(0, overwriteCountMax),
  patternLength: counting(u16(2)),
});

function overwriteList(task: Task): MediumMethod {
  const bytes = parameterList(task.dataOut, task.dataOutLength);
  const { fields } = overwriteHeader;
  const { invert, test, count, patternLength } = decode(overwriteHeader, bytes);
  if (test !== 0) throw invalidParameter(fields.test);
  if (count === 0) throw invalidParameter(fields.count);
  if (patternLength === 0 || patternLength !== bytes.length - overwriteHeader.length)
    throw invalidParameter(fields.patternLength);
  return { does: 'overwrite', count, invert, pattern: bytes.toString('hex', overwriteHeader.length) };
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
export async function resumeWork(lu: StorageObject): Promise<boolean> {
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

/** Keeps the state of the medium from now on: other commands are kept away before, and get at it after. */
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
    // The volume was closed during the work: the loop that opens it again goes on.
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
