/** Data-out of SCSI commands: where it goes, and the R2Ts that ask for it (RFC 7143 11.7, 11.8). */

import { advance } from '../wire/serial.ts';
import { borrow } from './buffer-pool.ts';
import type { Command, Sequence } from './command.ts';
import { Coverage } from './coverage.ts';
import type { Link } from './link.ts';
import { lunHalves, noTag, readyToTransfer } from './pdu.ts';
import type { Place } from './pdu-reader.ts';
import type { Session } from './session.ts';

/** A view of a buffer: the buffer itself where that is all of it, as it mostly is for short data. */
const piece = (buffer: Uint8Array, from: number, to: number): Uint8Array =>
  from === 0 && to === buffer.length ? buffer : buffer.subarray(from, to);

export class Gathering {
  readonly #connection: Link;
  readonly #session: Session;
  #lastTransferTag = 0;

  constructor(connection: Link, session: Session) {
    this.#connection = connection;
    this.#session = session;
  }

  /** How much of a command's data may come unsolicited (RFC 7143 13.14). */
  unsolicitedEnd({ expected }: Command): number {
    return Math.min(this.#session.parameters.FirstBurstLength, expected);
  }

  /** The Data-Out that is to come from `start` to `end`. */
  sequenceOf(transferTag: number, start: number, end: number): Sequence {
    const coverage = this.#session.parameters.DataPDUInOrder ? undefined : new Coverage();
    return { transferTag, start, end, dataSn: 0, at: start, coverage };
  }

  /** Gives a command memory for all that it takes; what has come already goes there. */
  allot(command: Command, bytes: number): void {
    const early = command.buffer;
    command.buffer = borrow(bytes);
    if (early) command.buffer.set(early.subarray(0, this.unsolicitedEnd(command)));
    command.task!.dataOut = piece(command.buffer, 0, command.task!.dataOutLength);
  }

  /** Where data goes; nowhere when the command was refused. A waiting command has room for what comes unsolicited. */
  place(command: Command, offset: number, length: number): Uint8Array | Place | undefined {
    if (command.completion) return undefined;
    const landing = command.task?.landing;
    if (landing)
      return {
        set: (bytes, at) => landing.put(bytes, offset + at),
        lend: (at, available, to) => landing.lend(offset + at, available, to),
        took: (at, count) => landing.took(offset + at, count),
      } satisfies Place;
    return piece(command.buffer ?? this.#gatherEarly(command, this.unsolicitedEnd(command)), offset, offset + length);
  }

  /** The initiator may send as much before its command has come up, or has memory. */
  #gatherEarly(command: Command, bytes: number): Uint8Array {
    const buffer = borrow(bytes);
    command.buffer = buffer;
    command.reserved += bytes;
    this.#session.memory.add(bytes);
    return buffer;
  }

  /** Whether there is data that was not asked for and has not come. */
  lacks(command: Command): boolean {
    return Math.max(command.requested, command.received) < command.task!.dataOutLength;
  }

  /** Asks for what is missing, with as many R2Ts as may be outstanding (RFC 7143 13.17). */
  request(command: Command): void {
    const { MaxOutstandingR2T, MaxBurstLength } = this.#session.parameters;
    const end = command.task!.dataOutLength;
    command.requested = Math.max(command.requested, command.received);
    while (command.requests.length < MaxOutstandingR2T && command.requested < end)
      this.#request(command, Math.min(MaxBurstLength, end - command.requested));
  }

  /** RFC 7143 11.8 */
  #request(command: Command, length: number): void {
    const { writer } = this.#connection.sender;
    const { fields } = readyToTransfer;
    this.#lastTransferTag = advance(this.#lastTransferTag) % noTag;
    const at = writer.begin(readyToTransfer, 0);
    const { bytes } = writer;
    fields.final.set(bytes, at, true);
    lunHalves.high.set(bytes, at, command.lunHigh);
    lunHalves.low.set(bytes, at, command.lunLow);
    fields.initiatorTaskTag.set(bytes, at, command.tag);
    fields.targetTransferTag.set(bytes, at, this.#lastTransferTag);
    fields.r2tSn.set(bytes, at, command.r2tSn);
    fields.bufferOffset.set(bytes, at, command.requested);
    fields.desiredDataTransferLength.set(bytes, at, length);
    this.#connection.sender.stamp(at, false);
    writer.end();
    const end = command.requested + length;
    command.requests.push(this.sequenceOf(this.#lastTransferTag, command.requested, end));
    command.requested = end;
    if (command.r2tSn === 0) command.movedAt = this.#connection.now;
    command.r2tSn += 1;
  }
}
