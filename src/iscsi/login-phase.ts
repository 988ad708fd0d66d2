/** The login phase of a connection on the wire: requests go to `Login`, its answers become PDUs, and the session is made at the end. */

import { printPortal } from '../target/target.ts';
import type { Values } from '../wire/layout.ts';
import { printText } from '../wire/text.ts';
import { tpgAttributes } from './attributes.ts';
import type { Link } from './link.ts';
import { type LoggedIn, Login, type LoginAnswer } from './login.ts';
import { decodePdu, loginRequest, loginResponse } from './pdu.ts';
import { ConnectionError, type LoginError } from './protocol-error.ts';
import type { Session } from './session.ts';

type RequestHeader = Values<(typeof loginRequest)['fields']>;

export class LoginPhase {
  readonly #connection: Link;
  readonly #login: Login<Session>;
  readonly #startedAt: number;
  /** The last Login Request, for the answer when it fails. */
  #header: Uint8Array | undefined;
  /** Whether the last request was answered, or will be when the session is made: no other may come. */
  #over = false;

  constructor(connection: Link) {
    const { host, ends } = connection;
    this.#connection = connection;
    this.#startedAt = host.now();
    this.#login = new Login({
      state: host.state,
      portal: printPortal({ address: ends.localAddress, port: ends.localPort }),
      address: ends.remoteAddress,
      tpgs: () => ends.tpgs(),
      portalOf: (tpg) => ends.portalOf(tpg),
      servesTargets: ends.handOver === undefined,
      session: (tsih) => host.sessionTable.get(tsih),
      date: () => host.date(),
      random: (bytes) => host.random(bytes),
    });
  }

  /** The names that the initiator claims, as in `Login`. */
  get claims(): Login<Session>['claims'] {
    return this.#login.claims;
  }

  /** The reason why the login has to be given up, or undefined: the time that it may take is an attribute of the TPG. */
  lateness(): string | undefined {
    const seconds = this.#login.tpg?.attribute('login_timeout') ?? tpgAttributes.login_timeout.default;
    return this.#connection.host.now() - this.#startedAt > seconds * 1000 ? `no login within ${seconds} s` : undefined;
  }

  /** Takes a Login Request. @throws LoginError, ConnectionError */
  receive(header: Uint8Array, text: Uint8Array): void {
    this.#header = header;
    if (this.#over) throw new ConnectionError('a request before the login was answered');
    const request = decodePdu(loginRequest, header);
    const answer = this.#login.receive(request, text);
    if ('elsewhere' in answer) this.#connection.leave(answer.elsewhere);
    else this.#go(request, answer);
  }

  #go(request: RequestHeader, answer: LoginAnswer<Session>): void {
    const { loggedIn } = answer;
    if (loggedIn) this.#finish(request, answer, loggedIn);
    else this.#answer(request, answer, request.tsih);
  }

  /** Makes the session, once the session that the login replaces has stopped; then the last answer goes out. */
  #finish(request: RequestHeader, answer: LoginAnswer<Session>, loggedIn: LoggedIn<Session>): void {
    this.#over = true;
    const connection = this.#connection;
    const enter = (session: Session) => {
      connection.join(session, loggedIn);
      this.#answer(request, answer, session.tsih);
      connection.enterFullFeature();
      const { oldSecretOf: owner, initiatorName: initiator } = loggedIn;
      if (owner !== undefined)
        connection.host.log({ level: 'info', event: 'iscsi old secret used', detail: { initiator, owner } });
    };
    const confirm = () => {
      if (connection.closed) throw new ConnectionError('the connection closed before its login was answered');
      loggedIn.confirm();
    };
    connection.host.sessionTable
      .join({ ...loggedIn, confirm }, request.cmdSn, connection.ends.id, enter)
      .catch((error: unknown) => connection.fail(error));
  }

  /** Checks the login again, because the tree has changed. @throws LoginError when a fact that the login stands on is so no more */
  reconsider(): void {
    // A login checks this by itself before its end.
    if (!this.#over) this.#login.confirm();
  }

  #answer(request: RequestHeader, answer: LoginAnswer<Session>, tsih: number): void {
    const { transit, currentStage, nextStage, pairs } = answer;
    const { isid, initiatorTaskTag } = request;
    const values = { transit, currentStage, nextStage, isid, tsih, initiatorTaskTag };
    this.#connection.sender.send(loginResponse, values, printText(pairs), request.cmdSn);
  }

  /** Answers a login that fails or is redirected (RFC 7143 11.13.5); the PDU that caused it may have been no Login Request. */
  refuse(error: LoginError): void {
    const header = this.#header;
    const { isid, initiatorTaskTag, cmdSn } = header ? decodePdu(loginRequest, header) : noRequest;
    const values = { isid, initiatorTaskTag, statusClass: error.status >> 8, statusDetail: error.status & 0xff };
    this.#connection.sender.send(loginResponse, values, printText(error.pairs), cmdSn);
  }
}

const noRequest = { isid: new Uint8Array(6), initiatorTaskTag: 0, cmdSn: 0 };
