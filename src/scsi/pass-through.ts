/**
 * Logical units that answer for themselves: their volume is a SCSI device, which gets the CDB as it came. What concerns
 * initiators and this target's ports stays ours, as the device sees neither: REPORT LUNS, reservations, pending conditions.
 */

import { record } from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';
import { cdbLengthOf, type Opcode, type OpcodeRow, operationCodeOf, variableLengthCode } from './opcode.ts';
import { answeredHere } from './opcode-table.ts';
import { CheckCondition, sense } from './sense.ts';
import type { Task } from './task.ts';

/**
 * The record by which the device server treats a CDB that goes to the device, undefined when it does not go there.
 * @param row what the opcode is here; unknown ones are taken to write
 */
export function passedThrough(lu: StorageObject, row: OpcodeRow | undefined, task: Task): OpcodeRow | undefined {
  const code = operationCodeOf(task.cdb);
  if (!lu.volume?.passThrough || answeredHere.has(code)) return undefined;
  // A longer CDB is not sent to devices.
  if (code === variableLengthCode) throw new CheckCondition(sense.invalidOperationCode);
  const cdbLength = cdbLengthOf(code);
  const record: Opcode = {
    code,
    name: row?.name ?? `operation code ${code.toString(16)}h`,
    spec: row?.spec ?? '',
    cdb: {},
    medium: row?.medium === 'none' ? 'none' : (row?.medium ?? 'write'),
    whenReserved: row?.whenReserved ?? 'conflicts',
    ignoresUnitAttention: row?.ignoresUnitAttention ?? false,
    dataOut: () => task.dataOutOffered ?? 0,
    ...(row?.limited && { limited: () => (task.dataOutOffered ?? 0) + (task.dataInOffered ?? 0) }),
    async execute({ volume }) {
      if (!volume?.passThrough) throw new CheckCondition(sense.mediumNotPresent);
      const cdb = Uint8Array.from(task.cdb.subarray(0, cdbLength));
      const { status, sense: data, dataIn } = await volume.passThrough(cdb, task.dataOut, task.dataInOffered ?? 0);
      return { status, ...(data.length > 0 && { sense: data }), ...(dataIn.length > 0 && { dataIn }) };
    },
  };
  return {
    ...record,
    cdbLength,
    layout: noFields,
    usage: allBits,
    settable: allBits,
    settableAnywhere: allBits,
    ranged: false,
    conditional: [],
  };
}

/** The device takes its CDBs apart itself, and checks them. */
const noFields = record(0, {});
const allBits: Uint8Array = new Uint8Array(16).fill(0xff);
