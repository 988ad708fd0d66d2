/**
 * An opcode is one record. Its CDB's fields give the CDB's length, the usage bits (which check a CDB and answer REPORT SUPPORTED
 * OPERATION CODES) and the decoded CDB; its other properties are the questions of the device server.
 */

import {
  bits,
  bitsOf,
  counting,
  decode,
  encode,
  type Field,
  type Fields,
  type Layout,
  record,
  u8,
  u16,
  type Values,
} from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';
import type { ReservationClass } from './reservation-conflict.ts';
import { invalidCdb } from './sense.ts';
import type { CommandRow, Completion, Task } from './task.ts';

/** A field of a CDB that may be other than 0 only where `offered` says true of the logical unit. */
export interface ConditionalField<V = unknown> extends Field<V> {
  readonly offered: (lu: StorageObject) => boolean;
}

/** The field, where a logical unit offers it. */
export const offeredIf = <V>(offered: (lu: StorageObject) => boolean, field: Field<V>): ConditionalField<V> => ({
  ...field,
  offered,
});

/** The operation code of CDBs that say their length themselves (SPC-4 4.2.3). Here all of them have 32 bytes. */
export const variableLengthCode = 0x7f;
const longCdbBytes = 32;

/**
 * CDB length by the operation code's upper three bits (SPC-4 4.2.5.1). The standard leaves the vendors' groups 6 and 7 to
 * them, and reserves group 3 but for CDBs that say their length: there Linux's lengths hold, which no row here has.
 */
const groupLengths = [6, 10, 10, 12, 16, 12, 10, 10] as const;

/** Bytes of a CDB that does not say so itself. */
export const cdbLengthOf = (code: number): number => groupLengths[(code >> 5) as 0] as number;

const operationCode = u8(0);
/** OPERATION CODE. */
export const operationCodeOf = (cdb: Uint8Array): number => operationCode.get(cdb, 0);

/** SERVICE ACTION (SPC-4 4.2.5.2, 4.2.3.3). */
export const serviceActionOf = (code: number): Field<number> =>
  code === variableLengthCode ? longServiceAction : serviceAction;
const serviceAction = bits(1, 0x1f);
const longServiceAction = u16(8);
/** ADDITIONAL CDB LENGTH (SPC-4 4.2.3). */
const additionalLength = counting(u8(7));
const additionalLengthOfLong = longCdbBytes - additionalLength.counts;

/** Data-out that is gathered at a time, in bytes: the rest of a command follows in pieces, or it may not have more. */
export const dataOutBytesMax = 8 * 1024 * 1024;

/** A decoded CDB. */
export type Cdb<F extends Fields> = Readonly<Values<F>>;

/** States of a target port group, each set in the one after it: the active ones; standby too; every state (SPC-4 5.15.2). */
export type AccessStates = 'active' | 'standby' | 'any';

/** A command: its CDB, and its treatment by the device server. */
export interface Opcode<F extends Fields = Fields> extends Omit<CommandRow, 'ranged' | 'limited' | 'execute'> {
  readonly code: number;
  readonly serviceAction?: number;
  /** The clause: `SBC-3 5.11`. */
  readonly spec: string;
  /**
   * Names with a meaning: `lba` and `blocks` are a range that has to lie on the medium.
   * What is not named here has to be zero.
   */
  readonly cdb: F;
  /**
   * Set when the command reads, or writes, its range and does nothing else, if no bit beside the range is set: the fast path takes it
   * (plain-access.ts).
   */
  readonly plain?: 'read' | 'write';
  /** Fields that are looked at only for whether they may be set: they are not decoded. */
  readonly accepts?: readonly Field[];
  /** Fields that are not looked at: they may have any value, and are no usage bits (SPC-4 6.35.3). */
  readonly ignores?: readonly Field[];
  /** The command's row in the reservation conflict matrix (SPC-4 5.12.1, SBC-3 table 13), by the CDB where that decides. */
  readonly whenReserved: ReservationClass | ((cdb: Uint8Array) => ReservationClass);
  /** False: INVALID COMMAND OPERATION CODE, and REPORT SUPPORTED OPERATION CODES does not list it. */
  offered?(lu: StorageObject): boolean;
  /** Set when the command changes state that all initiators share: an initiator that sees the logical unit write protected may not send it. */
  readonly changesForAll?: true;
  /** A pending unit attention does not keep it from running (SAM-5 5.14.2). */
  readonly ignoresUnitAttention?: boolean;
  /** Set when this target also answers it for a unit that otherwise answers for itself, since it is about initiators and ports. */
  readonly answeredHere?: true;
  /** The ALUA states in which it runs. Absent: the active ones. */
  readonly runsIn?: AccessStates;
  /** Set of the question for the state itself: it is told the same as by REPORT TARGET PORT GROUPS. */
  readonly asksState?: true;
  /** The answer where there is no logical unit. Absent: LOGICAL UNIT NOT SUPPORTED. */
  absent?(task: Task, cdb: Cdb<F>): Completion;
  /** Rules on the CDB beyond the usage bits. @throws CheckCondition */
  check?(lu: StorageObject, cdb: Cdb<F>): void;
  /** Bytes of data-out. Absent: none. An initiator that announces less is refused; more is a residual of the transport. */
  dataOut?(lu: StorageObject, cdb: Cdb<F>): number;
  /** An initiator that announces more than `dataOut` is refused, too. */
  readonly exactDataOut?: boolean;
  /** Set when an initiator may announce fewer blocks than `dataOut`: the command then takes so many blocks. */
  readonly fewerBlocks?: true;
  /** Set when the command takes long data a piece at a time (data-out.ts). */
  readonly inPieces?: true;
  /** The bytes that the limits count, as in `CommandRow.limited`. */
  limited?(lu: StorageObject, cdb: Cdb<F>, task: Task): number | undefined;
  execute(lu: StorageObject, cdb: Cdb<F>, task: Task): Completion | Promise<Completion>;
}

