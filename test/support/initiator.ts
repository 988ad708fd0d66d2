/** An initiator that speaks raw PDUs: it numbers requests, adds digests and takes answers apart, and judges nothing. */

import {
  dataOut,
  decodePdu,
  encodePdu,
  header,
  headerBytes,
  loginRequest,
  loginResponse,
  logoutRequest,
  noTag,
  type Pdu,
  padding,
  pdus,
  scsiCommand,
  textRequest,
} from '../../src/iscsi/pdu.ts';
import { slicedCrc32c } from '../../src/wire/crc32c.ts';
import type { Fields, Values } from '../../src/wire/layout.ts';
import { type Pair, parseText, printText } from '../../src/wire/text.ts';

/** An answer: the fields of its declaration by name, and its data. */
export interface ReceivedPdu {
  readonly name: string;
  readonly values: Record<string, number & boolean & Uint8Array>;
  readonly data: Buffer;
  /** The data of the PDU as text. */
  readonly text: Record<string, string>;
}

/** The outcome of a command. */
export interface CommandOutcome {
  readonly status: number;
  readonly data: Buffer;
  /** `5/24/00` */
  readonly sense: string;
  readonly overflow: boolean;
  readonly underflow: boolean;
  readonly residual: number;
  /** All answers on the way, in order. */
  readonly pdus: readonly ReceivedPdu[];
}

export interface CommandOptions {
  lun?: number;
  /** Expected Data Transfer Length; by default the data's. */
  length?: number;
  read?: boolean;
  write?: boolean;
  /** The data that the command sends: immediate data first, the rest as it is asked for. */
  data?: Uint8Array;
  immediateData?: number;
  immediate?: boolean;
  attribute?: number;
  /** False: unsolicited Data-Out follows. */
  final?: boolean;
}

/** Longest data segment that is sent. */
const segmentBytes = 256 * 1024;

const isid = Uint8Array.of(0x80, 0, 0, 0, 0, 1);

