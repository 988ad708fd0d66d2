/**
 * Data-out of SCSI commands: its place in memory, and the R2Ts that ask for it (RFC 7143 11.7, 11.8). Of a long transfer there is one
 * piece at a time: the next piece is asked for when the task wants it, and takes the place of the one before.
 */

import { dataOutBytesMax } from '../scsi/opcode.ts';
import { CheckCondition } from '../scsi/sense.ts';
import { advanceSerial } from '../wire/serial.ts';
import { abandonBuffer, borrowBuffer, giveBack } from './buffer-pool.ts';
import type { Command, Sequence } from './command.ts';
import { state } from './command-state.ts';
import { Coverage } from './coverage.ts';
import type { Link } from './link.ts';
import { lunHalves, noTag, readyToTransfer } from './pdu.ts';
import type { SegmentPlace } from './pdu-reader.ts';
import type { Session } from './session.ts';

/** A view of a buffer. It is the buffer itself where the range is all of it, as it mostly is for short data. */
const part = (buffer: Uint8Array, from: number, to: number): Uint8Array =>
  from === 0 && to === buffer.length ? buffer : buffer.subarray(from, to);

export class DataOut {
  readonly #connection: Link;
  readonly #session: Session;
  #lastTransferTag = 0;

  constructor(connection: Link, session: Session) {
    this.#connection = connection;
    this.#session = session;
  }

  /** The number of bytes of a command's data that may come unsolicited (RFC 7143 13.14). */
  unsolicitedEnd({ expected }: Command): number {
    return Math.min(this.#session.parameters.FirstBurstLength, expected);
  }

  /** The Data-Out that is to come from `start` to `end`. */
  sequenceOf(transferTag: number, start: number, end: number): Sequence {
    const coverage = this.#session.parameters.DataPDUInOrder ? undefined : new Coverage();
    return { transferTag, start, end, dataSn: 0, at: start, coverage };
  }

  /** The memory that the data of a task takes at a time. Unsolicited data has to be kept in any case. */
  bytesFor(command: Command): number {
    return Math.max(this.#firstEnd(command), this.unsolicitedEnd(command));
  }

  #firstEnd(command: Command): number {
    const pieces = Math.max(1, Math.ceil(this.unsolicitedEnd(command) / dataOutBytesMax));
    return Math.min(command.task!.dataOutLength, pieces * dataOutBytesMax);
  }

  /**
   * Takes memory of the session for a command. Data that came before the command's turn is there already.
   * @returns false when there is none now; `whenTaken` is called when there is, while the command lives
   */
  reserve(command: Command, bytes: number, whenTaken: () => void): boolean {
    const { memory } = this.#session;
    const more = bytes - command.reserved;
    const isThere = memory.take(more);
    if (isThere) command.reserved = bytes;
    else
      memory.whenTaken(more, () => {
        command.reserved += more;
        if (command.state === state.over) this.abandon(command);
        else whenTaken();
      });
    return isThere;
  }

  /** Gives back the memory of a command, which nobody reads or writes any more. */
  giveBack(command: Command): void {
    if (command.buffer) giveBack(command.buffer);
    command.buffer = undefined;
    this.abandon(command);
  }

  /** Gives up the memory of a command, which somebody may still read or write. */
  abandon(command: Command): void {
    if (command.buffer) abandonBuffer(command.buffer);
    command.buffer = undefined;
    if (command.reserved === 0) return;
    const { reserved } = command;
    command.reserved = 0;
    this.#session.memory.giveBack(reserved);
  }

  /** Gives a command the memory that was reserved; data that has come moves there. */
  allot(command: Command, bytes: number): void {
    const early = command.buffer;
    const { task } = command;
    command.buffer = borrowBuffer(bytes);
    if (early) command.buffer.set(early.subarray(0, this.unsolicitedEnd(command)));
    command.pieceEnd = this.#firstEnd(command);
    task!.dataOut = part(command.buffer, 0, command.pieceEnd);
  }

  /** The piece behind the one at hand; `hand` gives it when it has come. */
  next(command: Command): Promise<Uint8Array> {
    command.pieceStart = command.pieceEnd;
    command.pieceEnd = Math.min(command.task!.dataOutLength, command.pieceStart + dataOutBytesMax);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    command.piece = { resolve, reject };
    // The initiator was not asked for data while the medium was at work, so that time does not count against it.
    command.movedAt = this.#connection.host.now();
    return promise;
  }

  /** Gives the task the piece that it waits for, or the fault of that piece. */
  hand(command: Command): void {
    const { piece: wanted, fault, buffer, pieceStart, pieceEnd } = command;
    command.piece = undefined;
    if (fault) wanted?.reject(new CheckCondition(fault));
    else wanted?.resolve(part(buffer!, 0, pieceEnd - pieceStart));
  }

  /** The place of data; undefined when the command was refused. A command that waits has room for unsolicited data. */
  place(command: Command, offset: number, length: number): Uint8Array | SegmentPlace | undefined {
    if (command.state === state.ending) return undefined;
    const landing = command.task?.landing;
    if (landing)
      return {
        set: (bytes, at) => landing.put(bytes, offset + at),
        lend: (at, available, to) => landing.lend(offset + at, available, to),
        took: (at, count) => landing.took(offset + at, count),
      } satisfies SegmentPlace;
    const at = offset - command.pieceStart;
    return part(command.buffer ?? this.#gatherEarly(command, this.unsolicitedEnd(command)), at, at + length);
  }

  /** Makes room for all unsolicited data, which the initiator may send before its command has come up, or has memory. */
  #gatherEarly(command: Command, bytes: number): Uint8Array {
    const buffer = borrowBuffer(bytes);
    command.buffer = buffer;
    command.reserved += bytes;
    this.#session.memory.add(bytes);
    return buffer;
  }

  /** Whether data of the piece was not asked for and has not come. */
  lacks(command: Command): boolean {
    return Math.max(command.requested, command.received) < command.pieceEnd;
  }

  /** Asks for missing data, with as many R2Ts as may be outstanding (RFC 7143 13.17). */
  request(command: Command): void {
    const { MaxOutstandingR2T, MaxBurstLength } = this.#session.parameters;
    const end = command.pieceEnd;
    command.requested = Math.max(command.requested, command.received);
    while (command.requests.length < MaxOutstandingR2T && command.requested < end)
      this.#request(command, Math.min(MaxBurstLength, end - command.requested));
  }

  /** Sends an R2T (RFC 7143 11.8). */
  #request(command: Command, length: number): void {
    const { writer } = this.#connection.sender;
    const { fields } = readyToTransfer;
    this.#lastTransferTag = advanceSerial(this.#lastTransferTag) % noTag;
    const at = writer.begin(readyToTransfer.blank, 0);
    const { bytes } = writer;
    fields.final.set(bytes, at, true);
    lunHalves.high.set(bytes, at, command.lunHigh);
    lunHalves.low.set(bytes, at, command.lunLow);
    fields.initiatorTaskTag.set(bytes, at, command.tag);
    fields.targetTransferTag.set(bytes, at, this.#lastTransferTag);
    fields.r2tSn.set(bytes, at, command.r2tSn);
    fields.bufferOffset.set(bytes, at, command.requested);
    fields.desiredDataTransferLength.set(bytes, at, length);
    this.#connection.sender.stamp(bytes, at, false);
    writer.end();
    const end = command.requested + length;
    command.requests.push(this.sequenceOf(this.#lastTransferTag, command.requested, end));
    command.requested = end;
    if (command.r2tSn === 0) command.movedAt = this.#connection.now;
    command.r2tSn += 1;
  }
}