/** A record with what is computed from it. */
export interface OpcodeRow<F extends Fields = Fields> extends Opcode {
  readonly cdb: F;
  /** Bytes: SPC-4 4.2.5.1, by the operation code's group. */
  readonly cdbLength: number;
  /** The fields that `cdb` names. */
  readonly layout: Layout<F>;
  /** A 1 for each bit that is looked at; byte 0 and the service action are left 1 (SPC-4 6.35.3 puts their values there). */
  readonly usage: Uint8Array;
  /** A 1 for each bit that may be set, and for each that may be set at every logical unit. */
  readonly settable: Uint8Array;
  readonly settableAnywhere: Uint8Array;
  readonly ranged: boolean;
  readonly conditional: readonly ConditionalField[];
}

/** Completes a record. */
export function opcode<F extends Fields>(row: Opcode<F>): OpcodeRow<F> {
  const long = row.code === variableLengthCode;
  const cdbLength = long ? longCdbBytes : cdbLengthOf(row.code);
  const layout = record(cdbLength, row.cdb);
  const all: Field[] = [...Object.values(row.cdb), ...(row.accepts ?? [])];
  const asked = row.serviceAction === undefined ? all : [...all, serviceActionOf(row.code)];
  if (long) asked.push({ ...additionalLength, mask: additionalLengthOfLong });
  const usage = bitsOf(cdbLength, [operationCode, ...asked]);
  const settable = bitsOf(cdbLength, [operationCode, ...asked, ...(row.ignores ?? [])]);
  const conditional = all.filter((field) => 'offered' in field) as ConditionalField[];
  const settableAnywhere = settable.slice();
  for (const { at, mask } of conditional) settableAnywhere[at]! &= ~mask;
  return {
    ...(row as unknown as Opcode),
    cdb: row.cdb,
    cdbLength,
    layout,
    usage,
    settable,
    settableAnywhere,
    ranged: 'lba' in row.cdb && 'blocks' in row.cdb,
    conditional,
  };
}

/** The usage bits as they hold for a logical unit: fields that it does not offer are 0. */
export function usageFor(row: OpcodeRow, lu: StorageObject): Uint8Array {
  const usage = row.usage.slice();
  for (const { at, mask, offered } of row.conditional) if (!offered(lu)) usage[at]! &= ~mask;
  return usage;
}

/** A CDB as its record names the parts. */
export const decodeCdb = <F extends Fields>({ layout }: Pick<OpcodeRow<F>, 'layout'>, cdb: Uint8Array): Cdb<F> =>
  decode(layout, cdb);

/** Writes which command it is. */
export function putCode({ code, serviceAction }: Pick<Opcode, 'code' | 'serviceAction'>, cdb: Uint8Array): void {
  operationCode.set(cdb, 0, code);
  if (serviceAction !== undefined) serviceActionOf(code).set(cdb, 0, serviceAction);
}

/** The CDB of a command. What `values` does not name is 0. */
export function cdbOf<F extends Fields>(
  row: Pick<OpcodeRow<F>, 'code' | 'serviceAction' | 'layout'>,
  values: Partial<Values<NoInfer<F>>> = {},
): Buffer {
  const cdb = encode(row.layout, values);
  putCode(row, cdb);
  if (row.code === variableLengthCode) additionalLength.set(cdb, 0, additionalLengthOfLong);
  return cdb;
}

/** @throws CheckCondition INVALID FIELD IN CDB with a pointer to the leftmost bit that may not be set */
export function checkUsage(row: OpcodeRow, lu: StorageObject | undefined, cdb: Uint8Array): void {
  const { settableAnywhere, cdbLength } = row;
  if (row.code === variableLengthCode)
    if (cdb.length < cdbLength || additionalLength.get(cdb, 0) !== additionalLengthOfLong)
      throw invalidCdb(additionalLength);
  for (let at = 1; at < cdbLength; at++)
    if ((cdb[at]! & ~settableAnywhere[at]!) !== 0) {
      checkBits(row, lu, cdb);
      return;
    }
}

function checkBits(
  { settable, conditional, cdbLength }: OpcodeRow,
  lu: StorageObject | undefined,
  cdb: Uint8Array,
): void {
  for (let at = 1; at < cdbLength; at++) {
    const wrong = cdb[at]! & ~settable[at]!;
    if (wrong !== 0) throw invalidCdb({ at, mask: wrong });
  }
  if (!lu) return;
  for (const field of conditional) if (field.get(cdb, 0) && !field.offered(lu)) throw invalidCdb(field);
}
