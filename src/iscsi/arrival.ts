/** SCSI Command and Data-Out PDUs as they come in: refusals, and the place of their data (RFC 7143 4.2.4, 11.3, 11.7). */

import { type Sense, sense } from '../scsi/sense.ts';
import { advanceSerial } from '../wire/serial.ts';
import { type Command, readCommand, type Sequence } from './command.ts';
import { state } from './command-state.ts';
import type { DataOut } from './data-out.ts';
import type { FastPath } from './fast-path.ts';
import { dataOutBytesPerSecondMin, immediateTasksMax } from './limits.ts';
import type { Link } from './link.ts';
import { dataOut, noTag, scsiCommand } from './pdu.ts';
import type { SegmentPlace } from './pdu-reader.ts';
import { rejectReason } from './protocol-error.ts';
import type { Session } from './session.ts';
import type { Transfer } from './transfer.ts';

export class Arrival {
  readonly #connection: Link;
  readonly #session: Session;
  readonly #transfer: Transfer;
  readonly #dataOut: DataOut;
  readonly #fastPath: FastPath | undefined;
  /** The PDU at hand, of the command `Transfer.receiving`: the sequence that it belongs to, where its data goes, its F bit. */
  #sequence: Sequence | undefined;
  #offset = 0;
  #length = 0;
  #final = false;

  constructor(connection: Link, session: Session, transfer: Transfer, fastPath: FastPath | undefined) {
    this.#connection = connection;
    this.#session = session;
    this.#transfer = transfer;
    this.#dataOut = transfer.dataOut;
    this.#fastPath = fastPath;
  }

  /** Takes a SCSI Command (RFC 7143 11.3). @returns the place of its immediate data; a PDU without data is complete */
  onCommand(bytes: Uint8Array, start: number, dataLength: number): Uint8Array | SegmentPlace | undefined {
    const session = this.#session;
    const command = readCommand(this.#connection, bytes, start);
    if (this.#fastPath?.tried) {
      command.tried = true;
      this.#fastPath.tried = false;
    }
    const final = scsiCommand.fields.final.get(bytes, start);
    this.#transfer.receiving = undefined;
    if (!command.immediate && !session.inWindow(command.cmdSn)) return undefined;
    const refusal = this.#refusal(command, dataLength, final);
    if (refusal !== undefined) return this.#connection.reject(refusal, bytes, start);

    this.#take(command, undefined, 0, dataLength, final);
    if (!final)
      command.unsolicited = this.#dataOut.sequenceOf(noTag, dataLength, this.#dataOut.unsolicitedEnd(command));
    this.#transfer.begin(command);
    if (dataLength > 0) return this.#dataOut.place(command, 0, dataLength);
    this.onData(true);
    return undefined;
  }

  /** The reason to reject a SCSI Command (RFC 7143 11.3.1, 11.3.4, 13.10, 13.11, 13.14). */
  #refusal(command: Command, dataLength: number, final: boolean): number | undefined {
    const { commands, parameters } = this.#session;
    const isWrite = command.direction === 'write';
    if (command.tag === noTag || command.cdb.length === 0) return rejectReason.invalidPduField;
    if (commands.get(command.tag)) return rejectReason.taskInProgress;
    if (command.immediate && this.#transfer.immediate >= immediateTasksMax)
      return rejectReason.tooManyImmediateCommands;
    const allowed = isWrite && parameters.ImmediateData ? this.#dataOut.unsolicitedEnd(command) : 0;
    if (dataLength > allowed) return rejectReason.protocolError;
    if (!final && (!isWrite || parameters.InitialR2T)) return rejectReason.protocolError;
    return undefined;
  }

  /** Takes a Data-Out (RFC 7143 11.7). @returns the place of its data; a PDU without data is complete */
  onDataOut(bytes: Uint8Array, start: number, dataLength: number): Uint8Array | SegmentPlace | undefined {
    const { fields } = dataOut;
    const command = this.#session.commands.get(fields.initiatorTaskTag.get(bytes, start));
    this.#transfer.receiving = undefined;
    // Data of a task that was answered or aborted may still be on its way.
    if (!command || command.connection !== this.#connection || command.direction !== 'write') return undefined;
    const transferTag = fields.targetTransferTag.get(bytes, start);
    const offset = fields.bufferOffset.get(bytes, start);
    // Within a task, R2Ts are answered in their order.
    const sequence = transferTag === noTag ? command.unsolicited : command.requests[0];
    if (sequence?.transferTag !== transferTag) return this.#onStray(command, transferTag, bytes, start);

    const fits = sequence.coverage ? offset >= sequence.start : offset === sequence.at;
    const isWanted = fits && offset + dataLength <= sequence.end;
    if (!isWanted) this.#spoil(command, rejectReason.invalidPduField, sense.incorrectAmountOfData, bytes, start);
    // RFC 7143 7.9: a DataSN out of order stands for lost data, which is treated as a digest error.
    else if (fields.dataSn.get(bytes, start) !== sequence.dataSn) command.fault ??= sense.protocolServiceCrcError;
    this.#take(command, sequence, offset, isWanted ? dataLength : 0, fields.final.get(bytes, start));
    if (dataLength === 0) this.onData(true);
    return isWanted && dataLength > 0 ? this.#dataOut.place(command, offset, dataLength) : undefined;
  }

  /** Takes data that nobody asked for. A command that has all its data already is not harmed. */
  #onStray(command: Command, transferTag: number, bytes: Uint8Array, start: number): undefined {
    const [reason, fault] =
      transferTag === noTag
        ? [rejectReason.protocolError, sense.unexpectedUnsolicitedData]
        : [rejectReason.invalidPduField, sense.incorrectAmountOfData];
    const now = command.state;
    if (now === state.running || now === state.ending || now === state.answering)
      return this.#connection.reject(reason, bytes, start);
    this.#spoil(command, reason, fault, bytes, start);
    this.#transfer.proceed(command);
  }

  /** RFC 7143 11.17.1: the command ends with CHECK CONDITION, once all data that was asked for has come. */
  #spoil(command: Command, reason: number, fault: Sense, bytes: Uint8Array, start: number): void {
    if (!command.fault) this.#connection.reject(reason, bytes, start);
    command.fault ??= fault;
  }

