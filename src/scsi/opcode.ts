/**
 * What an opcode is: one record. Its CDB's fields give the CDB's length, the usage bits (which check a CDB and answer
 * REPORT SUPPORTED OPERATION CODES) and the decoded CDB; its other properties are what the device server asks.
 */

import type { StorageObject } from './logical-unit.ts';
import type { ReservationClass } from './reservation-conflict.ts';
import { invalidCdb } from './sense.ts';
import type { CommandRow, Completion, Task } from './task.ts';

/** A field of a CDB: big-endian in whole bytes, or `mask` bits of one. */
export interface Field {
  readonly byte: number;
  readonly bytes: number;
  readonly shift: number;
  /** -1: all bits. */
  readonly mask: number;
  /** What the value 0 stands for. */
  readonly zero: number;
  /** The field may be other than 0 only when this says true; undefined: always. */
  readonly offered: ((lu: StorageObject) => boolean) | undefined;
}

/** One constructor for all: the decoder sees a single object shape. */
const field = (parts: Pick<Field, 'byte'> & Partial<Field>): Field => {
  const { byte, bytes = 1, shift = 0, mask = -1, zero = 0, offered } = parts;
  return { byte, bytes, shift, mask, zero, offered };
};

export const u8 = (byte: number, zero = 0): Field => field({ byte, zero });
export const u16 = (byte: number): Field => field({ byte, bytes: 2 });
export const u24 = (byte: number): Field => field({ byte, bytes: 3 });
export const u32 = (byte: number): Field => field({ byte, bytes: 4 });
/** Above 2^53 it is rounded: further than any medium reaches. */
export const u64 = (byte: number): Field => field({ byte, bytes: 8 });
/** The `width` bits of a byte whose lowest is bit `low`. */
export const bits = (byte: number, low: number, width: number): Field =>
  field({ byte, shift: low, mask: 2 ** width - 1 });
/** One bit of a byte. */
export const bit = (byte: number, low: number, offered?: Field['offered']): Field =>
  field({ byte, shift: low, mask: 1, offered });
/** LOGICAL BLOCK ADDRESS of a six-byte CDB: 21 bits. */
export const lba21: Field = field({ byte: 1, bytes: 3, mask: 0x1fffff });

/** The operation code of CDBs that say their length themselves (SPC-4 4.2.3). Here all of them have 32 bytes. */
export const variableLengthCode = 0x7f;
const longCdbBytes = 32;
/** ADDITIONAL CDB LENGTH counts what is behind it. */
const additionalLengthByte = 7;
const additionalLength = longCdbBytes - additionalLengthByte - 1;
const additionalLengthField: Field = field({ byte: additionalLengthByte, mask: additionalLength });

/** SERVICE ACTION (SPC-4 4.2.5.2, 4.2.3.3). */
export const serviceActionOf = (code: number): Field =>
  code === variableLengthCode ? longServiceAction : serviceAction;
const serviceAction: Field = bits(1, 0, 5);
const longServiceAction: Field = u16(8);

/** Data-out that is gathered at a time, in bytes: the rest of a command follows in pieces, or it may not have more. */
export const dataOutBytesMax = 8 * 1024 * 1024;

/** A decoded CDB: a number for each field. */
export type Cdb<F> = { readonly [K in keyof F]: number };
type Fields = Readonly<Record<string, Field>>;

/** States of a target port group, each set in the one after it: the active ones; standby too; every state (SPC-4 5.15.2). */
export type AccessStates = 'active' | 'standby' | 'any';

export interface Opcode<F extends Fields = Fields> extends Omit<CommandRow, 'ranged' | 'execute'> {
  readonly code: number;
  readonly serviceAction?: number;
  /** The clause: `SBC-3 5.11`. */
  readonly spec: string;
  /**
   * Names with a meaning: `lba` and `blocks` are a range that has to lie on the medium.
   * What is not named here has to be zero.
   */
  readonly cdb: F;
  /** It reads, or writes, its range and does nothing else, if no bit beside the range is set: the fast path takes it (plain-access.ts). */
  readonly plain?: 'read' | 'write';
  /** Fields that are looked at only for whether they may be set: they are not decoded. */
  readonly accepts?: readonly Field[];
  /** Fields that are not looked at: they may have any value, and are no usage bits (SPC-4 6.35.3). */
  readonly ignores?: readonly Field[];
  /** Its row in the reservation conflict matrix (SPC-4 5.12.1, SBC-3 table 13), by the CDB where it is a matter of that. */
  readonly whenReserved: ReservationClass | ((cdb: Uint8Array) => ReservationClass);
  /** False: INVALID COMMAND OPERATION CODE, and REPORT SUPPORTED OPERATION CODES does not list it. */
  offered?(lu: StorageObject): boolean;
  /** It changes what all initiators share: one that sees the logical unit write protected may not. */
  readonly changesForAll?: true;
  /** A pending unit attention does not keep it from running (SAM-5 5.14.2). */
  readonly ignoresUnitAttention?: boolean;
  /** The ALUA states in which it runs. Absent: the active ones. */
  readonly runsIn?: AccessStates;
  /** What it answers where no logical unit is. Absent: LOGICAL UNIT NOT SUPPORTED. */
  absent?(task: Task, cdb: Cdb<F>): Completion;
  /** Rules on the CDB beyond the usage bits. @throws CheckCondition */
  check?(lu: StorageObject, cdb: Cdb<F>): void;
  /** Bytes of data-out. Absent: none. An initiator that announces less is refused; more is a residual of the transport. */
  dataOut?(lu: StorageObject, cdb: Cdb<F>): number;
  /** An initiator that announces more than `dataOut` is refused, too. */
  readonly exactDataOut?: boolean;
  /** Of an initiator that announces fewer blocks than `dataOut` it takes those, and is then a command of so many blocks. */
  readonly fewerBlocks?: true;
  /** It takes its data a piece at a time, where that is long (data-out.ts). */
  readonly inPieces?: true;
  execute(lu: StorageObject, cdb: Cdb<F>, task: Task): Completion | Promise<Completion>;
}

