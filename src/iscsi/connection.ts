/** One connection: bytes in, PDUs out. From login to logout; what it cannot do itself it hands to `Transfer` and `requests`. */

import { reasonOf } from '../errors.ts';
import { type Log, type LogLevel, logBug } from '../log.ts';
import { abortTask } from '../scsi/task-management.ts';
import type { Addresses, FabricState } from '../target/fabric.ts';
import { bracketed, type Portal, type Tpg } from '../target/tpg.ts';
import type { Fields, Values } from '../wire/layout.ts';
import { copyOf, write } from '../wire/layout.ts';
import { advance } from '../wire/serial.ts';
import type { Command } from './command.ts';
import { type ConnectionEvent, type ConnectionState, next } from './connection-state.ts';
import type { Asker } from './discovery.ts';
import { lateness, wantsPing } from './keep-alive.ts';
import { defaultParameters, type Parameters } from './keys.ts';
import { LoginPhase } from './login-phase.ts';
import type { Output } from './output.ts';
import {
  asyncMessage,
  dataOut,
  header,
  headerBytes,
  loginRequest,
  nopIn,
  noTag,
  numbered,
  numbers,
  type Pdu,
  reject,
  scsiCommand,
  snackRequest,
} from './pdu.ts';
import { type PduHandler, PduReader } from './pdu-reader.ts';
import { PduWriter } from './pdu-writer.ts';
import { ConnectionError, LoginError, loginStatus, rejectReason } from './protocol-error.ts';
import { type Request, requests } from './requests.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { TextExchange } from './text-exchange.ts';
import { Transfer } from './transfer.ts';

/** The engine, as a connection sees it. */
export interface Host {
  readonly state: FabricState;
  readonly sessionTable: Sessions;
  readonly log: Log;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  random(bytes: number): Uint8Array;
  boundPort(portal: Portal): number | undefined;
  endSessions(tpg: Tpg, why: string): void;
}

/** Where a connection comes from and goes to. */
export interface Ends extends Addresses {
  /** For people: counts up in this process. */
  readonly id: number;
  /** Present where no target is served: takes the connection away, to where `tpg` is, before anything is answered. */
  readonly handOver?: (tpg: Tpg) => void;
  /** The TPGs behind the portal. */
  tpgs(): readonly Tpg[];
}

/** RFC 7143 11.9.1, AsyncEvent: all connections of the session are dropped. */
const sessionDropped = 3;

const nothing: Uint8Array = new Uint8Array();

export class Connection implements PduHandler {
  readonly host: Host;
  readonly ends: Ends;
  readonly output: Output;
  readonly writer: PduWriter;
  readonly text = new TextExchange();
  /** The session's with this connection's own digests and lengths. */
  parameters: Parameters = defaultParameters();
  session: Session | undefined;
  cid = 0;
  state: ConnectionState = 'XPT_UP';
  closed = false;
  /** The host's clock at the last sign of life. */
  now: number;
  readonly #startedAt: number;
  readonly #reader: PduReader;
  readonly #login: LoginPhase;
  /** The last Login Request, for the answer when it fails. */
  #loginHeader: Uint8Array | undefined;
  #transfer: Transfer | undefined;
  #statSn = 0;
  #pingedAt: number | undefined;
  /** The request that is being received, when it is not for `#transfer`. */
  #header: Uint8Array | undefined;
  #data: Uint8Array = nothing;

  constructor(host: Host, ends: Ends, output: Output) {
    this.host = host;
    this.ends = ends;
    this.output = output;
    this.writer = new PduWriter(output);
    this.#reader = new PduReader(this);
    this.now = host.now();
    this.#startedAt = this.now;
    this.#login = new LoginPhase(this);
  }

