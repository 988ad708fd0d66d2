/** Task management requests (RFC 7143 11.5, 11.6): what each does to the commands of the session, and its response. */

import { decodeLun } from '../scsi/lun.ts';
import type { Nexus } from '../scsi/nexus.ts';
import { abortTask, abortTaskSet, clearTaskSet, logicalUnitReset, targetReset } from '../scsi/task-management.ts';
import type { Values } from '../wire/layout.ts';
import { distance } from '../wire/serial.ts';
import type { Connection } from './connection.ts';
import { immediateTasksMax } from './limits.ts';
import { decode, taskManagementRequest, taskManagementResponse } from './pdu.ts';
import { rejectReason } from './protocol-error.ts';
import type { Session } from './session.ts';

/** RFC 7143 11.6.1 */
const response = {
  complete: 0,
  noSuchTask: 1,
  noSuchLun: 2,
  reassignNotSupported: 4,
  notSupported: 5,
} as const;

type Request = Values<(typeof taskManagementRequest)['fields']>;

interface Management {
  readonly session: Session;
  readonly nexus: Nexus;
  readonly request: Request;
  readonly lun: number;
  readonly connection: Connection;
}

/** A function that is about all tasks of a LUN. */
const atLun =
  (act: (nexus: Nexus, lun: number) => Promise<boolean>) =>
  async (management: Management): Promise<number> => {
    const { nexus, lun, session, request } = management;
    if (!session.view(lun)) return response.noSuchLun;
    dropWaiting(session, request, (one) => one === lun);
    return (await act(nexus, lun)) ? response.complete : response.noSuchLun;
  };

/** Commands sent before the request that have not come to their turn are no tasks yet, and are meant all the same. */
function dropWaiting(session: Session, request: Request, meant: (lun: number) => boolean): void {
  for (const command of session.commands.values())
    if (!command.task && meant(command.lun) && distance(command.cmdSn, request.cmdSn) > 0)
      command.connection.forget(command);
}

type TaskFunction = (management: Management) => number | Promise<number>;

/** Function codes (RFC 7143 11.5.1); all others are not supported. */
const functions: ReadonlyMap<number, TaskFunction> = new Map<number, TaskFunction>([
  [1, abort],
  [2, atLun(abortTaskSet)],
  [4, atLun(clearTaskSet)],
  [5, atLun(logicalUnitReset)],
  [6, reset],
  [7, reset],
  [8, () => response.reassignNotSupported],
]);

const coldReset = 7;

/** Runs the request and answers it when everything it ended has stopped; until then it has its place in the window. */
export async function manageTasks(connection: Connection, header: Uint8Array): Promise<void> {
  const decoded = decode(taskManagementRequest, header);
  const session = connection.session!;
  if (decoded.immediate && session.immediateTasks >= immediateTasksMax) {
    connection.reject(rejectReason.tooManyImmediateCommands, header, 0);
    return;
  }
  if (decoded.immediate) session.immediateTasks += 1;
  const run = functions.get(decoded.function);
  const management = { session, nexus: session.nexus!, request: decoded, lun: decodeLun(decoded.lun), connection };
  const code = run ? await run(management) : response.notSupported;
  for (const command of session.commands.values()) if (command.task?.aborted) command.connection.forget(command);
  if (decoded.immediate) session.immediateTasks -= 1;
  else session.answered();
  if (connection.closed) return;
  connection.send(taskManagementResponse, {
    final: true,
    response: code,
    initiatorTaskTag: decoded.initiatorTaskTag,
  });
  if (decoded.function === coldReset) connection.host.endSessions(session.tpg!, 'target cold reset');
}

/** RFC 7143 11.6.1 b) to d): the task there is; one that is still to come and counts as received; or none. */
async function abort({ session, nexus, request, lun }: Management): Promise<number> {
  const { referencedTaskTag, refCmdSn, cmdSn } = request;
  const command = session.commands.get(referencedTaskTag);
  if (command && command.lun === lun) {
    if (command.task) await abortTask(nexus, lun, referencedTaskTag);
    if (command.task) command.task.aborted = true;
    command.connection.forget(command);
    return response.complete;
  }
  if (!command && session.inWindow(refCmdSn) && distance(refCmdSn, cmdSn) > 0) {
    session.inTurn(refCmdSn, () => {});
    session.answered();
    return response.complete;
  }
  return response.noSuchTask;
}

/** TARGET WARM RESET and COLD RESET (RFC 7143 11.5.1): every logical unit; a cold one ends the sessions after its answer. */
async function reset({ nexus, session, request }: Management): Promise<number> {
  dropWaiting(session, request, () => true);
  await targetReset(nexus);
  return response.complete;
}