/** A record with what is computed from it. */
export interface OpcodeRow extends Opcode {
  /** Bytes: SPC-4 4.2.5.1, by the operation code's group. */
  readonly cdbLength: number;
  readonly fields: readonly (readonly [name: string, field: Field])[];
  /** All of them 0. */
  readonly blank: Readonly<Record<string, number>>;
  /** A 1 for each bit that is looked at; byte 0 and the service action are left 1 (SPC-4 6.35.3 puts their values there). */
  readonly usage: Uint8Array;
  /** A 1 for each bit that may be set. */
  readonly settable: Uint8Array;
  readonly ranged: boolean;
  /** The fields that have `offered`. */
  readonly conditional: readonly Field[];
}

/** CDB length by the operation code's upper three bits (SPC-4 4.2.5.1); of group 3 there is 7Fh alone, of the vendors' none. */
const groupLengths = [6, 10, 10, 0, 16, 12, 0, 0] as const;

/** Completes a record. */
export function opcode<F extends Fields>(record: Opcode<F>): OpcodeRow {
  const fields = Object.entries<Field>(record.cdb);
  const long = record.code === variableLengthCode;
  const cdbLength = long ? longCdbBytes : (groupLengths[(record.code >> 5) as 0] as number);
  const all = [...fields.map(([, one]) => one), ...(record.accepts ?? [])];
  if (record.serviceAction !== undefined) all.push(serviceActionOf(record.code));
  if (long) all.push(additionalLengthField);
  const usage = bitsOf(all, cdbLength);
  const settable = usage.slice();
  for (const one of record.ignores ?? []) setBits(settable, one);
  return {
    ...(record as unknown as Opcode),
    cdbLength,
    fields,
    blank: Object.fromEntries(fields.map(([name]) => [name, 0])),
    usage,
    settable,
    ranged: 'lba' in record.cdb && 'blocks' in record.cdb,
    conditional: all.filter((one) => one.offered),
  };
}

/** The usage bits as they hold for a logical unit: fields that it does not offer are 0. */
export function usageFor(row: OpcodeRow, lu: StorageObject): Uint8Array {
  const usage = row.usage.slice(0, row.cdbLength);
  for (const one of row.conditional)
    if (!one.offered?.(lu)) usage[one.byte] = usage[one.byte]! & ~(one.mask << one.shift);
  return usage;
}

/** The operation code, and a 1 for each bit of these fields. */
export function bitsOf(fields: readonly Field[], cdbLength: number): Uint8Array {
  const usage = new Uint8Array(cdbLength);
  usage[0] = 0xff;
  for (const one of fields) setBits(usage, one);
  return usage;
}

function setBits(usage: Uint8Array, { byte, bytes, shift, mask }: Field): void {
  for (let i = 0; i < bytes; i++) {
    const bitsAbove = mask / 256 ** (bytes - 1 - i);
    usage[byte + i] = usage[byte + i]! | ((Math.floor(bitsAbove) & 0xff) << shift);
  }
}

/** The value of a field. @param start where the CDB begins */
export function fieldValue({ byte, bytes, shift, mask, zero }: Field, cdb: Uint8Array, start = 0): number {
  const first = start + byte;
  let value = cdb[first]!;
  if (bytes === 1) return (value >> shift) & mask || zero;
  for (let i = 1; i < bytes; i++) value = value * 256 + cdb[first + i]!;
  return bytes < 4 ? value & mask : value;
}

/** Writes the value of a field, and leaves the bits beside it. */
export function putField({ byte, bytes, shift, mask }: Field, cdb: Uint8Array, value: number): void {
  if (bytes === 1) cdb[byte] = (cdb[byte]! & ~(mask << shift)) | (value << shift);
  else for (let i = 0; i < bytes; i++) cdb[byte + i] = value / 256 ** (bytes - 1 - i);
}

/** A CDB as its record names the parts. */
export function decode(row: OpcodeRow, cdb: Uint8Array): Cdb<Record<string, number>> {
  // With its fields in place from the beginning: adding them one by one would make each CDB change its shape that often.
  const values = { ...row.blank };
  for (const [name, one] of row.fields) values[name] = fieldValue(one, cdb);
  return values;
}

/** @throws CheckCondition INVALID FIELD IN CDB with a pointer to the leftmost bit that may not be set */
export function checkUsage(row: OpcodeRow, lu: StorageObject | undefined, cdb: Uint8Array): void {
  const { settable, cdbLength } = row;
  if (row.code === variableLengthCode && (cdb.length < cdbLength || cdb[additionalLengthByte] !== additionalLength))
    throw invalidCdb(additionalLengthByte, 7);
  for (let at = 1; at < cdbLength; at++) {
    const wrong = cdb[at]! & ~settable[at]!;
    if (wrong !== 0) throw invalidCdb(at, 31 - Math.clz32(wrong));
  }
  if (!lu) return;
  for (const one of row.conditional)
    if (fieldValue(one, cdb) !== 0 && !one.offered?.(lu)) throw invalidCdb(one.byte, one.shift);
}
