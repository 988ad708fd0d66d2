/** The device server: checks a command in the standards' order and runs it. It names no opcode (SAM-5 4.6, SPC-4 5.2). */

import type { MediumError } from '../backstore/backstore.ts';
import { systemErrorCode } from '../errors.ts';
import { type Log, logBug } from '../log.ts';
import { isBehindAborted } from './aborted-writes.ts';
import { inaccessible } from './alua.ts';
import { lbaOutOfRange, owesFlush } from './block-access.ts';
import { controlMode } from './control-mode.ts';
import { limitedTurn } from './limits.ts';
import type { LogicalUnitView, Nexus, StorageObject } from './logical-unit.ts';
import { type AccessStates, checkUsage, dataOutBytesMax, decodeCdb, type OpcodeRow } from './opcode.ts';
import { lookUp, notOffered } from './opcode-table.ts';
import { passedThrough } from './pass-through.ts';
import { provisioningThresholds } from './provisioning-threshold.ts';
import { isBusy, isWriteProtected, notReady, power } from './readiness.ts';
import { conflicts, reservations } from './reservation-conflict.ts';
import { CheckCondition, encodeSense, type Sense, type SenseDetail, sense, senseKey } from './sense.ts';
import { type AdmittedCommand, type CommandRow, type Completion, status, type Task } from './task.ts';
import { taskSet } from './task-set.ts';
import { addUnitAttention, clearUnitAttention, pendingUnitAttention, withdrawUnitAttention } from './unit-attention.ts';

let log: Log = () => {};

/** Where bugs of the device server are logged; the initiator sees INTERNAL TARGET FAILURE. */
export function setBugReporter(to: Log): void {
  log = to;
}

/**
 * Everything that comes before data. @returns how the command ended, or undefined: then it stands in its logical unit's
 * task set, `dataOutLength` is set, and it waits for `executeTask`. Never throws.
 */
export function admitTask(task: Task): Completion | undefined {
  try {
    return check(task);
  } catch (error) {
    return failed(task, undefined, error);
  }
}

/**
 * Runs an admitted command whose data-out is there. With TASK ABORTED it ends a task that another nexus aborted; what it
 * says of a task whose `aborted` is set has no meaning. Never throws or rejects.
 * @param waited something else may have happened since `admitTask` returned; false: the transport went straight on
 */
export function executeTask(task: Task, waited = true): Completion | Promise<Completion> {
  const limited = awaitLimits(task);
  if (limited === undefined) return inTurn(task, waited);
  return limited.then((completion) => completion ?? inTurn(task, true));
}

/**
 * The wait of an admitted task for the limits of its LUN. `executeTask` waits, too; a transport that takes memory for data
 * calls this before it does, so that a slow LUN keeps no memory from the others.
 * @returns how the command ended, if it did; undefined: it need not wait, has waited, or its data says how much it asks for
 */
export function awaitLimits(task: Task): Promise<Completion | undefined> | undefined {
  return task.unit?.limits && limitedTurn(task)?.then(() => admitAgain(task));
}

function inTurn(task: Task, waited: boolean): Completion | Promise<Completion> {
  const turn = task.unit && taskSet.of(task.unit.storageObject).turn(task);
  return turn ? turn.then(() => run(task, true)) : run(task, waited);
}

/** The transport could not read the Extent of a completion. */
export function readFailed(task: Task, error: unknown): Completion {
  return failed(task, task.command?.row, error);
}

/** The transport is done with the task: it is answered, or dropped. */
export function retireTask(task: Task): void {
  if (task.unit) taskSet.of(task.unit.storageObject).delete(task);
}

