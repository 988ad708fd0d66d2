/** Answers of SCSI commands: Data-In, residuals and status (RFC 7143 11.4, 11.7, 4.2.4). */

import { readFailed } from '../scsi/device-server.ts';
import { type Completion, type Extent, status } from '../scsi/task.ts';
import { taskSet } from '../scsi/task-set.ts';
import { systemError } from '../system/system-error.ts';
import { borrowBuffer, giveBack } from './buffer-pool.ts';
import type { Command } from './command.ts';
import { state } from './command-state.ts';
import { lentBytesMin, readAheadBytes, segmentBytesMax } from './limits.ts';
import type { Link } from './link.ts';
import { dataIn, noTag, scsiResponse, senseSegment } from './pdu.ts';
import type { Session } from './session.ts';

export class Answers {
  readonly #connection: Link;
  readonly #session: Session;
  readonly #finish: (command: Command) => void;
  /** Commands that wait for the output to drain, oldest first. */
  #queue: Command[] = [];

  /** @param finish ends a command; it writes nothing itself, for a PDU is being written */
  constructor(connection: Link, session: Session, finish: (command: Command) => void) {
    this.#connection = connection;
    this.#session = session;
    this.#finish = finish;
  }

  /** Sends an answer, now or when the output drains. */
  answer(command: Command): void {
    if (this.#queue.length > 0 || this.#connection.output.blocked || this.#send(command) === 'blocked')
      this.#queue.push(command);
  }

  drained(): void {
    let count = 0;
    for (const command of this.#queue) {
      if (this.#connection.output.blocked || this.#send(command) === 'blocked') break;
      count += 1;
    }
    this.#queue = this.#queue.slice(count);
  }

  #send(command: Command): 'done' | 'blocked' | 'reading' {
    if (isOver(command)) return 'done';
    if (command.task?.aborted || this.#connection.closed) {
      this.#finish(command);
      return 'done';
    }
    const completion = command.completion!;
    const length = toSend(command, completion);
    while (command.sent < length && command.completion === completion) {
      if (this.#connection.output.blocked) return 'blocked';
      if (!this.#sendPiece(command, completion, length)) {
        this.#readAhead(command, completion.dataIn as Extent, length);
        return 'reading';
      }
    }
    // The status went with the last data (RFC 7143 11.7.4: status collapse).
    if (!isOver(command)) this.#respond(command, command.completion ?? completion);
    return 'done';
  }

  /** One Data-In. @returns false when its data has to be waited for */
  #sendPiece(command: Command, completion: Completion, length: number): boolean {
    const connection = this.#connection;
    const { writer } = connection.sender;
    const { MaxBurstLength } = this.#session.parameters;
    const start = command.sent;
    const size = Math.min(
      length - start,
      segmentBytesMax,
      // RFC 7143 11.7.6: a Data-In has whole words, but for the last of a sequence.
      connection.parameters.MaxRecvDataSegmentLength & ~3,
      MaxBurstLength - command.burst,
    );
    const source = completion.dataIn!;
    const passes = this.#passes(command, source, size);
    const straight = passes ? source.volume.straight?.(source.position + start, size) : undefined;
    let at = writer.begin(dataIn.blank, size, passes);
    const isPassed = straight !== undefined || (passes && this.#lend(source, start, size));
    if (passes && !isPassed) at = writer.begin(dataIn.blank, size);
    if (!isPassed && !this.#fill(command, source, writer.dataStart, size)) return false;

    const { bytes } = writer;
    const { fields } = dataIn;
    command.sent += size;
    command.burst += size;
    const last = command.sent === length;
    const endsBurst = last || command.burst === MaxBurstLength;
    if (endsBurst) command.burst = 0;
    // Data that is not copied yet may still fail to be read: status then comes in a PDU of its own.
    const hasStatus = last && completion.status === status.good && !straight;
    fields.final.set(bytes, at, endsBurst);
    fields.initiatorTaskTag.set(bytes, at, command.tag);
    fields.targetTransferTag.set(bytes, at, noTag);
    fields.dataSn.set(bytes, at, command.dataInSn);
    fields.bufferOffset.set(bytes, at, start);
    command.dataInSn += 1;
    if (hasStatus) {
      fields.hasStatus.set(bytes, at, true);
      this.#stampLast(command, completion, at);
    } else connection.sender.stamp(bytes, at, false);
    writer.end();
    if (straight && !connection.output.pass!(straight, size))
      command.completion = readFailed(command.task!, systemError('EIO', 'read'));
    return true;
  }

  /**
   * Whether a piece of a volume may go to the socket as it is, if the volume can do that. Data in the socket still follows the file: the
   * next task would change what an earlier task has read, which only tasks that are not ordered may (SAM-5 8.6).
   */
  #passes({ task }: Command, source: Uint8Array | Extent, size: number): source is Extent {
    if (!isExtent(source) || size < lentBytesMin || size % 4 !== 0) return false;
    const { output, sender } = this.#connection;
    const { lend, straight } = source.volume;
    if (!output.passes || !(lend || straight) || sender.writer.dataDigest) return false;
    return !(task?.unit && taskSet.of(task.unit.storageObject).ordered);
  }

  /** The PDU that was begun gets its data from where it lies. */
  #lend({ volume, position }: Extent, from: number, size: number): boolean {
    const { output, sender } = this.#connection;
    return output.lend?.(volume, position + from, size, sender.writer.headerLength) ?? false;
  }

  /** Puts the data into the output. @returns false when the volume has to be waited for */
  #fill(command: Command, source: Uint8Array | Extent, at: number, size: number): boolean {
    const { bytes } = this.#connection.sender.writer;
    if (!isExtent(source)) {
      bytes.set(source.subarray(command.sent, command.sent + size), at);
      return true;
    }
    const { ahead } = command;
    if (ahead && command.sent - command.aheadAt + size <= ahead.length) {
      const from = command.sent - command.aheadAt;
      bytes.set(size === ahead.length ? ahead : ahead.subarray(from, from + size), at);
      if (from + size === ahead.length) {
        command.ahead = undefined;
        giveBack(ahead);
      }
      return true;
    }
    // A medium that could not answer at once on the fast path has to be waited for.
    if (command.tried) return false;
    return source.volume.readNow?.(bytes.subarray(at, at + size), source.position + command.sent) ?? false;
  }

