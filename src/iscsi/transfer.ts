/** SCSI commands of one connection: their arrival and how their data comes in (RFC 7143 4.2.4, 11.3, 11.7). */

import { controlMode } from '../scsi/control-mode.ts';
import { admit, execute, retire } from '../scsi/device-server.ts';
import { land } from '../scsi/landing.ts';
import { encodeSense, type Sense, sense } from '../scsi/sense.ts';
import { type Completion, status, Task } from '../scsi/task.ts';
import { countCommand } from '../target/traffic.ts';
import { advance } from '../wire/serial.ts';
import { abandon, giveBack } from './buffer-pool.ts';
import { type Command, readCommand, type Sequence } from './command.ts';
import { DataIn } from './data-in.ts';
import { Gathering } from './gathering.ts';
import { dataOutBytesPerSecondMin, immediateTasksMax } from './limits.ts';
import type { Link } from './link.ts';
import { dataOut, noTag, scsiCommand } from './pdu.ts';
import type { Place } from './pdu-reader.ts';
import { rejectReason } from './protocol-error.ts';
import type { Session } from './session.ts';

/** How many commands that end in one go share a reading of the clock. */
const commandsPerTime = 16;

export class Transfer {
  readonly #connection: Link;
  readonly #session: Session;
  readonly #gathering: Gathering;
  readonly #dataIn: DataIn;
  /** The PDU at hand: the command and the sequence it belongs to, where its data goes, its F bit. */
  #current: Command | undefined;
  #sequence: Sequence | undefined;
  #offset = 0;
  #length = 0;
  #final = false;
  /** What the command at hand may go on with once its PDU is complete. */
  #afterwards: (() => void) | undefined;
  /** Immediate commands that are not answered yet. */
  #immediate = 0;
  /** The clock as it was read last, and for how many more commands that holds. */
  #now = 0;
  #timeLeft = 0;
  readonly #forgetTime = () => {
    this.#timeLeft = 0;
  };

  constructor(connection: Link, session: Session) {
    this.#connection = connection;
    this.#session = session;
    this.#gathering = new Gathering(connection, session);
    this.#dataIn = new DataIn(connection, (command) => this.drop(command));
  }

  /** A SCSI Command (RFC 7143 11.3). @returns where its immediate data goes */
  onCommand(bytes: Uint8Array, start: number, dataLength: number): Uint8Array | Place | undefined {
    const session = this.#session;
    const command = readCommand(this.#connection, bytes, start);
    const final = scsiCommand.fields.final.get(bytes, start);
    const { cmdSn, immediate } = command;
    this.#current = undefined;
    if (!immediate && !session.inWindow(cmdSn)) return undefined;
    const refusal = this.#refusal(command, dataLength, final);
    if (refusal !== undefined) return this.#connection.reject(refusal, bytes, start);

    this.#take(command, undefined, 0, dataLength, final);
    if (!final)
      command.unsolicited = this.#gathering.sequenceOf(noTag, dataLength, this.#gathering.unsolicitedEnd(command));
    session.commands.add(command);
    if (immediate) this.#immediate += 1;
    if (immediate || cmdSn === session.expCmdSn) {
      if (!immediate) session.expCmdSn = advance(cmdSn);
      this.#start(command);
    } else {
      command.waiting = true;
      session.inTurn(cmdSn, this.#connection, () => this.#goOn(command, () => this.#start(command)));
    }
    return dataLength > 0 ? this.#gathering.place(command, 0, dataLength) : undefined;
  }

  /** Why a SCSI Command is rejected (RFC 7143 11.3.1, 11.3.4, 13.10, 13.11, 13.14). */
  #refusal(command: Command, dataLength: number, final: boolean): number | undefined {
    const { commands, parameters } = this.#session;
    const isWrite = command.direction === 'write';
    if (command.tag === noTag || command.cdb.length === 0) return rejectReason.invalidPduField;
    if (commands.get(command.tag)) return rejectReason.taskInProgress;
    if (command.immediate && this.#immediate >= immediateTasksMax) return rejectReason.tooManyImmediateCommands;
    const allowed = isWrite && parameters.ImmediateData ? this.#gathering.unsolicitedEnd(command) : 0;
    if (dataLength > allowed) return rejectReason.protocolError;
    if (!final && (!isWrite || parameters.InitialR2T)) return rejectReason.protocolError;
    return undefined;
  }

  /** A Data-Out (RFC 7143 11.7). @returns where its data goes */
  onDataOut(bytes: Uint8Array, start: number, dataLength: number): Uint8Array | Place | undefined {
    const { fields } = dataOut;
    const command = this.#session.commands.get(fields.initiatorTaskTag.get(bytes, start));
    this.#current = undefined;
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
    return isWanted && dataLength > 0 ? this.#gathering.place(command, offset, dataLength) : undefined;
  }

  /** Data that nobody asked for. What has all its data already is not harmed by it. */
  #onStray(command: Command, transferTag: number, bytes: Uint8Array, start: number): undefined {
    const [reason, fault] =
      transferTag === noTag
        ? [rejectReason.protocolError, sense.unexpectedUnsolicitedData]
        : [rejectReason.invalidPduField, sense.incorrectAmountOfData];
    if ((command.running && !command.fetching) || command.completion)
      return this.#connection.reject(reason, bytes, start);
    this.#spoil(command, reason, fault, bytes, start);
    if (!command.waiting) this.#proceed(command);
  }

  /** RFC 7143 11.17.1: the command ends with CHECK CONDITION, once all that it asked for has come. */
  #spoil(command: Command, reason: number, fault: Sense, bytes: Uint8Array, start: number): void {
    if (!command.fault) this.#connection.reject(reason, bytes, start);
    command.fault ??= fault;
  }

  #take(command: Command, sequence: Sequence | undefined, offset: number, length: number, final: boolean): void {
    this.#current = command;
    this.#sequence = sequence;
    this.#offset = offset;
    this.#length = length;
    this.#final = final;
  }

  /** The command at hand is lost with its immediate data: its number may come again. */
  uncount(): void {
    const command = this.#current;
    const session = this.#session;
    if (!command || this.#sequence || command.immediate || session.expCmdSn !== advance(command.cmdSn)) return;
    session.expCmdSn = command.cmdSn;
    this.drop(command, true);
  }

  /** The PDU is complete. @returns false when its data digest was wrong and the command in it is lost */
  onData(intact: boolean): boolean {
    const command = this.#current;
    const sequence = this.#sequence;
    if (!command) return true;
    this.#current = undefined;
    if (!intact && !sequence) return false;
    if (!intact) command.fault ??= sense.protocolServiceCrcError;
    // A byte is worth the time that it may take, so that a trickle does not pass for progress.
    command.movedAt = Math.min(
      this.#connection.now,
      command.movedAt + (1000 * this.#length) / dataOutBytesPerSecondMin,
    );
    if (sequence) this.#account(command, sequence);
    else command.received += this.#length;
    const afterwards = this.#afterwards;
    this.#afterwards = undefined;
    if (afterwards) afterwards();
    else if (!command.waiting) this.#proceed(command);
    if (!sequence) this.#session.runHeld();
    return true;
  }

  /** Data-Out has come for a sequence; its last PDU has the F bit. */
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

  /** What a waiting command waited for has come. */
  #goOn(command: Command, step: () => void): void {
    const run = () => {
      command.waiting = false;
      if (command.over) return;
      step();
      if (!command.waiting) this.#proceed(command);
    };
    // A PDU that is being received writes into the buffer that the step would replace.
    if (this.#current === command) this.#afterwards = run;
    else run();
  }

  /** Makes the command a task. */
  #start(command: Command): void {
    const session = this.#session;
    const task = new Task({
      nexus: session.nexus!,
      lun: command.lun,
      unit: session.view(command.lun),
      cdb: command.cdb,
      attribute: command.attribute,
      tag: command.tag,
      dataOutOffered: command.direction === 'write' ? command.expected : 0,
      dataInOffered: command.direction === 'read' ? command.expected : 0,
    });
    command.task = task;
    command.completion = admit(task);
    if (command.completion || command.direction !== 'write' || command.expected === 0) return;
    // What has come already was gathered.
    if (!command.buffer && this.#connection.lands) task.landing = land(task);
    if (task.landing) command.pieceEnd = task.dataOutLength;
    else this.#reserve(command);
  }

  /** Gives it memory for its data, now or when there is some. */
  #reserve(command: Command): void {
    const { memory } = this.#session;
    const bytes = this.#gathering.bytesFor(command);
    // What came before its turn is there already.
    const more = bytes - command.reserved;
    if (memory.take(more)) {
      command.reserved = bytes;
      this.#gathering.allot(command, bytes);
      return;
    }
    command.waiting = true;
    memory.whenTaken(more, () => {
      command.reserved += more;
      if (command.over) this.#free(command);
      else this.#goOn(command, () => this.#gathering.allot(command, bytes));
    });
  }

  /** Asks for the data that is missing; runs the command when none is. */
  #proceed(command: Command): void {
    if (command.over || (command.running && !command.fetching)) return;
    if (command.task?.aborted) this.drop(command);
    else if (command.unsolicited) return;
    else if (command.completion) this.#complete(command, command.completion);
    else if (!command.fault && this.#gathering.lacks(command)) this.#gathering.request(command);
    // RFC 7143 7.8: the answer to damaged data, too, waits until all that was asked for has come.
    else if (command.requests.length > 0) return;
    else if (command.fetching) this.#gathering.hand(command);
    else if (command.fault) this.#fail(command, command.fault);
    else this.#run(command);
  }

  #run(command: Command): void {
    const task = command.task!;
    command.running = true;
    if (command.pieceEnd < task.dataOutLength) task.fetch = () => this.#fetch(command);
    // What takes no data is admitted and run in one go: its PDU is whole when its turn comes.
    const result = execute(task, command.direction === 'write');
    if (result instanceof Promise) void result.then((completion) => this.#complete(command, completion));
    else this.#complete(command, result);
  }

  #fetch(command: Command): Promise<Uint8Array> {
    const next = this.#gathering.next(command);
    this.#proceed(command);
    return next;
  }

  /** The transport's own CHECK CONDITION (RFC 7143 11.4.7.2). */
  #fail(command: Command, fault: Sense): void {
    const lu = command.task?.unit?.storageObject;
    const descriptor = lu !== undefined && controlMode.of(lu).descriptorSense;
    this.#complete(command, { status: status.checkCondition, sense: encodeSense(fault, descriptor) });
  }

  #complete(command: Command, completion: Completion): void {
    if (command.over) return;
    if (command.task?.aborted || this.#connection.closed) {
      this.drop(command);
      return;
    }
    command.completion = completion;
    command.running = false;
    command.fetching = undefined;
    // A task that another nexus ended may have asked for data: its answer comes behind that.
    if (command.requests.length > 0) return;
    // It has run, or never will: a command that is dropped on its way to the medium does not come here.
    if (command.buffer) giveBack(command.buffer);
    command.buffer = undefined;
    this.#free(command);
    this.#dataIn.answer(command);
  }

  /** The output takes more. */
  drained(): void {
    this.#dataIn.drained();
  }

  /** Ends a command: it is answered, or will never be. @param keepsPlace its number was not received, and may come again */
  drop(command: Command, keepsPlace = false): void {
    if (command.over) return;
    command.over = true;
    const session = this.#session;
    session.commands.delete(command);
    if (command.completion) this.#count(command, command.completion.status === status.good);
    if (command.immediate) this.#immediate -= 1;
    else if (!keepsPlace) session.answered();
    this.#free(command);
    if (command.task) retire(command.task);
  }

  #count(command: Command, good: boolean): void {
    const session = this.#session;
    const { ends } = this.#connection;
    const { lun, sent, received } = command;
    const ms = this.#time() - command.arrivedAt;
    countCommand(session.traffic, good, sent, received, ms);
    const traffic = session.trafficOf(lun, ends.portal);
    if (traffic) countCommand(traffic, good, sent, received, ms);
  }

  /**
   * The host's clock, never before the last arrival. It is not read for each of the commands that end in one go: that
   * would be felt.
   */
  #time(): number {
    if (this.#timeLeft === 0) {
      this.#now = this.#connection.host.now();
      queueMicrotask(this.#forgetTime);
      this.#timeLeft = commandsPerTime;
    }
    this.#timeLeft -= 1;
    // What came after the last reading may end before the next one.
    return Math.max(this.#now, this.#connection.now);
  }

  #free(command: Command): void {
    if (command.buffer) abandon(command.buffer);
    command.buffer = undefined;
    if (command.reserved === 0) return;
    const { reserved } = command;
    command.reserved = 0;
    this.#session.memory.giveBack(reserved);
  }
}