  #take(command: Command, sequence: Sequence | undefined, offset: number, length: number, final: boolean): void {
    this.#transfer.receiving = command;
    this.#sequence = sequence;
    this.#offset = offset;
    this.#length = length;
    this.#final = final;
  }

  /** Gives back the number of the command at hand, which is lost with its immediate data: the number may come again. */
  uncount(): void {
    const command = this.#transfer.receiving;
    const session = this.#session;
    if (!command || this.#sequence || command.immediate || session.expCmdSn !== advanceSerial(command.cmdSn)) return;
    session.expCmdSn = command.cmdSn;
    this.#transfer.drop(command, true);
  }

  /** The PDU is complete. @returns false when its data digest was wrong and the command in it is lost */
  onData(intact: boolean): boolean {
    const command = this.#transfer.receiving;
    const sequence = this.#sequence;
    if (!command) return true;
    if (!intact && !sequence) {
      this.#transfer.receiving = undefined;
      return false;
    }
    if (!intact) command.fault ??= sense.protocolServiceCrcError;
    // Each byte gains the command no more time than it may take, so that a trickle does not pass for progress.
    command.movedAt = Math.min(
      this.#connection.now,
      command.movedAt + (1000 * this.#length) / dataOutBytesPerSecondMin,
    );
    if (sequence) this.#account(command, sequence);
    else command.received += this.#length;
    this.#transfer.received(command);
    if (!sequence) this.#session.runHeld();
    return true;
  }

  /** Accounts for Data-Out of a sequence, whose last PDU has the F bit. */
  #account(command: Command, sequence: Sequence): void {
    const { coverage } = sequence;
    sequence.dataSn += 1;
    if (!coverage) sequence.at += this.#length;
    else {
      if (!coverage.add(this.#offset, this.#offset + this.#length)) command.fault ??= sense.incorrectAmountOfData;
      sequence.at = coverage.reach(sequence.start);
    }
    command.received = sequence.at;
    if (!this.#final) return;
    if (sequence === command.unsolicited) command.unsolicited = undefined;
    else {
      command.requests.shift();
      if (sequence.at < sequence.end) command.fault ??= sense.incorrectAmountOfData;
    }
  }
}
