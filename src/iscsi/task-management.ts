/** Task management requests (RFC 7143 11.5, 11.6): the effect of each on the commands of the session, and its response. */

import type { Nexus } from '../scsi/logical-unit.ts';
import { decodeLun } from '../scsi/lun.ts';

import { abortTask, abortTaskSet, clearTaskSet, logicalUnitReset, targetReset } from '../scsi/task-management.ts';
import type { Values } from '../wire/layout.ts';
import { distance } from '../wire/serial.ts';
import { immediateTasksMax } from './limits.ts';
import type { Link } from './link.ts';
import { decodePdu, taskManagementRequest, taskManagementResponse } from './pdu.ts';
import { rejectReason } from './protocol-error.ts';
import type { Session } from './session.ts';

/** The responses (RFC 7143 11.6.1). */
const response = {
  complete: 0,
  noSuchTask: 1,
  noSuchLun: 2,
  reassignNotSupported: 4,
  notSupported: 5,
} as const;

type FunctionRequest = Values<(typeof taskManagementRequest)['fields']>;

interface Management {
  readonly session: Session;
  readonly nexus: Nexus;
  readonly request: FunctionRequest;
  readonly lun: number;
  readonly connection: Link;
}

/**
 * A function that is about all tasks of a LUN: it waits for the commands numbered before it (RFC 7143 4.2.3.3). It does
 * not wait for data that was asked for: open-iscsi sends none any more once it has asked for a reset (FastAbort), and
 * the transfer tags of an ended task are not used again.
 */
const atLun =
  (act: (nexus: Nexus, lun: number) => Promise<boolean>) =>
  async (management: Management): Promise<number> => {
    const { nexus, lun, session, request, connection } = management;
    if (!session.units.view(lun)) return response.noSuchLun;
    const received = session.receivedUntil(request.cmdSn, connection);
    if (received !== undefined) await received;
    // The connection that asked is gone, and gets no answer.
    if (connection.closed) return response.noSuchLun;
    return (await act(nexus, lun)) ? response.complete : response.noSuchLun;
  };

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

/** Runs the request and answers it when every task that it ended has stopped; until then the request keeps its place in the window. */
export async function manageTasks(connection: Link, header: Uint8Array): Promise<void> {
  const decoded = decodePdu(taskManagementRequest, header);
  const { immediate, initiatorTaskTag } = decoded;
  const session = connection.session!;
  if (immediate && connection.managing >= immediateTasksMax) {
    connection.reject(rejectReason.tooManyImmediateCommands, header, 0);
    return;
  }
  if (immediate) connection.managing += 1;
  const code = await manage({
    session,
    nexus: session.nexus!,
    request: decoded,
    lun: decodeLun(decoded.lun),
    connection,
  });
  if (immediate) connection.managing -= 1;
  else session.answered();
  if (connection.closed) return;
  connection.sender.send(taskManagementResponse, { final: true, response: code, initiatorTaskTag });
  if (decoded.function === coldReset) connection.host.sessionTable.cut(session.tpg!, 'target cold reset');
}

async function manage(management: Management): Promise<number> {
  const { session, request, connection } = management;
  const code = (await functions.get(request.function)?.(management)) ?? response.notSupported;
  for (const command of session.commands) if (command.task?.aborted) command.connection.forget(command);
  // RFC 7143 11.6.1: the response comes behind the responses of all other tasks.
  await session.delivered(connection);
  return code;
}

/** RFC 7143 11.6.1 b) to d): ABORT TASK means a task that is there; one that is still to come and counts as received; or none. */
async function abort({ session, nexus, request, lun, connection }: Management): Promise<number> {
  const { referencedTaskTag, refCmdSn, cmdSn } = request;
  const command = session.commands.get(referencedTaskTag);
  if (command && command.lun === lun) {
    if (command.task) await abortTask(nexus, lun, referencedTaskTag);
    if (command.task) command.task.aborted = true;
    command.connection.forget(command);
    return response.complete;
  }
  if (!command && session.inWindow(refCmdSn) && distance(refCmdSn, cmdSn) > 0) {
    session.inTurn(refCmdSn, connection, () => {});
    session.answered();
    return response.complete;
  }
  return session.units.view(lun) ? response.noSuchTask : response.noSuchLun;
}

/** TARGET WARM RESET and COLD RESET (RFC 7143 11.5.1): every logical unit; a cold one ends the sessions after its answer. */
async function reset({ nexus, session, request }: Management): Promise<number> {
  // RFC 7143 4.2.3.3: what is numbered before it counts as received, and ends with the rest.
  for (const command of session.commands)
    if (!command.task && distance(command.cmdSn, request.cmdSn) > 0) command.connection.forget(command);
  session.plug(request.cmdSn);
  await targetReset(nexus);
  return response.complete;
}
