/** All opcodes, and the record of a CDB. */

import type { StorageObject } from './logical-unit.ts';
import { type OpcodeRow, operationCodeOf, serviceActionOf } from './opcode.ts';
import { reportingOpcodes } from './report-opcodes.ts';
import { sbcOpcodes } from './sbc.ts';
import { CheckCondition, invalidCdb, sense } from './sense.ts';
import { spcOpcodes } from './spc.ts';

/** Every opcode there is, by code and service action. */
export const opcodes: readonly OpcodeRow[] = [...spcOpcodes, ...sbcOpcodes, ...reportingOpcodes(() => opcodes)].sort(
  (a, b) => a.code - b.code || (a.serviceAction ?? 0) - (b.serviceAction ?? 0),
);

/** By operation code: its record, or its records by service action. */
const byCode: (OpcodeRow | ReadonlyMap<number, OpcodeRow> | undefined)[] = Array.from({ length: 256 }, (_, code) => {
  const rows = opcodes.filter((row) => row.code === code);
  const [first] = rows;
  return first?.serviceAction === undefined ? first : new Map(rows.map((row) => [row.serviceAction!, row]));
});

/** Operation codes, of all their service actions, that this target answers for units that answer for themselves, too. */
export const answeredHere: ReadonlySet<number> = new Set(
  opcodes.filter((row) => row.answeredHere).map(({ code }) => code),
);

/** The record of a CDB, or undefined when no record has its operation code and service action. */
export function lookUp(cdb: Uint8Array): OpcodeRow | undefined {
  const code = operationCodeOf(cdb);
  const entry = byCode[code];
  return entry instanceof Map ? entry.get(serviceActionOf(code).get(cdb, 0)) : (entry as OpcodeRow | undefined);
}

/** The sense for a CDB that the logical unit does not offer: its service action is wrong when others of its code are offered. */
export function notOffered(cdb: Uint8Array, lu: StorageObject): CheckCondition {
  const code = operationCodeOf(cdb);
  const siblings = opcodes.some(
    (row) => row.code === code && row.serviceAction !== undefined && (row.offered?.(lu) ?? true),
  );
  return siblings ? invalidCdb(serviceActionOf(code)) : new CheckCondition(sense.invalidOperationCode);
}