/** The standards' order (SAM-5 4.6.4, 5.14; SPC-4 5.12.1, 5.16.2): what comes first is reported first. */
function check(task: Task): Completion | undefined {
  const { cdb: bytes, unit } = task;
  const found = lookUp(bytes);
  if (!unit) {
    if (!found?.absent) throw new CheckCondition(sense.logicalUnitNotSupported);
    checkUsage(found, undefined, bytes);
    return found.absent(task, decodeCdb(found, bytes));
  }
  const lu = unit.storageObject;
  if (lu.arriving) return { status: status.busy };
  const row = passedThrough(lu, found, task) ?? found;
  if (!row || (row.offered && !row.offered(lu))) throw notOffered(bytes, lu);
  if (task.attribute === 'aca') throw new CheckCondition(sense.invalidMessage);
  const refused = checkStanding(row, task, unit);
  if (refused) return refused;
  checkUsage(row, lu, bytes);
  const cdb = decodeCdb(row, bytes);
  checkMeans(row, unit, cdb);
  task.dataOutAsked = row.dataOut ? row.dataOut(lu, cdb) : 0;
  task.dataOutLength = taken(row, lu, task);
  checkLength(row, task);
  const fewer = task.dataOutLength < task.dataOutAsked;
  task.command = { row, cdb: fewer ? { ...cdb, blocks: task.dataOutLength / lu.blockSize } : cdb };
  taskSet.of(lu).add(task);
  return undefined;
}

/** Whether who sends a command may do so now: what is pending for it, reservations, the state of the port's ALUA group. */
function checkStanding(row: OpcodeRow, { nexus, cdb }: Task, unit: LogicalUnitView): Completion | undefined {
  const lu = unit.storageObject;
  if (!row.ignoresUnitAttention) throwUnitAttention(nexus, lu);
  const reservationClass = typeof row.whenReserved === 'function' ? row.whenReserved(cdb) : row.whenReserved;
  if (conflicts(reservations.of(lu), nexus, unit.port.relativePortId, reservationClass)) {
    // UA_INTLCK_CTRL 11b: the next command hears of it once more (SPC-4 7.5.8).
    if (lu.attributes.values.emulate_ua_intlck_ctrl === 2)
      addUnitAttention(nexus, lu, sense.previousReservationConflict);
    return { status: status.reservationConflict };
  }
  const refusal = inaccessible(lu, unit.port.portGroup, row.runsIn ?? 'active', row.asksState);
  if (refusal) throw new CheckCondition(refusal);
  return undefined;
}

/** Whether the medium lets a command do what its CDB says. @throws CheckCondition */
function checkMeans(row: OpcodeRow, unit: LogicalUnitView, cdb: AdmittedCommand['cdb']): void {
  checkMedium(row, unit);
  row.check?.(unit.storageObject, cdb as Parameters<NonNullable<OpcodeRow['check']>>[1]);
  checkRange(row, unit.storageObject, cdb);
}

/** A command that has waited for the limits of its LUN begins now, unless something has ended it meanwhile. */
function admitAgain(task: Task): Completion | undefined {
  const { command, unit } = task;
  if (!command || !unit || task.aborted || task.terminated) return aborted;
  try {
    return checkAgain(task, unit.storageObject, command);
  } catch (error) {
    return failed(task, command.row, error);
  }
}

/**
 * Asks again all of `check` that may have changed meanwhile: a write whose LUN was taken away, fenced or write
 * protected while it waited is not carried out.
 */
function checkAgain(task: Task, lu: StorageObject, { row, cdb }: AdmittedCommand): Completion | undefined {
  const now = task.nexus.view(task.lun);
  if (!now) throw new CheckCondition(sense.logicalUnitNotSupported);
  // Another one is behind the LUN: its initiator is told of that with the next command.
  if (now.storageObject !== lu || lu.arriving) return busy;
  const asked = row as OpcodeRow;
  if (asked.offered && !asked.offered(lu)) throw notOffered(task.cdb, lu);
  const refused = checkStanding(asked, task, now);
  if (refused) return refused;
  checkMeans(asked, now, cdb);
  return undefined;
}

/**
 * How much is taken of the data that a CDB asks for. An initiator that announces fewer blocks writes those (FCP-4 9.4.2,
 * case a: nothing that comes is dropped); one that announces a part of a block, or of what makes sense as a whole alone,
 * writes nothing (case b).
 */
function taken(row: OpcodeRow, lu: StorageObject, { dataOutOffered: offered, dataOutAsked: asked }: Task): number {
  if (offered === undefined || offered === asked || (offered > asked && !row.exactDataOut)) return asked;
  if (offered > asked) throw new CheckCondition(sense.invalidFieldInCdb);
  if (row.fewerBlocks && offered % lu.blockSize === 0) return offered;
  throw new CheckCondition(sense.invalidFieldInCommandInformationUnit);
}

