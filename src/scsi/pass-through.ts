/**
 * Logical units that answer for themselves: their volume is a SCSI device, which gets the CDB as it came. What concerns
 * initiators and this target's ports stays ours, as the device sees neither: REPORT LUNS, reservations, pending conditions.
 */

import type { StorageObject } from './logical-unit.ts';
import { type Opcode, type OpcodeRow, variableLengthCode } from './opcode.ts';
import { CheckCondition, sense } from './sense.ts';
import type { Task } from './task.ts';

/** Operation codes that this target answers: REQUEST SENSE, RESERVE and RELEASE, PERSISTENT RESERVE, REPORT LUNS. */
const ours: ReadonlySet<number> = new Set([0x03, 0x16, 0x17, 0x56, 0x57, 0x5e, 0x5f, 0xa0]);

/** CDB length by the operation code's upper three bits, as Linux takes the vendors' (SPC-4 4.2.5.1). */
const groupLengths = [6, 10, 10, 12, 16, 12, 10, 10] as const;

/**
 * The record by which the device server treats a CDB that goes to the device, undefined when it does not go there.
 * @param row what the opcode is here; unknown ones are taken to write
 */
export function passedThrough(lu: StorageObject, row: OpcodeRow | undefined, task: Task): OpcodeRow | undefined {
  const code = task.cdb[0]!;
  if (!lu.volume?.passThrough || ours.has(code)) return undefined;
  // What is longer is not sent to devices.
  if (code === variableLengthCode) throw new CheckCondition(sense.invalidOperationCode);
  const cdbLength = groupLengths[(code >> 5) as 0] as number;
  const record: Opcode = {
    code,
    name: row?.name ?? `operation code ${code.toString(16)}h`,
    spec: row?.spec ?? '',
    cdb: {},
    medium: row?.medium === 'none' ? 'none' : (row?.medium ?? 'write'),
    whenReserved: row?.whenReserved ?? 'conflicts',
    ignoresUnitAttention: row?.ignoresUnitAttention ?? false,
    dataOut: () => task.dataOutOffered ?? 0,
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
    fields: [],
    blank: {},
    usage: allBits,
    settable: allBits,
    ranged: false,
    conditional: [],
  };
}

/** The device checks its CDBs itself. */
const allBits: Uint8Array = new Uint8Array(16).fill(0xff);
