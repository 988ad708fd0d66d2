/** CDBs made of the opcode table's rows. */

import * as product from '../../src/scsi/opcode.ts';

/** A CDB of an opcode, with its service action; `values` that it has no field for are left out, and other fields are 0. */
export function cdbOf(row: product.OpcodeRow, values: Readonly<Record<string, number | boolean>> = {}): number[] {
  const known = Object.entries(values).filter(([name]) => Object.hasOwn(row.cdb, name));
  return [...product.cdbOf(row, Object.fromEntries(known))];
}