  /** Takes bytes, cut anywhere. Whatever is wrong with them ends this connection and no other. */
  feed(bytes: Uint8Array, start: number, end: number): void {
    if (this.closed) return;
    this.#signOfLife();
    try {
      this.#reader.feed(bytes, start, end);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Where the transport may receive the rest of a data segment; `filled` says how much of it came. */
  get wanted(): Uint8Array | undefined {
    return this.closed ? undefined : this.#reader.wanted;
  }

  filled(count: number): void {
    if (this.closed) return;
    this.#signOfLife();
    try {
      this.#reader.filled(count);
    } catch (error) {
      this.fail(error);
    }
  }

  get settled(): boolean {
    return this.session !== undefined || this.ends.handOver === undefined;
  }

  #signOfLife(): void {
    this.now = this.host.now();
    this.#pingedAt = undefined;
  }

  /** The output takes more. */
  drained(): void {
    if (this.closed) return;
    this.#signOfLife();
    this.#transfer?.drained();
  }

  onHeader(bytes: Uint8Array, start: number, dataLength: number): Uint8Array | undefined {
    if (this.closed) return undefined;
    const opcode = header.opcode.get(bytes, start);
    if (this.#transfer && this.session!.type === 'Normal') {
      if (this.#reader.dataDigest) this.#header = copyOf(bytes, start, headerBytes);
      if (opcode === scsiCommand.opcode) return this.#transfer.onCommand(bytes, start, dataLength);
      if (opcode === dataOut.opcode) return this.#transfer.onDataOut(bytes, start, dataLength);
    }
    const refusal = this.#refusal(opcode);
    if (refusal !== undefined) {
      this.#header = undefined;
      return this.reject(refusal, bytes, start);
    }
    this.#header = copyOf(bytes, start, headerBytes);
    this.#data = dataLength > 0 ? new Uint8Array(dataLength) : nothing;
    return this.#data;
  }

  /** Why a request is not taken, whatever it says. @throws ConnectionError when there is nothing to answer with */
  #refusal(opcode: number): number | undefined {
    if (!this.#transfer) {
      if (opcode !== loginRequest.opcode)
        throw new LoginError(loginStatus.invalidDuringLogin, `opcode ${opcode} in login`);
      return undefined;
    }
    if (this.state === 'IN_LOGOUT') return rejectReason.waitingForLogout;
    if (opcode === snackRequest.opcode) return rejectReason.snackReject;
    if (opcode === loginRequest.opcode) return rejectReason.protocolError;
    const request = requests.get(opcode);
    if (!request)
      return this.session!.type === 'Discovery' ? rejectReason.protocolError : rejectReason.commandNotSupported;
    return this.session!.type === 'Discovery' && !request.inDiscovery ? rejectReason.protocolError : undefined;
  }

  onData(intact: boolean): void {
    if (this.closed) return;
    const head = this.#header;
    this.#header = undefined;
    const opcode = head ? header.opcode.get(head, 0) : undefined;
    const isRequest = opcode !== undefined && (requests.has(opcode) || opcode === loginRequest.opcode);
    // RFC 7143 7.8: the PDU is discarded and rejected.
    if (!intact && head) this.reject(rejectReason.dataDigestError, head, 0);
    if (!head || !isRequest) this.#takeTransfer(intact);
    else if (intact && opcode === loginRequest.opcode) this.#receiveLogin(head, this.#data);
    else if (intact) this.#receiveRequest(head, requests.get(opcode!)!);
    else this.#lost(head);
  }

  #takeTransfer(intact: boolean): void {
    if (this.#transfer && !this.#transfer.onData(intact))
      throw new ConnectionError('a command was lost to its data digest');
  }

  /** A discarded request leaves a gap in CmdSN that nothing fills at error recovery level 0. */
  #lost(head: Uint8Array): void {
    if (!header.immediate.get(head, 0)) throw new ConnectionError('a request was lost to its data digest');
  }

