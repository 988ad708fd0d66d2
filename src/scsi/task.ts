/** One SCSI command in flight, between a transport and the device server (SAM-5 5). */

import type { Volume } from '../backstore/backstore.ts';
import type { IoVector } from '../system/io-vector.ts';
import type { LogicalUnitView, Nexus, StorageObject, TargetPort } from './logical-unit.ts';
import type { Sense } from './sense.ts';

/** SAM-5 5.3.1 */
export const status = {
  good: 0x00,
  checkCondition: 0x02,
  conditionMet: 0x04,
  busy: 0x08,
  reservationConflict: 0x18,
  taskSetFull: 0x28,
  acaActive: 0x30,
  taskAborted: 0x40,
} as const;

/** SAM-5 8.4 */
export type TaskAttribute = 'simple' | 'ordered' | 'head of queue' | 'aca';

/** A range of a volume that is to be sent: the transport reads it straight into its own buffer. */
export interface Extent {
  readonly volume: Volume;
  /** Bytes. */
  readonly position: number;
  readonly length: number;
}

/** How a command ended. `dataIn` is what the command gives, before the transport cuts it to what the initiator expects. */
export interface Completion {
  readonly status: number;
  /** Sense data, fixed or descriptor format as the Control mode page's D_SENSE says. */
  readonly sense?: Uint8Array;
  readonly dataIn?: Uint8Array | Extent;
}

/** A decoded CDB: the fields that the opcode's record names, of which these mean the same in every record that has them. */
interface DecodedCdb {
  readonly lba?: number;
  readonly blocks?: number;
  readonly fua?: boolean;
  readonly [field: string]: unknown;
}

/** The questions to an opcode's record (opcode.ts) once a command is admitted. */
export interface CommandRow {
  /** The command's name in the head of the standard's clause: `READ(10)`. */
  readonly name: string;
  /** The command's use of the medium: `none` works without one, `write` is refused when the logical unit is write protected. */
  readonly medium: 'none' | 'read' | 'flush' | 'write';
  /** `lba` and `blocks` are a range that has to lie on the medium. */
  readonly ranged: boolean;
  /** Set when the command runs while a FORMAT UNIT or SANITIZE goes on (SBC-4 4.11.2). */
  readonly duringMediumOperation?: true;
  /** The failures of a FORMAT UNIT or SANITIZE that it runs after, to put them right. */
  readonly mends?: readonly Sense[];
  /** Set when the command waits for no other, whatever its task attribute says (SAM-5 8.6). */
  readonly headOfQueue?: true;
  /** Set when the command's data may be written as it comes: all of it, from `lba` on (landing.ts). */
  readonly lands?: true;
  /**
   * The bytes that the limits of a LUN count: data that comes from the initiator or goes to it, or the data that is written where that is
   * more; undefined while only the data-out, which has not come, can say so. Absent: the command waits for no limit.
   */
  limited?(lu: StorageObject, cdb: DecodedCdb, task: Task): number | undefined;
  execute(lu: StorageObject, cdb: DecodedCdb, task: Task): Completion | Promise<Completion>;
}

/** An admitted command. */
export interface AdmittedCommand {
  readonly row: CommandRow;
  readonly cdb: DecodedCdb;
}

/** A write whose data goes to its place on the medium as it comes (landing.ts). Lengths and offsets are bytes. */
export interface Landing {
  /** Takes what has come of the data, from its byte `offset` on. */
  put(bytes: Uint8Array, offset: number): void;
  /**
   * Adds memory for what has come, `available` bytes from `offset` on.
   * @returns how many bytes, which `took` is told of; undefined when they have to be `put`
   */
  lend(offset: number, available: number, to: IoVector): number | undefined;
  /** `count` bytes were received where `lend` said. */
  took(offset: number, count: number): void;
  /** All data has come. @throws what is in the way of the medium, or was; a promise rejects with it */
  finish(): Completion | Promise<Completion>;
}

