/** One connection, from login to logout: bytes in, PDUs out. The work on commands is done by `Transfer`, that on all else by `requests`. */

import { reasonOf } from '../errors.ts';
import { type Log, type LogEvent, type LogRecord, logBug, logEvents } from '../log.ts';
import type { IoVector } from '../system/io-vector.ts';
import { bracketed, printPortal, type Tpg } from '../target/target.ts';
import { copyOf } from '../wire/layout.ts';
import { Arrival } from './arrival.ts';
import type { Command } from './command.ts';
import { type ConnectionEvent, type ConnectionState, nextState } from './connection-state.ts';
import type { Ends } from './ends.ts';
import { FastPath } from './fast-path.ts';
import type { ConnectionHost } from './host.ts';
import { lateness, wantsPing } from './keep-alive.ts';
import { defaultParameters, type NegotiatedParameters } from './keys.ts';
import { logoutSeconds, segmentBytesMax } from './limits.ts';
import type { Link } from './link.ts';
import { LoginPhase } from './login-phase.ts';
import { announceDrop, askForLogout, sendPing, showWindow } from './notices.ts';
import type { Output } from './output.ts';
import {
  dataOut,
  header,
  headerBytes,
  loginRequest,
  logoutRequest,
  noTag,
  numbered,
  reject,
  scsiCommand,
} from './pdu.ts';
import { type PduHandler, PduReader, type SegmentPlace } from './pdu-reader.ts';
import { ConnectionError, FormatError, LoginError, loginStatus, rejectReason } from './protocol-error.ts';
import { type RequestPdu, refusalOf, requests } from './requests.ts';
import { Sender } from './sender.ts';
import type { Session } from './session.ts';
import { TextExchange } from './text-exchange.ts';
import { Transfer } from './transfer.ts';

const nothing: Uint8Array = new Uint8Array();

const isRequestOrLogin = (opcode: number): boolean => requests.has(opcode) || opcode === loginRequest.opcode;

export class Connection implements PduHandler, Link {
  readonly host: ConnectionHost;
  readonly ends: Ends;
  readonly output: Output;
  readonly sender: Sender;
  /** The parameters of the session, with this connection's own digests and lengths. */
  parameters: NegotiatedParameters = defaultParameters();
  session: Session | undefined;
  cid = 0;
  state: ConnectionState = 'XPT_UP';
  closed = false;
  /** Immediate task management requests that are not answered yet. */
  managing = 0;
  /** The host's clock at the last sign of life, and at a ping that is not answered yet. */
  now: number;
  pingedAt: number | undefined;
  readonly #reader: PduReader;
  readonly #login: LoginPhase;
  #transfer: Transfer | undefined;
  #arrival: Arrival | undefined;
  #fastPath: FastPath | undefined;
  readonly #text = new TextExchange();
  /** Set when the initiator was asked to log out: the reason, and the time by which it has to. */
  #leaving: { readonly why: string; readonly due: number } | undefined;
  readonly #gone = Promise.withResolvers<void>();
  /** The request that is being received, when it is not for `#transfer`. */
  #header: Uint8Array | undefined;
  #data: Uint8Array = nothing;

  constructor(host: ConnectionHost, ends: Ends, output: Output) {
    this.host = host;
    this.ends = ends;
    this.output = output;
    this.sender = new Sender(output);
    this.#reader = new PduReader(this);
    this.now = host.now();
    this.#login = new LoginPhase(this);
  }