/** No memory is taken for data that cannot be worked off in pieces, and is more than there is memory for. */
function checkLength(row: OpcodeRow, { dataOutLength }: Task): void {
  if (dataOutLength > dataOutBytesMax && !row.inPieces) throw new CheckCondition(sense.invalidFieldInCdb);
}

/** @throws CheckCondition when a unit attention is pending */
function throwUnitAttention(nexus: Nexus, lu: StorageObject): void {
  provisioningThresholds.of(lu).watch?.commandArrives(nexus);
  const condition = pendingUnitAttention(nexus, lu);
  if (!condition) return;
  // UA_INTLCK_CTRL 10b and 11b: a unit attention stays until REQUEST SENSE fetches it (SPC-4 7.5.8).
  if (lu.attributes.values.emulate_ua_intlck_ctrl === 0 || condition.deferred) clearUnitAttention(nexus, lu);
  throw new CheckCondition(condition);
}

function checkMedium(row: OpcodeRow, { storageObject: lu, writeProtected }: LogicalUnitView): void {
  checkReady(row, lu);
  if (row.changesForAll && writeProtected) throw new CheckCondition(sense.writeProtected);
  if (row.medium !== 'write') return;
  if (controlMode.of(lu).softwareWriteProtect) throw new CheckCondition(sense.softwareWriteProtected);
  if (writeProtected || isWriteProtected(lu)) throw new CheckCondition(sense.writeProtected);
}

/** Asked again when a command has waited: meanwhile the medium may be gone, or be wiped. */
function checkReady(row: CommandRow, lu: StorageObject): void {
  if (row.duringMediumOperation) return;
  if (isBusy(lu) || row.medium !== 'none') {
    const reason = notReady(lu, row.mends);
    if (reason) throw reason;
  }
  // Idle and standby are left by a command that needs the medium (SPC-4 5.11.3).
  if (row.ranged && power.of(lu).condition !== 'active') power.set(lu, { condition: 'active' });
}

/** Asked again when a command has waited: meanwhile the medium may be smaller. What is under way then is told ERANGE. */
function checkRange(row: CommandRow, lu: StorageObject, cdb: AdmittedCommand['cdb']): void {
  if (isOutOfRange(row, lu, cdb)) throw lbaOutOfRange(lu, cdb.lba ?? 0);
}

/** NUMBER OF LOGICAL BLOCKS may be 0 just behind the last block: nothing is transferred there. */
const isOutOfRange = (row: CommandRow, lu: StorageObject, { lba = 0, blocks = 0 }: AdmittedCommand['cdb']): boolean =>
  row.ranged && lba + blocks > lu.blocks;

const aborted: Completion = { status: status.taskAborted };
const busy: Completion = { status: status.busy };

function run(task: Task, waited: boolean): Completion | Promise<Completion> {
  const { command, unit } = task;
  if (!command || !unit || task.aborted || task.terminated) return aborted;
  try {
    if (waited) {
      // Another gateway may serve the unit meanwhile.
      const refusal =
        unit.storageObject.shared && inaccessible(unit.storageObject, unit.port.portGroup, runsIn(command));
      if (refusal) throw new CheckCondition(refusal);
      checkReady(command.row, unit.storageObject);
      checkRange(command.row, unit.storageObject, command.cdb);
    }
    if (isBehindAborted(task)) return busy;
    const result = command.row.execute(unit.storageObject, command.cdb, task);
    if (result instanceof Promise)
      return follow(task, command.row, writes(command) ? stable(unit.storageObject, command, result) : result);
    if (writes(command) && isOwed(unit.storageObject, command))
      return follow(task, command.row, stable(unit.storageObject, command, result));
    return result;
  } catch (error) {
    return failed(task, command.row, error);
  }
}

const runsIn = ({ row }: AdmittedCommand): AccessStates => (row as OpcodeRow).runsIn ?? 'active';

const writes = ({ row }: AdmittedCommand): boolean => row.medium === 'write';

/** A command that changed the medium is answered when that is as stable as it has to be. */
async function stable(
  lu: StorageObject,
  command: AdmittedCommand,
  result: Completion | Promise<Completion>,
): Promise<Completion> {
  const completion = await result;
  if (completion.status === status.good && isOwed(lu, command)) await lu.volume?.flush();
  return completion;
}