export class Initiator {
  name = 'iqn.2026-01.com.example:initiator';
  isid = isid;
  cid = 0;
  tsih = 0;
  cmdSn = 1;
  expStatSn = 1;
  headerDigest = false;
  dataDigest = false;
  /** Every answer that nobody asked for yet. */
  readonly inbox: ReceivedPdu[] = [];
  readonly #targetName: string;
  readonly #send: (bytes: Uint8Array) => void;
  lastTag = 0;
  /** A socket is in between: an answer may take its time. */
  remote = false;
  #waiting: (() => void)[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(targetName: string, send: (bytes: Uint8Array) => void) {
    this.#targetName = targetName;
    this.#send = send;
  }

  /** Bytes from the target, cut anywhere. */
  receive(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const pdu = this.#takePdu();
      if (!pdu) break;
      this.inbox.push(pdu);
    }
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #takePdu(): ReceivedPdu | undefined {
    const bytes = this.#rest;
    if (bytes.length < headerBytes) return undefined;
    const length = header.dataSegmentLength.get(bytes, 0);
    const dataAt = headerBytes + (this.headerDigest ? 4 : 0);
    const dataEnd = dataAt + length + padding(length);
    const end = dataEnd + (this.dataDigest && length > 0 ? 4 : 0);
    if (bytes.length < end) return undefined;
    if (this.headerDigest) checkDigest(bytes, 0, headerBytes);
    if (this.dataDigest && length > 0) checkDigest(bytes, dataAt, dataEnd);
    this.#rest = bytes.subarray(end);
    const pdu = pdus.get(header.opcode.get(bytes, 0));
    if (!pdu) throw new Error(`opcode ${bytes[0]} from the target`);
    const values = decodePdu(pdu, bytes) as unknown as ReceivedPdu['values'];
    if (typeof values['statSn'] === 'number' && values['initiatorTaskTag'] !== noTag)
      this.expStatSn = values['statSn'] + 1;
    const data = Buffer.from(bytes.subarray(dataAt, dataAt + length));
    const pairs = parseText(data, 1000);
    return { name: pdu.name, values, data, text: typeof pairs === 'string' ? {} : Object.fromEntries(pairs) };
  }

  /** The next answer, as soon as it is there. */
  async next(): Promise<ReceivedPdu> {
    for (let turns = 0; this.inbox.length === 0; turns += 1) {
      if (turns > 1000) throw new Error('no answer');
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        if (!this.remote) setImmediate(resolve);
      });
    }
    return this.inbox.shift()!;
  }

  /** A fresh initiator task tag. */
  tag(): number {
    this.lastTag += 1;
    return this.lastTag;
  }

  /** The bytes of a PDU with its digests. */
  bytes<F extends Fields>(
    pdu: Pdu<F>,
    values: Partial<Values<Pdu<F>['fields']>>,
    data: Uint8Array = new Uint8Array(),
  ): Buffer {
    const head = encodePdu(pdu, { ...values, dataSegmentLength: data.length } as never);
    const padded = Buffer.concat([data, new Uint8Array(padding(data.length))]);
    const digests = [
      this.headerDigest ? digest(head) : none,
      this.dataDigest && data.length > 0 ? digest(padded) : none,
    ];
    return Buffer.concat([head, digests[0]!, padded, digests[1]!]);
  }

  raw(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  send<F extends Fields>(pdu: Pdu<F>, values: Partial<Values<Pdu<F>['fields']>>, data?: Uint8Array): void {
    this.raw(this.bytes(pdu, values, data));
  }

  /** A CmdSN for a request; an immediate one carries the next and does not use it up. */
  number(immediate = false): { cmdSn: number; expStatSn: number; immediate: boolean } {
    const cmdSn = this.cmdSn;
    if (!immediate) this.cmdSn = (this.cmdSn + 1) >>> 0;
    return { cmdSn, expStatSn: this.expStatSn, immediate };
  }

  /** One Login Request; resolves with its answer. */
  async loginStep(
    stage: number,
    nextStage: number | undefined,
    keys: Record<string, string> | readonly Pair[],
  ): Promise<ReceivedPdu> {
    const pairs = Array.isArray(keys) ? keys : Object.entries(keys);
    const transit = nextStage !== undefined;
    this.send(loginRequest, { ...this.loginValues(stage), transit, nextStage: nextStage ?? 0 }, printText(pairs));
    return this.next();
  }

  loginValues(stage: number) {
    const { isid, tsih, cid, cmdSn, expStatSn } = this;
    return { immediate: true, currentStage: stage, isid, tsih, cid, cmdSn, expStatSn, initiatorTaskTag: 0x10 };
  }

  get names(): Record<string, string> {
    return { InitiatorName: this.name, TargetName: this.#targetName, SessionType: 'Normal' };
  }

  /** Logs in from the operational stage. @throws Error with class and detail when refused */
  async login(keys: Record<string, string> = {}): Promise<ReceivedPdu> {
    const names = keys['SessionType'] === 'Discovery' ? { InitiatorName: this.name } : this.names;
    const answer = await this.loginStep(1, 3, { ...names, ...keys });
    this.loggedIn(answer);
    return answer;
  }

  /** Takes over what the last login answer said. */
  loggedIn(answer: ReceivedPdu): void {
    const { statusClass, statusDetail, tsih } = answer.values;
    if (answer.name !== loginResponse.name || statusClass !== 0)
      throw new Error(`login refused: ${statusClass}/${statusDetail}`);
    this.tsih = tsih!;
    this.headerDigest = answer.text['HeaderDigest'] === 'CRC32C';
    this.dataDigest = answer.text['DataDigest'] === 'CRC32C';
  }

  /** Sends a SCSI command. @returns its task tag */
  sendCommand(cdb: readonly number[], options: CommandOptions = {}): number {
    const tag = this.tag();
    const data = options.data?.subarray(0, options.immediateData ?? 0);
    this.send(
      scsiCommand,
      {
        ...this.number(options.immediate),
        final: options.final ?? true,
        read: options.read ?? false,
        write: options.write ?? options.data !== undefined,
        attribute: options.attribute ?? 1,
        lun: Uint8Array.of(0, options.lun ?? 0, 0, 0, 0, 0, 0, 0),
        initiatorTaskTag: tag,
        expectedDataTransferLength: options.length ?? options.data?.length ?? 0,
        cdb: Uint8Array.from(cdb),
      },
      data,
    );
    return tag;
  }

  /** Sends a SCSI command and sees it through, answering R2Ts. */
  async command(cdb: readonly number[], options: CommandOptions = {}): Promise<CommandOutcome> {
    const tag = this.sendCommand(cdb, options);
    return this.finish(tag, options.data);
  }

  /** Sees a command through. */
  async finish(tag: number, data: Uint8Array = new Uint8Array()): Promise<CommandOutcome> {
    const answers: ReceivedPdu[] = [];
    const pieces: Buffer[] = [];
    for (;;) {
      const pdu = await this.next();
      // Messages of the target in between are no part of the command.
      if (pdu.name === 'Asynchronous Message') continue;
      if (pdu.values['initiatorTaskTag'] !== tag)
        throw new Error(`${pdu.name} of another task: ${JSON.stringify(pdu.values)}`);
      answers.push(pdu);
      if (pdu.name === 'Ready To Transfer') this.sendRequested(pdu, data);
      if (pdu.name === 'SCSI Data-In') pieces.push(pdu.data);
      if (pdu.name === 'SCSI Response' || pdu.values['hasStatus']) return outcome(pdu, pieces, answers);
    }
  }

  /** Sends the data that an R2T asks for. */
  sendRequested({ values }: ReceivedPdu, data: Uint8Array): void {
    const from = values['bufferOffset']!;
    this.sendData(
      {
        lun: values['lun']!,
        initiatorTaskTag: values['initiatorTaskTag']!,
        targetTransferTag: values['targetTransferTag']!,
      },
      data,
      from,
      from + values['desiredDataTransferLength']!,
    );
  }

  /** A sequence of Data-Out with the bytes `from` to `to` of the data, in segments that every target takes. */
  sendData(task: Partial<Values<typeof dataOut.fields>>, data: Uint8Array, from: number, to: number): void {
    let dataSn = 0;
    for (let at = from; at < to; at += segmentBytes) {
      const end = Math.min(to, at + segmentBytes);
      const values = { ...task, final: end === to, expStatSn: this.expStatSn, dataSn, bufferOffset: at };
      this.send(dataOut, values, data.subarray(at, end));
      dataSn += 1;
    }
  }

  async text(keys: Record<string, string>): Promise<ReceivedPdu> {
    const numbers = { ...this.number(), initiatorTaskTag: this.tag(), targetTransferTag: noTag };
    this.send(textRequest, { ...numbers, final: true }, printText(Object.entries(keys)));
    return this.next();
  }

  async logout(reason = 0): Promise<ReceivedPdu> {
    this.send(logoutRequest, { ...this.number(), final: true, reason, cid: this.cid, initiatorTaskTag: this.tag() });
    return this.next();
  }
}

const none = Buffer.alloc(0);

function digest(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(slicedCrc32c(bytes, 0, bytes.length));
  return out;
}

function checkDigest(bytes: Buffer, start: number, end: number): void {
  if (bytes.readUInt32LE(end) !== slicedCrc32c(bytes, start, end)) throw new Error('digest of the target is wrong');
}

function outcome(last: ReceivedPdu, pieces: Buffer[], answers: ReceivedPdu[]): CommandOutcome {
  const { values } = last;
  const sense = last.name === 'SCSI Response' && last.data.length > 2 ? last.data.subarray(2) : undefined;
  const hex = (at: number) => sense![at]!.toString(16).padStart(2, '0');
  return {
    status: values['status']!,
    data: Buffer.concat(pieces),
    sense: sense ? `${(sense[2]! & 0xf).toString(16)}/${hex(12)}/${hex(13)}` : '',
    overflow: values['overflow']!,
    underflow: values['underflow']!,
    residual: values['residualCount']!,
    pdus: answers,
  };
}