  feed(bytes: Uint8Array, start: number, end: number): number {
    if (!this.#isAlive()) return end;
    return this.#guarded(() => this.#reader.feed(bytes, start, end)) ?? end;
  }

  /** The memory into which the transport may receive the rest of a data segment; `filled` says how many bytes came. */
  get wanted(): Uint8Array | undefined {
    return this.closed ? undefined : this.#reader.wanted;
  }

  get left(): number {
    return this.#reader.left;
  }

  get headerBytes(): number {
    return this.#reader.headerBytes;
  }

  lend(available: number, to: IoVector): number | undefined {
    return this.#guarded(() => this.#reader.lend(available, to));
  }

  took(count: number): void {
    this.#alive(() => this.#reader.took(count));
  }

  /** Whether data may go to a medium before all of it has come: it comes in order, and has no digest. */
  get lands(): boolean {
    return this.output.lands === true && !this.#reader.dataDigest && this.session?.parameters.DataPDUInOrder === true;
  }

  filled(count: number): void {
    this.#alive(() => this.#reader.filled(count));
  }

  get settled(): boolean {
    return this.session !== undefined || this.ends.handOver === undefined;
  }

  /** Does the work after a sign of life of the initiator. */
  #alive(work: () => void): void {
    if (this.#isAlive()) this.#guarded(work);
  }

  #isAlive(): boolean {
    if (this.closed) return false;
    this.now = this.host.now();
    this.pingedAt = undefined;
    return true;
  }

  /** Does work that may throw: an error ends this connection and no other. */
  #guarded<T>(work: () => T): T | undefined {
    if (this.closed) return undefined;
    try {
      return work();
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** Goes on with answers, because the output takes more. */
  drained(): void {
    this.#alive(() => this.#transfer?.drained());
  }

  onWhole(bytes: Uint8Array, start: number, dataStart: number, dataLength: number): boolean {
    const fast = this.#fastPath;
    // In a session of several connections every header has to be read for its ExpStatSN.
    if (!fast || this.closed || this.state !== 'LOGGED_IN' || this.session?.connections.size !== 1) return false;
    return bytes[start] === scsiCommand.opcode && fast.take(bytes, start, dataStart, dataLength);
  }

  onHeader(bytes: Uint8Array, start: number, dataLength: number): Uint8Array | SegmentPlace | undefined {
    if (this.closed) return undefined;
    const opcode = header.opcode.get(bytes, start);
    // ExpStatSN matters only where a session has several connections.
    if (this.session && this.session.connections.size > 1)
      this.sender.acknowledge(numbered.expStatSn.get(bytes, start));
    if (this.#arrival && this.session?.type === 'Normal') {
      if (this.#reader.dataDigest && dataLength > 0) this.#header = copyOf(bytes, start, headerBytes);
      if (opcode === scsiCommand.opcode && this.state === 'LOGGED_IN')
        return this.#arrival.onCommand(bytes, start, dataLength);
      if (opcode === dataOut.opcode) return this.#arrival.onDataOut(bytes, start, dataLength);
    }
    const refusal = this.#refusal(opcode);
    if (refusal !== undefined) {
      this.#header = undefined;
      return this.reject(refusal, bytes, start);
    }
    const head = copyOf(bytes, start, headerBytes);
    if (dataLength === 0) {
      this.#receive(head, nothing);
      return undefined;
    }
    this.#header = head;
    this.#data = new Uint8Array(dataLength);
    return this.#data;
  }

  /** The reason to reject a request whatever its contents. @throws ConnectionError when there is no answer for it */
  #refusal(opcode: number): number | undefined {
    if (this.#transfer && this.session) return refusalOf(opcode, this.state, this.session);
    if (opcode !== loginRequest.opcode)
      throw new LoginError(loginStatus.invalidDuringLogin, `opcode ${opcode} in login`);
    return undefined;
  }

  onData(intact: boolean): void {
    if (this.closed) return;
    const head = this.#header;
    this.#header = undefined;
    const data = this.#data;
    this.#data = nothing;
    const isRequest = head !== undefined && isRequestOrLogin(header.opcode.get(head, 0));
    // RFC 7143 7.8: the PDU is discarded and rejected; 11.17.1: a command in it does not count.
    if (!intact) this.#arrival?.uncount();
    if (!intact && head) this.reject(rejectReason.dataDigestError, head, 0);
    if (!isRequest && this.#arrival?.onData(intact) === false)
      throw new ConnectionError('a command was lost to its data digest');
    if (isRequest && intact) this.#receive(head, data);
    else if (isRequest) this.#lost(head);
  }

  /** Takes a whole request, whose header and data are copies. */
  #receive(head: Uint8Array, data: Uint8Array): void {
    const opcode = header.opcode.get(head, 0);
    if (opcode === loginRequest.opcode) this.#receiveLogin(head, data);
    else this.#receiveRequest(head, data, requests.get(opcode)!);
  }

  /** Notes a discarded request, whose gap in CmdSN nothing fills at error recovery level 0. */
  #lost(head: Uint8Array): void {
    if (!header.immediate.get(head, 0)) throw new ConnectionError('a request was lost to its data digest');
  }

  #receiveRequest(head: Uint8Array, data: Uint8Array, request: RequestPdu): void {
    const session = this.session!;
    const opcode = header.opcode.get(head, 0);
    const cmdSn = numbered.cmdSn.get(head, 0);
    // The commands that were refused because of the logout have left a gap in CmdSN.
    const isDue = this.#leaving && opcode === logoutRequest.opcode;
    if (header.immediate.get(head, 0) || isDue) request.run(this, head, data);
    else if (session.inWindow(cmdSn))
      session.inTurn(cmdSn, this, () => {
        if (!request.answersLater) session.answered();
        request.run(this, head, data);
      });
  }