  /** Reads the next piece of the volume; the command goes on when it is there. */
  #readAhead(command: Command, source: Extent, length: number): void {
    const size = Math.min(length - command.sent, readAheadBytes);
    const borrowed = borrowBuffer(size);
    const buffer = size === borrowed.length ? borrowed : borrowed.subarray(0, size);
    source.volume.read(buffer, source.position + command.sent).then(
      () => {
        command.ahead = buffer;
        command.aheadAt = command.sent;
        this.answer(command);
      },
      (error: unknown) => {
        // Data that was sent cannot be taken back; the residual says how much is missing.
        command.completion = readFailed(command.task!, error);
        this.answer(command);
      },
    );
  }

  /** A SCSI Response (RFC 7143 11.4). */
  #respond(command: Command, completion: Completion): void {
    const { writer } = this.#connection.sender;
    const sense = completion.sense;
    const at = writer.begin(scsiResponse.blank, sense ? senseSegment.length + sense.length : 0);
    const { bytes } = writer;
    const { fields } = scsiResponse;
    fields.final.set(bytes, at, true);
    fields.status.set(bytes, at, completion.status);
    fields.initiatorTaskTag.set(bytes, at, command.tag);
    // RFC 7143 11.4.8: R2Ts are not counted any more.
    fields.expDataSn.set(bytes, at, command.dataInSn);
    if (sense) {
      const data = writer.dataStart;
      senseSegment.fields.length.set(bytes, data, sense.length);
      bytes.set(sense, data + senseSegment.length);
    }
    this.#stampLast(command, completion, at);
    writer.end();
  }

  /**
   * Stamps the PDU at `at`, which brings the status of a command and so ends the command: after all that may still fail, and before the
   * PDU is stamped, since the window in it has room for another command.
   */
  #stampLast(command: Command, completion: Completion, at: number): void {
    const { sender } = this.#connection;
    const { bytes } = sender.writer;
    putResidual(bytes, at, command, completion);
    this.#finish(command);
    sender.stamp(bytes, at, true);
  }
}

const isOver = (command: Command): boolean => command.state === state.over;

const isExtent = (source: Uint8Array | Extent): source is Extent => !(source instanceof Uint8Array);

/** The number of bytes that the initiator gets. */
function toSend(command: Command, { dataIn: source }: Completion): number {
  return source && command.direction === 'read' ? Math.min(source.length, command.expected) : 0;
}

/** RFC 7143 11.4.5: the residual is the length of the command's data against the length that the initiator expected. */
function putResidual(bytes: Uint8Array, at: number, command: Command, completion: Completion): void {
  const given = Math.max(completion.dataIn?.length ?? 0, command.sent);
  const taken = command.task?.dataOutAsked ?? 0;
  const moved = { read: given, write: taken, none: Math.max(given, taken) }[command.direction];
  if (moved === command.expected) return;
  const { fields } = scsiResponse;
  (moved > command.expected ? fields.overflow : fields.underflow).set(bytes, at, true);
  fields.residualCount.set(bytes, at, Math.abs(moved - command.expected));
}