/** Whether what a command wrote has to be on stable storage, and is not. */
function isOwed(lu: StorageObject, { row, cdb }: AdmittedCommand): boolean {
  const { lba = 0, blocks = 0 } = row.ranged ? cdb : {};
  // A command without a range, or with one that ends where the medium does, may have been anywhere.
  const position = blocks > 0 ? lba * lu.blockSize : 0;
  const length = blocks > 0 ? blocks * lu.blockSize : (lu.volume?.size ?? 0);
  return owesFlush(lu, cdb.fua === true, position, length);
}

/** Keeps hold of a command that is on its way to the medium, so that task management can wait for it. */
function follow(task: Task, row: CommandRow, result: Promise<Completion>): Promise<Completion> {
  const running = result.then(
    (completion) => (task.terminated ? aborted : completion),
    (error) => (task.terminated ? aborted : failed(task, row, error)),
  );
  task.running = running;
  return running;
}

function failed(task: Task, row: CommandRow | undefined, error: unknown): Completion {
  const lu = task.unit?.storageObject;
  if (error instanceof CheckCondition) return checkCondition(lu, error.sense, error.detail);
  const code = systemErrorCode(error);
  if (!code) logBug(log, row?.name ?? 'device server', error);
  else {
    const { session, initiatorName: initiator } = task.nexus;
    const detail = { path: lu?.path ?? '', command: row?.name ?? '', code, initiator };
    log({ level: 'error', event: 'medium error', detail: { ...(session !== undefined && { session }), ...detail } });
  }
  // Nobody knows whether the command was carried out: its initiator knows best whether to send it again.
  if (code === 'ECONNRESET') return busy;
  const found = senseOf(code, row);
  // Another gateway serves the unit, or is about to.
  const what = lu?.shared && found === sense.logicalUnitNotReady ? sense.asymmetricAccessTransition : found;
  // The initiator hears of the loss now, and need not hear of it again.
  if (lu && what === sense.writeError) withdrawUnitAttention(task.nexus, lu, sense.deferredWriteError);
  if (what === sense.lbaOutOfRange && lu && task.command && isOutOfRange(task.command.row, lu, task.command.cdb))
    return checkCondition(lu, what, lbaOutOfRange(lu, task.command.cdb.lba ?? 0).detail);
  const lba = what.key === senseKey.mediumError ? lbaInError(task, error as Partial<MediumError>) : undefined;
  return checkCondition(lu, what, lba === undefined ? {} : { information: lba });
}

/** The first block that the command did not get at: SBC-3 4.18, for the INFORMATION field. Undefined: the medium did not say. */
function lbaInError({ command, unit }: Task, { position }: Partial<MediumError>): number | undefined {
  if (!unit || !command?.row.ranged) return undefined;
  const { lba, blocks } = command.cdb;
  return position === undefined
    ? blocks === 1
      ? lba
      : undefined
    : Math.floor(position / unit.storageObject.blockSize);
}

function checkCondition(lu: StorageObject | undefined, what: Sense, detail?: SenseDetail): Completion {
  return {
    status: status.checkCondition,
    sense: encodeSense(what, lu !== undefined && controlMode.of(lu).descriptorSense, detail),
  };
}

/** System errors as sense; what is not here is a medium error of the command's kind. */
const systemErrors: Readonly<Record<string, Sense>> = {
  ERANGE: sense.lbaOutOfRange,
  ENOSPC: sense.spaceAllocationFailed,
  EDQUOT: sense.spaceAllocationFailed,
  EFBIG: sense.spaceAllocationFailed,
  EROFS: sense.writeProtected,
  EACCES: sense.writeProtected,
  EPERM: sense.writeProtected,
  EBADF: sense.logicalUnitNotReady,
  ENXIO: sense.logicalUnitNotReady,
  ENODEV: sense.logicalUnitNotReady,
  ETIMEDOUT: sense.logicalUnitNotReady,
  ENOMEDIUM: sense.mediumNotPresent,
  ENOMEM: sense.internalTargetFailure,
};

function senseOf(code: string | undefined, row: CommandRow | undefined): Sense {
  if (!code) return sense.internalTargetFailure;
  return systemErrors[code] ?? (row?.medium === 'read' ? sense.unrecoveredReadError : sense.writeError);
}