  #receiveLogin(head: Uint8Array, text: Uint8Array): void {
    if (this.state === 'XPT_UP') this.sender.startAt(numbered.expStatSn.get(head, 0));
    this.#enter('login request');
    this.#login.receive(head, text);
  }

  /** Joins a session: answers carry the session's numbers from now on. */
  join(session: Session, { cid, parameters }: { cid: number; parameters: NegotiatedParameters }): void {
    this.session = this.sender.window = session;
    this.cid = cid;
    this.parameters = parameters;
    session.connections.set(cid, this);
  }

  /** Enters full feature phase (RFC 7143 6.3) once the last Login Response is written: digests and all other requests begin. */
  enterFullFeature(): void {
    const session = this.session!;
    const { writer } = this.sender;
    this.#reader.headerDigest = writer.headerDigest = this.parameters.HeaderDigest === 'CRC32C';
    this.#reader.dataDigest = writer.dataDigest = this.parameters.DataDigest === 'CRC32C';
    this.#reader.segmentBytesMax = segmentBytesMax;
    this.#transfer = new Transfer(this, session);
    if (session.type === 'Normal') this.#fastPath = new FastPath(this, session, this.#transfer.tally);
    this.#arrival = new Arrival(this, session, this.#transfer, this.#fastPath);
    this.#enter('login succeeded');
    this.#say('iscsi login');
  }

  exchangeText(head: Uint8Array, data: Uint8Array): void {
    this.#text.receive(this, head, data);
  }

  /** Rejects the PDU whose header stands at `start` (RFC 7143 11.17). */
  reject(reason: number, bytes: Uint8Array, start: number): undefined {
    this.#say('iscsi reject', `reason ${reason}, opcode ${header.opcode.get(bytes, start)}`);
    const bad = copyOf(bytes, start, headerBytes);
    this.sender.send(reject, { final: true, reason, initiatorTaskTag: noTag }, bad);
  }

  /** Leaves the connection to the loop that serves the target: this loop does nothing with it any more, and it stays open. */
  leave(tpg: Tpg): void {
    this.closed = true;
    this.#gone.resolve();
    this.ends.handOver?.(tpg);
  }

  /** Ends a command without an answer. */
  forget(command: Command, keepsPlace = false): void {
    this.#transfer?.drop(command, keepsPlace);
  }

  /** Looks at the clocks; called every `tickMs`. */
  tick(): void {
    if (this.closed) return;
    const { session } = this;
    const now = this.host.now();
    const late = session ? lateness(this, session) : this.#login.lateness();
    if (late) void this.close(late);
    else if (this.#leaving && now >= this.#leaving.due) this.drop(this.#leaving.why, 'connection');
    else if (!session || this.output.blocked) return;
    else if (this.pingedAt === undefined && wantsPing(this, session)) {
      this.pingedAt = now;
      sendPing(this.sender);
    } else if (session.shownMaxCmdSn !== session.maxCmdSn) showWindow(this.sender);
  }

  /** Looks at the tree, which has changed: a login that is not allowed any more ends here, as sessions do. */
  reconsider(): void {
    if (!this.session) this.#guarded(() => this.#login.reconsider());
  }

  /** Begins a logout: nothing new is taken from here on. @returns when the commands under way have stopped */
  async beginLogout(): Promise<void> {
    this.#enter('logout request');
    await this.#transfer?.end();
  }

  /** Ends a logout, whose response is written. */
  endLogout(): void {
    this.#enter('logout answered');
    void this.close('logout');
  }

  /**
   * Asks the initiator to log out and serves its commands under way meanwhile; the connection is dropped when no logout comes in time
   * (RFC 7143 11.9.1). A connection that cannot be asked is closed. @returns when it is closed
   */
  requestLogout(why: string): Promise<void> {
    if (this.state === 'LOGGED_IN' && this.session?.type === 'Normal') {
      this.#leaving = { why, due: this.host.now() + logoutSeconds * 1000 };
      this.#enter('logout wanted');
      askForLogout(this.sender);
    } else if (!this.#leaving && this.state !== 'IN_LOGOUT') void this.close(why);
    return this.#gone.promise;
  }

  /** Says that the connection or its session is dropped, and closes. */
  drop(why: string, what: 'connection' | 'session'): void {
    if (this.closed) return;
    // RFC 7143 7.4.3: a discovery session has no such messages.
    if (this.session?.type === 'Normal')
      announceDrop(this.sender, what === 'session' ? what : this, this.session.parameters.DefaultTime2Wait);
    void this.close(why);
  }

  /** Ends the connection because of `error`: with an answer to the initiator where there is one, and a log record if the error is a bug. */
  fail(error: unknown): void {
    if (this.closed) return;
    if (error instanceof LoginError) {
      const portal = printPortal({ address: this.ends.localAddress, port: this.ends.localPort });
      this.#say(error.isRedirection ? 'iscsi login redirected' : 'iscsi login refused', error.message, { portal });
      this.#login.refuse(error);
    } else if (error instanceof FormatError) {
      for (const other of this.session?.connections.values() ?? []) if (other !== this) void other.close(error.message);
    } else if (!(error instanceof ConnectionError)) logBug(this.#log, 'iscsi connection', error);
    void this.close(reasonOf(error));
  }

  /** Closes the connection and ends its commands. @returns when they have stopped */
  async close(why: string, event: ConnectionEvent = 'lost'): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.#enter(event);
    this.#enter('cleaned up');
    this.output.end();
    this.sender.end();
    const { session } = this;
    if (session) {
      this.#say('iscsi connection closed', why);
      session.connections.delete(this.cid);
      const commands = this.#transfer?.end();
      // A connection that was ended by another one leaves the session to that one.
      const isLast = session.connections.size === 0 && event !== 'ended by another';
      await Promise.all([commands, isLast ? this.host.sessionTable.end(session) : undefined]);
    }
    this.#gone.resolve();
  }

  #enter(event: ConnectionEvent): void {
    this.state = nextState(this.state, event);
  }

  #say(event: LogEvent, reason?: string, more: LogRecord['detail'] = {}): void {
    const { level } = logEvents[event];
    this.#log({ level, event, detail: { ...more, ...(reason !== undefined && { reason }) } } as LogRecord);
  }

  /** Logs records with their session, initiator and target. */
  readonly #log: Log = ({ detail, ...record }) => {
    const { session, cid, ends } = this;
    const { initiator, target } = this.#login.claims;
    const whose = {
      ...(session && { session: session.id, cid }),
      ...(session ? { target: session.tpg?.path ?? 'discovery' } : target && { target }),
      ...(initiator && { initiator }),
      address: `${bracketed(ends.remoteAddress)}:${ends.remotePort}`,
    };
    this.host.log({ ...record, detail: { ...whose, ...detail } });
  };
}
