/** The life of the SCSI commands of one connection: the work in each of their states (command-state.ts). */

import { controlMode } from '../scsi/control-mode.ts';
import { admitTask, awaitLimits, executeTask, retireTask } from '../scsi/device-server.ts';
import { landingOf } from '../scsi/landing.ts';
import { encodeSense, type Sense, sense } from '../scsi/sense.ts';
import { type Completion, status, Task } from '../scsi/task.ts';
import { abortTask } from '../scsi/task-management.ts';
import { addUnitAttention } from '../scsi/unit-attention.ts';
import { Tally } from '../target/traffic.ts';
import { advanceSerial } from '../wire/serial.ts';
import { Answers } from './answers.ts';
import type { Command } from './command.ts';
import { type CommandEvent, event, state, stateAfter } from './command-state.ts';
import { DataOut } from './data-out.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';

const enter = (command: Command, what: CommandEvent): void => {
  command.state = stateAfter(command.state, what);
};

export class Transfer {
  readonly #connection: Link;
  readonly #session: Session;
  readonly dataOut: DataOut;
  readonly #answers: Answers;
  readonly tally: Tally;
  /** The command that the PDU at hand belongs to. */
  receiving: Command | undefined;
  /** The step that this command may go on with once the PDU is complete. */
  #afterwards: (() => void) | undefined;
  /** Immediate commands that are not answered yet. */
  immediate = 0;

  constructor(connection: Link, session: Session) {
    this.#connection = connection;
    this.#session = session;
    this.dataOut = new DataOut(connection, session);
    this.#answers = new Answers(connection, session, (command) => this.drop(command));
    this.tally = new Tally(connection.host);
  }

  /** Begins the life of a command that is not refused, now or in its turn. */
  begin(command: Command): void {
    const session = this.#session;
    const { cmdSn, immediate } = command;
    session.commands.add(command);
    if (immediate) this.immediate += 1;
    if (immediate || cmdSn === session.expCmdSn) {
      if (!immediate) session.expCmdSn = advanceSerial(cmdSn);
      this.#start(command);
    } else {
      enter(command, event.isEarly);
      session.inTurn(cmdSn, this.#connection, () => this.#goOn(command, event.turn, () => this.#start(command)));
    }
  }

  /** Notes that the PDU of the command at hand is complete. */
  received(command: Command): void {
    this.receiving = undefined;
    const afterwards = this.#afterwards;
    this.#afterwards = undefined;
    if (afterwards) afterwards();
    else this.proceed(command);
  }

  /** Goes on with a command when its turn, its share or its memory has come. */
  #goOn(command: Command, what: CommandEvent, step: () => void): void {
    const run = () => {
      if (command.state === state.over) return;
      enter(command, what);
      step();
      this.proceed(command);
    };
    // A PDU that is being received writes into the buffer that the step would replace.
    if (this.receiving === command) this.#afterwards = run;
    else run();
  }

