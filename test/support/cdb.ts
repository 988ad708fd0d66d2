/** CDBs made of the opcode table's rows. */

import { type OpcodeRow, putField, serviceActionOf } from '../../src/scsi/opcode.ts';

/** A CDB of an opcode, with its service action; fields that `values` does not name are 0. */
export function cdbOf(row: OpcodeRow, values: Readonly<Record<string, number>> = {}): number[] {
  const cdb = new Uint8Array(row.cdbLength);
  cdb[0] = row.code;
  // ADDITIONAL CDB LENGTH (SPC-4 4.2.3).
  if (cdb.length > 16) cdb[7] = cdb.length - 8;
  if (row.serviceAction !== undefined) putField(serviceActionOf(row.code), cdb, row.serviceAction);
  for (const [name, field] of row.fields) if (values[name] !== undefined) putField(field, cdb, values[name]);
  return [...cdb];
}
