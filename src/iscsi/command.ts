/** A SCSI command on its way through the transport, from its PDU to its answer. Lengths and offsets are bytes. */

import { decodeLun, peripheralLun } from '../scsi/lun.ts';
import type { Sense } from '../scsi/sense.ts';
import type { Completion, Task, TaskAttribute } from '../scsi/task.ts';
import { decode } from '../wire/layout.ts';
import { type CommandState, state } from './command-state.ts';
import type { Coverage } from './coverage.ts';
import { additionalHeader, header, headerBytes, lunHalves, padding, scsiCommand } from './pdu.ts';

/** A sequence of Data-Out that is to come: solicited by an R2T, or unsolicited. */
export interface Sequence {
  /** The target transfer tag; `noTag`: unsolicited. */
  readonly transferTag: number;
  readonly start: number;
  readonly end: number;
  /** The DataSN of the next PDU. */
  dataSn: number;
  /** The offset up to which data has come without a gap. */
  at: number;
  /** The ranges that have come, where PDUs may come in any order. */
  readonly coverage: Coverage | undefined;
}

/** The connection that a command came by, as far as the command knows it. */
export interface Owner {
  /** The host's clock at the last sign of life, in milliseconds. */
  readonly now: number;
  /** Ends a command without an answer. @param keepsPlace its CmdSN was not received, and may come again */
  forget(command: Command, keepsPlace?: boolean): void;
}

/** A SCSI command of a session, from its PDU to its answer. */
export interface Command {
  readonly connection: Owner;
  /** The initiator task tag. */
  readonly tag: number;
  readonly cmdSn: number;
  readonly immediate: boolean;
  readonly lun: number;
  /** The LUN field as it came. */
  readonly lunHigh: number;
  readonly lunLow: number;
  readonly attribute: TaskAttribute;
  /** The CDB. It is empty when the additional header segments are wrong. */
  readonly cdb: Uint8Array;
  /** The direction by the flags R and W. A command with both is served as one that writes: no opcode here has two directions. */
  readonly direction: 'read' | 'write' | 'none';
  /** The Expected Data Transfer Length; 0 without a direction. */
  readonly expected: number;
  /** The state, which transfer.ts alone sets. */
  state: CommandState;
  /** Whether the medium was asked on the fast path, and could not answer at once. */
  tried: boolean;
  /** The task, from the command's turn on. */
  task: Task | undefined;
  /** The outcome of the command, from `ending` on. */
  completion: Completion | undefined;

  /** Data-out, from byte `pieceStart` on. Unsolicited data may exceed what the command takes. */
  buffer: Uint8Array | undefined;
  /** The piece of the command's data that there is memory for, and that is asked for: all data, when it is not long. */
  pieceStart: number;
  pieceEnd: number;
  /** The wait of a running task for its next piece. */
  piece: { resolve(data: Uint8Array): void; reject(error: unknown): void } | undefined;
  /** The bytes of the session's memory that the command holds. */
  reserved: number;
  received: number;
  /** The unsolicited Data-Out, while it is still to come. */
  unsolicited: Sequence | undefined;
  readonly requests: Sequence[];
  requested: number;
  r2tSn: number;
  /** The time of arrival; milliseconds of the host's clock. */
  readonly arrivedAt: number;
  /** The time up to which data-out has come as fast as it must; milliseconds of the host's clock. */
  movedAt: number;
  /** The fault of the command's data: the answer once no more data is to come. */
  fault: Sense | undefined;

  /** Data-in: the bytes sent, the PDUs sent, and the bytes sent of the sequence at hand. */
  sent: number;
  dataInSn: number;
  burst: number;
  /** Data read before it could be sent, from `aheadAt` on. */
  ahead: Uint8Array | undefined;
  aheadAt: number;

  /** The next command at the same place in the table (command-table.ts). */
  next: Command | undefined;
}

/** RFC 7143 11.3.1: untagged is served as simple. */
const attributes: readonly TaskAttribute[] = ['simple', 'simple', 'ordered', 'head of queue', 'aca'];

/** The AHSType of a segment with the bytes of a CDB behind its sixteenth (RFC 7143 11.2.2.3). */
const extendedCdbType = 1;
const none: Uint8Array = new Uint8Array();

/**
 * The CDB of a command with additional header segments. A segment with the read length of a bidirectional command is passed over.
 * @returns no byte when the segments are wrong
 */
function extendedCdb(bytes: Uint8Array, start: number): Uint8Array {
  const end = start + headerBytes + header.totalAhsLength.get(bytes, start) * 4;
  let cdb = scsiCommand.fields.cdb.get(bytes, start);
  for (let at = start + headerBytes; at < end; ) {
    const { length, type } = decode(additionalHeader, bytes, at);
    const behind = at + additionalHeader.length + length;
    if (length === 0 || behind > end) return none;
    if (type === extendedCdbType) {
      if (cdb.length > 16) return none;
      // The bytes of the CDB stand behind a reserved byte.
      cdb = Uint8Array.from([...cdb, ...bytes.subarray(at + additionalHeader.length + 1, behind)]);
    }
    at = behind + padding(behind - at);
  }
  return cdb;
}

/** Reads the command of the SCSI Command PDU at `start`. */
export function readCommand(connection: Owner, bytes: Uint8Array, start: number): Command {
  const { fields } = scsiCommand;
  const write = fields.write.get(bytes, start);
  const direction = write ? 'write' : fields.read.get(bytes, start) ? 'read' : 'none';
  const lunHigh = lunHalves.high.get(bytes, start);
  const lunLow = lunHalves.low.get(bytes, start);
  const peripheral = peripheralLun(lunHigh, lunLow);
  return {
    connection,
    tag: fields.initiatorTaskTag.get(bytes, start),
    cmdSn: fields.cmdSn.get(bytes, start),
    immediate: fields.immediate.get(bytes, start),
    lun: peripheral >= 0 ? peripheral : decodeLun(bytes.subarray(start + 8, start + 16)),
    lunHigh,
    lunLow,
    attribute: attributes[fields.attribute.get(bytes, start)] ?? 'simple',
    cdb: header.totalAhsLength.get(bytes, start) === 0 ? fields.cdb.get(bytes, start) : extendedCdb(bytes, start),
    direction,
    expected: direction === 'none' ? 0 : fields.expectedDataTransferLength.get(bytes, start),
    state: state.gathering,
    tried: false,
    task: undefined,
    completion: undefined,
    buffer: undefined,
    pieceStart: 0,
    pieceEnd: 0,
    piece: undefined,
    reserved: 0,
    received: 0,
    unsolicited: undefined,
    requests: [],
    requested: 0,
    r2tSn: 0,
    arrivedAt: connection.now,
    movedAt: connection.now,
    fault: undefined,
    sent: 0,
    dataInSn: 0,
    burst: 0,
    ahead: undefined,
    aheadAt: 0,
    next: undefined,
  };
}
