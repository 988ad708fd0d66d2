/** The whole opcode table as a list to review. What each opcode does is in test/conformance/scsi. */

import { expect, test } from 'vitest';
import { serviceActionOf } from '../../src/scsi/opcode.ts';
import { lookUp, opcodes } from '../../src/scsi/opcode-table.ts';

const hex = (value: number) => value.toString(16).padStart(2, '0');

test('every opcode: code, service action, usage bits, what it does with the medium, reservation class, clause, bits that it ignores', () => {
  const lines = opcodes.map((row) => {
    const action = row.serviceAction === undefined ? '  ' : hex(row.serviceAction);
    const reserved = typeof row.whenReserved === 'function' ? 'by CDB' : row.whenReserved;
    const usage = Buffer.from(row.usage.subarray(1)).toString('hex').padEnd(30);
    const ignored = Buffer.from(row.settable.map((byte, at) => byte & ~row.usage[at]!).subarray(1));
    const ignores = ignored.some((byte) => byte !== 0) ? `; ignores ${ignored.toString('hex')}` : '';
    return `${hex(row.code)} ${action} ${usage} ${row.medium.padEnd(5)} ${reserved.padEnd(9)} ${row.name} (${row.spec})${ignores}`;
  });
  expect(`\n${lines.join('\n')}\n`).toMatchSnapshot();
});

test('every opcode is found by its own CDB, and no two share one', () => {
  for (const row of opcodes) {
    const cdb = new Uint8Array(32);
    cdb[0] = row.code;
    serviceActionOf(row.code).set(cdb, 0, row.serviceAction ?? 0);
    expect(lookUp(cdb)).toBe(row);
  }
});