  #receiveRequest(head: Uint8Array, request: Request): void {
    const session = this.session!;
    const data = this.#data;
    this.#data = nothing;
    const cmdSn = numbered.cmdSn.get(head, 0);
    if (header.immediate.get(head, 0)) request.run(this, head, data);
    else if (session.inWindow(cmdSn))
      session.inTurn(cmdSn, () => {
        if (this.closed) return;
        if (!request.answersLater) session.answered();
        request.run(this, head, data);
      });
  }

  #receiveLogin(head: Uint8Array, text: Uint8Array): void {
    this.#data = nothing;
    if (this.state === 'XPT_UP') this.#statSn = numbered.expStatSn.get(head, 0);
    this.#enter('login request');
    this.#loginHeader = head;
    this.#login.receive(head, text);
  }

  /** It belongs to a session from now on, whose numbers its answers carry. */
  join(session: Session, { cid, parameters }: { cid: number; parameters: Parameters }): void {
    this.session = session;
    this.cid = cid;
    this.parameters = parameters;
    session.connections.set(cid, this);
  }

  /** The last Login Response is written: digests and all other requests begin (RFC 7143 6.3). */
  enterFullFeature(): void {
    const session = this.session!;
    this.#reader.headerDigest = this.writer.headerDigest = this.parameters.HeaderDigest === 'CRC32C';
    this.#reader.dataDigest = this.writer.dataDigest = this.parameters.DataDigest === 'CRC32C';
    this.#transfer = new Transfer(this, session);
    this.#enter('login succeeded');
    this.#say('info', 'iscsi login');
  }

  /** Puts our numbers into an answer. @param counts it carries a StatSN of its own */
  stamp(start: number, counts: boolean): void {
    const { bytes } = this.writer;
    numbers.statSn.set(bytes, start, this.#statSn);
    if (counts) this.#statSn = advance(this.#statSn);
    const { session } = this;
    if (!session) return;
    numbers.expCmdSn.set(bytes, start, session.expCmdSn);
    numbers.maxCmdSn.set(bytes, start, session.maxCmdSn);
  }

  /** Sends a PDU that carries a StatSN. @param cmdSn what ExpCmdSN says while there is no session */
  send<F extends Fields>(pdu: Pdu<F>, values: Partial<Values<Pdu<F>['fields']>>, data = nothing, cmdSn = 0): void {
    const at = this.#begin(pdu, values, data);
    if (!this.session) {
      numbers.expCmdSn.set(this.writer.bytes, at, cmdSn);
      numbers.maxCmdSn.set(this.writer.bytes, at, cmdSn);
    }
    this.stamp(at, true);
    this.writer.end();
  }

  #begin<F extends Fields>(pdu: Pdu<F>, values: Partial<Values<Pdu<F>['fields']>>, data: Uint8Array): number {
    const at = this.writer.begin(pdu as Pdu<Fields>, data.length);
    write(pdu.fields as Fields, this.writer.bytes, at, values as Partial<Values<Fields>>);
    this.writer.bytes.set(data, this.writer.dataStart);
    return at;
  }

  /** Rejects the PDU whose header stands at `start` (RFC 7143 11.17). */
  reject(reason: number, bytes: Uint8Array, start: number): undefined {
    this.#say('debug', 'iscsi reject', `reason ${reason}, opcode ${header.opcode.get(bytes, start)}`);
    const bad = copyOf(bytes, start, headerBytes);
    this.send(reject, { final: true, reason, initiatorTaskTag: noTag }, bad);
  }

  /** The target is served elsewhere: nothing is done with the connection here any more, and it stays open. */
  leave(tpg: Tpg): void {
    this.closed = true;
    this.ends.handOver?.(tpg);
  }

  /** Ends a command without an answer. */
  drop(command: Command): void {
    this.#transfer?.drop(command);
  }

  asker(): Asker {
    const { host, ends, session } = this;
    return {
      initiatorName: session!.initiatorName,
      localAddress: ends.localAddress,
      boundPort: (portal) => host.boundPort(portal),
    };
  }

  /** Looks at the clocks; called every `tickMs`. */
  tick(): void {
    if (this.closed) return;
    const late = this.session ? lateness(this, this.session) : this.#loginLateness();
    if (late) void this.close(late);
    else if (this.session && this.#pingedAt === undefined && wantsPing(this, this.session)) this.#ping();
  }

  #loginLateness(): string | undefined {
    const { seconds } = this.#login;
    return this.host.now() - this.#startedAt > seconds * 1000 ? `no login within ${seconds} s` : undefined;
  }

  /** RFC 7143 11.19: a ping has no task tag, and a transfer tag that its answer brings back. */
  #ping(): void {
    if (this.output.blocked) return;
    this.#pingedAt = this.host.now();
    const at = this.#begin(nopIn, { final: true, initiatorTaskTag: noTag, targetTransferTag: 0 }, nothing);
    this.stamp(at, false);
    this.writer.end();
  }

  /** Answers a logout and closes. */
  logOut(answer: () => void): void {
    this.#enter('logout request');
    answer();
    this.#enter('logout answered');
    void this.close('logout');
  }

  /** Tells the initiator that its session ends, and ends it (RFC 7143 11.9). */
  dismiss(why: string): void {
    if (this.session && !this.closed) {
      const { DefaultTime2Wait: parameter2, DefaultTime2Retain: parameter3 } = this.session.parameters;
      const values = { final: true, initiatorTaskTag: noTag, asyncEvent: sessionDropped, parameter2, parameter3 };
      this.send(asyncMessage, values);
      this.#enter('logout wanted');
    }
    void this.close(why);
  }

  /** Something was thrown: the initiator's fault ends the connection with what answer there is; ours is logged too. */
  fail(error: unknown): void {
    if (this.closed) return;
    if (error instanceof LoginError) {
      this.#say('warning', 'iscsi login refused', error.message);
      this.#login.refuse(error, this.#loginHeader);
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
    const { session } = this;
    if (!session) return;
    this.#say('info', 'iscsi connection closed', why);
    session.connections.delete(this.cid);
    const stopping: Promise<unknown>[] = [];
    for (const command of session.commands.values()) {
      if (command.connection !== this) continue;
      if (command.task) stopping.push(abortTask(session.nexus!, command.lun, command.tag));
      this.drop(command);
    }
    if (session.connections.size === 0) stopping.push(this.host.sessionTable.end(session));
    await Promise.all(stopping);
  }

  #enter(event: ConnectionEvent): void {
    this.state = next(this.state, event);
  }

  #say(level: LogLevel, event: string, reason?: string): void {
    this.#log({ level, event, ...(reason !== undefined && { detail: { reason } }) });
  }

  /** Every line says whose it is. */
  readonly #log: Log = ({ detail, ...record }) => {
    const { session, cid, ends } = this;
    const initiator = this.#login.initiatorName;
    const whose = {
      ...(session && { session: session.id, cid, target: session.tpg?.path ?? 'discovery' }),
      ...(initiator && { initiator }),
      address: `${bracketed(ends.remoteAddress)}:${ends.remotePort}`,
    };
    this.host.log({ ...record, detail: { ...whose, ...detail } });
  };
}
