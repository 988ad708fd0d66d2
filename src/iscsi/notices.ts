/** PDUs that the target sends unasked: NOP-In and Asynchronous Message (RFC 7143 11.19, 11.9). */

import { encodeLun } from '../scsi/lun.ts';
import { encodeSense, sense } from '../scsi/sense.ts';
import { encode, type Values } from '../wire/layout.ts';
import { logoutSeconds } from './limits.ts';
import { asyncMessage, nopIn, noTag, senseSegment } from './pdu.ts';
import type { Sender } from './sender.ts';

/** The events of an Asynchronous Message (RFC 7143 11.9.1). */
const asyncEvent = { scsi: 0, logoutRequested: 1, connectionDropped: 2, sessionDropped: 3 } as const;

/** Sends a ping: it has no task tag, and a transfer tag that its answer brings back. */
export function sendPing(sender: Sender): void {
  sender.notify(nopIn, { final: true, initiatorTaskTag: noTag, targetTransferTag: 0 });
}

/** Shows the command window where no answer does, by a NOP-In that wants no answer (RFC 7143 11.4.10). */
export function showWindow(sender: Sender): void {
  sender.notify(nopIn, { final: true, initiatorTaskTag: noTag, targetTransferTag: noTag });
}

/**
 * Says that LUNs came or went, as a SCSI event with the sense of the unit attention that is pending as well: open-iscsi looks for LUNs
 * anew when it gets the event, other initiators when they meet the unit attention.
 * @param lun one that the initiator sees
 */
export function announceLuns(sender: Sender, lun: number): void {
  const data = encode(senseSegment, {}, encodeSense(sense.reportedLunsDataChanged, false));
  announce(sender, { asyncEvent: asyncEvent.scsi, lun: encodeLun(lun) }, data);
}

/** Asks for a logout of this connection within `logoutSeconds`. */
export function askForLogout(sender: Sender): void {
  announce(sender, { asyncEvent: asyncEvent.logoutRequested, parameter3: logoutSeconds });
}

/**
 * Says that a whole session, or the connection `cid`, is dropped. No task can be reassigned later: Time2Retain, the third
 * parameter, is 0.
 * @param parameter2 Time2Wait: seconds before the initiator may come back
 */
export function announceDrop(sender: Sender, what: 'session' | { readonly cid: number }, parameter2: number): void {
  if (what === 'session') announce(sender, { asyncEvent: asyncEvent.sessionDropped, parameter2 });
  else announce(sender, { asyncEvent: asyncEvent.connectionDropped, parameter1: what.cid, parameter2 });
}

type Message = Partial<Values<(typeof asyncMessage)['fields']>>;

function announce(sender: Sender, values: Message, data?: Uint8Array): void {
  sender.send(asyncMessage, { final: true, initiatorTaskTag: noTag, ...values }, data);
}