/** The facts about a command that a transport gives. */
export type TaskRequest = Pick<Task, 'nexus' | 'lun' | 'unit' | 'cdb' | 'attribute' | 'tag'> &
  Partial<Pick<Task, 'dataOutOffered' | 'dataInOffered'>>;

const none: Uint8Array = new Uint8Array();

/** Bytes of a unit that are being written. */
export interface WrittenRange {
  readonly lu: StorageObject;
  readonly from: number;
  readonly to: number;
}

/** The target port through which a command came to its logical unit. @throws Error for a command without one, which is a fault of ours */
export function portOf({ unit }: Task): TargetPort {
  if (!unit) throw new Error('a command without a logical unit');
  return unit.port;
}

/** A command in flight. */
export class Task {
  readonly nexus: Nexus;
  /** LUN as decoded (scsi/lun.ts), -1 when it is none that we could have. */
  readonly lun: number;
  /** Resolved when the task was admitted: what the LUN stood for then. */
  readonly unit: LogicalUnitView | undefined;
  /** 16 bytes or more; the transport's buffer may be reused, so this is the task's own. */
  readonly cdb: Uint8Array;
  readonly attribute: TaskAttribute;
  /** The transport's tag: unique in the nexus while the task lives. */
  readonly tag: number;
  /** Bytes that the initiator is ready to send, where the transport says so (iSCSI: Expected Data Transfer Length). */
  readonly dataOutOffered: number | undefined;
  /** Bytes that the initiator takes, where the transport says so; for a logical unit that answers for itself. */
  readonly dataInOffered: number | undefined;
  /** Set by `admitTask`: how many bytes of parameter or block data the CDB asks for; what differs is a residual of the transport. */
  dataOutAsked = 0;
  /** Set by `admitTask`: how many of them the command takes from the initiator. */
  dataOutLength = 0;
  /** Set by the transport: it writes the data as it comes, and `dataOut` stays empty. */
  landing: Landing | undefined = undefined;
  /** Set by the transport: it has asked the medium already, which cannot read or write the task's blocks at once. */
  tried = false;
  /** The data-out buffer: all `dataOutLength` bytes, once the task runs, or the first piece of them. */
  dataOut = none;
  /**
   * Set by the transport where `dataOut` is a piece: the one behind it, which takes its place (SAM-5 5.4.3.2, Receive
   * Data-Out). Rejects with what is wrong with it.
   */
  fetch: (() => Promise<Uint8Array>) | undefined = undefined;
  /** Set by task management: the transport drops the task without an answer. */
  aborted = false;
  /** Set by task management: `executeTask` ends the task with TASK ABORTED, which the transport sends like any status. */
  terminated = false;
  /** Set by `admitTask`: the opcode's record and the CDB as it decodes it. */
  command: AdmittedCommand | undefined = undefined;
  /** Set by `executeTask`: what the transport reads of the medium until it retires the task. */
  extent: Extent | undefined = undefined;
  /** Set by a command that waits for what does not end with it (FORMAT UNIT, SANITIZE, more data, the limits of its LUN): it need not wait any more. */
  leave: (() => void) | undefined = undefined;
  /** Set while the task waits for the limits of a LUN. */
  limited = false;
  /** Set once the limits of the LUN have let the task go, or were told to forget it. */
  hadTurn = false;
  /** Set by `executeTask`, and by a landing, while the task is on its way to the medium. */
  running: Promise<Completion> | undefined = undefined;
  /** Set by a copy while a piece is on its way to a medium: the bytes of the unit that it copies to. */
  copying: WrittenRange | undefined = undefined;
  /** The neighbours in the task set (task-set.ts). */
  older: Task | undefined = undefined;
  newer: Task | undefined = undefined;

  constructor(request: TaskRequest) {
    this.nexus = request.nexus;
    this.lun = request.lun;
    this.unit = request.unit;
    this.cdb = request.cdb;
    this.attribute = request.attribute;
    this.tag = request.tag;
    this.dataOutOffered = request.dataOutOffered;
    this.dataInOffered = request.dataInOffered;
  }
}
