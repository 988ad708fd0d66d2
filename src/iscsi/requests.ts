/** The requests of full feature phase that are no SCSI commands: for each opcode, the function that answers it. */

import type { ConnectionState } from './connection-state.ts';
import type { Link } from './link.ts';
import {
  decodePdu,
  loginRequest,
  logoutRequest,
  logoutResponse,
  nopIn,
  nopOut,
  noTag,
  scsiCommand,
  snackRequest,
  taskManagementRequest,
  textRequest,
} from './pdu.ts';
import { rejectReason } from './protocol-error.ts';
import type { Session } from './session.ts';
import { manageTasks } from './task-management.ts';

export interface RequestPdu {
  /** Whether the request is allowed in a discovery session (RFC 7143 4.3). */
  readonly inDiscovery: boolean;
  /** Set when the request gives back its place in the window by itself, when it is answered. */
  readonly answersLater?: true;
  /** Runs in the order of CmdSN; `header` and `data` are copies. */
  run(connection: Link, header: Uint8Array, data: Uint8Array): void;
}

/** The requests by opcode. SNACK is not here: error recovery level 0 has none. */
export const requests: ReadonlyMap<number, RequestPdu> = new Map<number, RequestPdu>([
  [nopOut.opcode, { inDiscovery: false, run: ping }],
  [taskManagementRequest.opcode, { inDiscovery: false, answersLater: true, run: manage }],
  [textRequest.opcode, { inDiscovery: true, run: exchangeText }],
  [logoutRequest.opcode, { inDiscovery: true, run: logout }],
]);

/** The reason to reject a request of full feature phase whatever its contents (RFC 7143 4.3, 7.3, 11.14). */
export function refusalOf(opcode: number, state: ConnectionState, { type }: Session): number | undefined {
  const takesNone = state === 'IN_LOGOUT' || (state === 'LOGOUT_REQUESTED' && opcode === scsiCommand.opcode);
  if (takesNone) return rejectReason.waitingForLogout;
  if (opcode === snackRequest.opcode) return rejectReason.snackReject;
  if (opcode === loginRequest.opcode) return rejectReason.protocolError;
  const request = requests.get(opcode);
  if (!request) return type === 'Discovery' ? rejectReason.protocolError : rejectReason.commandNotSupported;
  return type === 'Discovery' && !request.inDiscovery ? rejectReason.protocolError : undefined;
}

function manage(connection: Link, header: Uint8Array): void {
  manageTasks(connection, header).catch((error: unknown) => connection.fail(error));
}

function logout(connection: Link, header: Uint8Array): void {
  logOut(connection, header).catch((error: unknown) => connection.fail(error));
}

function exchangeText(connection: Link, header: Uint8Array, data: Uint8Array): void {
  connection.exchangeText(header, data);
}

/** Takes a NOP-Out (RFC 7143 11.18): the answer to our ping wants no answer; a ping comes back with its data. */
function ping(connection: Link, header: Uint8Array, data: Uint8Array): void {
  const request = decodePdu(nopOut, header);
  if (request.initiatorTaskTag === noTag) {
    if (!request.immediate) connection.reject(rejectReason.protocolError, header, 0);
    return;
  }
  const echo = data.subarray(0, connection.parameters.MaxRecvDataSegmentLength);
  const { lun, initiatorTaskTag } = request;
  connection.sender.send(nopIn, { final: true, lun, initiatorTaskTag, targetTransferTag: noTag }, echo);
}

/** The reasons of a logout (RFC 7143 11.14.1), and the responses (11.15.1). */
const logoutReason = { closeSession: 0, closeConnection: 1, recovery: 2 } as const;
const logoutResult = { success: 0, noSuchCid: 1, recoveryNotSupported: 2 } as const;

/** Takes a Logout Request (RFC 7143 11.14): the answer waits until the commands under way have stopped, and the connection closes behind it. */
async function logOut(connection: Link, header: Uint8Array): Promise<void> {
  const { reason, cid, initiatorTaskTag } = decodePdu(logoutRequest, header);
  const { session } = connection;
  if (!session) return;
  const named = session.connections.get(cid);
  const answer = (result: number) => {
    if (connection.closed) return;
    const { DefaultTime2Wait: time2Wait, DefaultTime2Retain: time2Retain } = session.parameters;
    connection.sender.send(logoutResponse, { final: true, response: result, initiatorTaskTag, time2Wait, time2Retain });
  };
  const isSession = reason === logoutReason.closeSession;
  if (reason > logoutReason.recovery) connection.reject(rejectReason.invalidPduField, header, 0);
  // RFC 7143 4.3: a discovery session closes as a whole.
  else if (!isSession && session.type === 'Discovery') connection.reject(rejectReason.protocolError, header, 0);
  else if (reason === logoutReason.recovery) answer(logoutResult.recoveryNotSupported);
  else if (!isSession && !named) answer(logoutResult.noSuchCid);
  else if (isSession || named === connection) {
    const others = isSession ? [...session.connections.values()].filter((one) => one !== connection) : [];
    const closing = others.map((one) => one.close('logout of the session', 'ended by another'));
    await Promise.all([connection.beginLogout(), ...closing]);
    answer(logoutResult.success);
    connection.endLogout();
  } else {
    await named?.close('logout of the connection', 'ended by another');
    answer(logoutResult.success);
  }
}