  /** Makes the command a task. */
  #start(command: Command): void {
    const session = this.#session;
    const task = new Task({
      nexus: session.nexus!,
      lun: command.lun,
      unit: session.units.view(command.lun),
      cdb: command.cdb,
      attribute: command.attribute,
      tag: command.tag,
      dataOutOffered: command.direction === 'write' ? command.expected : 0,
      dataInOffered: command.direction === 'read' ? command.expected : 0,
    });
    task.tried = command.tried;
    command.task = task;
    command.completion = admitTask(task);
    if (command.completion) enter(command, event.outcome);
    if (command.completion || command.direction !== 'write' || command.expected === 0) return;
    // A command that waits for the limits of its LUN takes no memory from those that need not.
    const limited = awaitLimits(task);
    if (limited === undefined) {
      this.#makeRoom(command);
      return;
    }
    enter(command, event.aboveLimit);
    const goOn = (completion: Completion | undefined) =>
      this.#goOn(command, event.withinLimit, () => {
        command.completion = completion;
        if (completion) enter(command, event.outcome);
        else this.#makeRoom(command);
      });
    limited.then(goOn).catch((error: unknown) => this.#connection.fail(error));
  }

  /** Says where the data of a command goes. */
  #makeRoom(command: Command): void {
    const task = command.task!;
    // Data that has come already lies in memory, so the rest goes there, too.
    if (!command.buffer && this.#connection.lands) task.landing = landingOf(task);
    if (task.landing) command.pieceEnd = task.dataOutLength;
    else this.#reserve(command);
  }

  /** Gives the command memory for its data, now or when there is some. */
  #reserve(command: Command): void {
    const bytes = this.dataOut.bytesFor(command);
    const allot = () => this.dataOut.allot(command, bytes);
    if (this.dataOut.reserve(command, bytes, () => this.#goOn(command, event.memory, allot))) allot();
    else enter(command, event.noMemory);
  }

  /** Goes on with a command: it asks for the data that is missing, runs when none is, or is answered. */
  proceed(command: Command): void {
    const now = command.state;
    if (now !== state.gathering && now !== state.asking && now !== state.ending) return;
    if (command.task?.aborted) this.drop(command);
    else if (command.unsolicited) return;
    else if (now !== state.ending && !command.fault && this.dataOut.lacks(command)) {
      enter(command, event.dataMissing);
      this.dataOut.request(command);
    }
    // RFC 7143 7.8: an answer, to damaged data too, waits until all that was asked for has come.
    else if (command.requests.length > 0) return;
    else if (now === state.ending) this.#answer(command);
    else if (command.piece) {
      enter(command, event.dataComplete);
      this.dataOut.hand(command);
    } else if (command.fault) this.#fail(command, command.fault);
    else this.#run(command);
  }

  #run(command: Command): void {
    const task = command.task!;
    enter(command, event.dataComplete);
    if (command.pieceEnd < task.dataOutLength) task.fetch = () => this.#fetch(command);
    // A command without data-out is admitted and run in one step: its PDU is complete when its turn comes.
    const result = executeTask(task, command.direction === 'write');
    if (result instanceof Promise)
      result
        .then((completion) => this.#complete(command, completion))
        .catch((error: unknown) => this.#connection.fail(error));
    else this.#complete(command, result);
  }

  /** Asks for the next piece of the task's data. */
  #fetch(command: Command): Promise<Uint8Array> {
    const next = this.dataOut.next(command);
    enter(command, event.dataMissing);
    this.proceed(command);
    return next;
  }

  /** Answers with the transport's own CHECK CONDITION (RFC 7143 11.4.7.2). */
  #fail(command: Command, fault: Sense): void {
    const lu = command.task?.unit?.storageObject;
    const descriptor = lu !== undefined && controlMode.of(lu).descriptorSense;
    this.#complete(command, { status: status.checkCondition, sense: encodeSense(fault, descriptor) });
  }

  #complete(command: Command, completion: Completion): void {
    if (command.state === state.over) return;
    if (command.task?.aborted || this.#connection.closed) {
      this.drop(command);
      return;
    }
    command.completion = completion;
    command.piece = undefined;
    enter(command, event.outcome);
    // A task that another nexus ended may have asked for data: its answer comes behind that.
    if (command.requests.length === 0) this.#answer(command);
  }

  #answer(command: Command): void {
    enter(command, event.nothingOwed);
    // The command has run, or never will: a command that is dropped on its way to the medium does not come here.
    this.dataOut.giveBack(command);
    this.#answers.answer(command);
  }

  /** Goes on with answers, because the output takes more. */
  drained(): void {
    this.#answers.drained();
  }

  /** Ends all commands of the connection. @returns when none of them is on its way to a medium any more */
  async end(): Promise<void> {
    const session = this.#session;
    const nexus = session.nexus!;
    const stopping: Promise<unknown>[] = [];
    // RFC 7143 11.14: a command that has not had its turn counts as never received, and its number may come again.
    session.discard(this.#connection);
    for (const command of session.commands) {
      if (command.connection !== this.#connection) continue;
      const { task, lun, tag } = command;
      if (task) stopping.push(abortTask(nexus, lun, tag));
      // RFC 7143 7.6: the initiator of a session that goes on is told.
      if (task?.unit) addUnitAttention(nexus, task.unit.storageObject, sense.commandsClearedByTransport);
      this.drop(command, task === undefined && !command.immediate);
    }
    await Promise.all(stopping);
  }

  /** Drops a command that is answered, or never will be. @param keepsPlace its number was not received, and may come again */
  drop(command: Command, keepsPlace = false): void {
    if (command.state === state.over) return;
    enter(command, event.end);
    const session = this.#session;
    session.commands.delete(command);
    const { completion, lun, sent, received, arrivedAt } = command;
    if (completion) {
      const traffic = session.units.reach(lun, this.#connection.ends.portal)?.traffic;
      const { now } = this.#connection;
      this.tally.count(session.traffic, traffic, completion.status === status.good, sent, received, arrivedAt, now);
    }
    if (command.immediate) this.immediate -= 1;
    else if (!keepsPlace) session.answered();
    this.dataOut.abandon(command);
    if (command.task) retireTask(command.task);
  }
}
