/** The initiator's kind of error, which becomes a Reject, a login status or a closed connection. */

import type { Pair } from '../wire/text.ts';

/** Reasons of a Reject (RFC 7143 11.17.1). */
export const rejectReason = {
  dataDigestError: 0x02,
  snackReject: 0x03,
  protocolError: 0x04,
  commandNotSupported: 0x05,
  tooManyImmediateCommands: 0x06,
  taskInProgress: 0x07,
  invalidPduField: 0x09,
  outOfResources: 0x0a,
  waitingForLogout: 0x0c,
} as const;

/** Login statuses: class and detail in one number (RFC 7143 11.13.5). */
export const loginStatus = {
  success: 0x0000,
  movedTemporarily: 0x0101,
  movedPermanently: 0x0102,
  initiatorError: 0x0200,
  authenticationFailure: 0x0201,
  authorizationFailure: 0x0202,
  notFound: 0x0203,
  unsupportedVersion: 0x0205,
  tooManyConnections: 0x0206,
  missingParameter: 0x0207,
  cannotIncludeInSession: 0x0208,
  sessionTypeNotSupported: 0x0209,
  sessionDoesNotExist: 0x020a,
  invalidDuringLogin: 0x020b,
  targetError: 0x0300,
  serviceUnavailable: 0x0301,
  outOfResources: 0x0302,
} as const;

/** A login that ends with a status other than success; `message` is for the log, never for the wire. */
export class LoginError extends Error {
  readonly status: number;
  /** Keys that go with the status. */
  readonly pairs: readonly Pair[];

  constructor(status: number, message: string, pairs: readonly Pair[] = []) {
    super(message);
    this.name = 'LoginError';
    this.status = status;
    this.pairs = pairs;
  }

  /** RFC 7143 11.13.5, class 1: the initiator is redirected, and nothing is wrong. */
  get isRedirection(): boolean {
    return this.status >> 8 === 1;
  }
}

/** A PDU whose header breaks the layout: it ends all connections of its session (RFC 7143 7.7). */
export class FormatError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FormatError';
  }
}

/** A connection that cannot go on: framing is lost, or the initiator breaks a rule that has no Reject. */
export class ConnectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConnectionError';
  }
}
