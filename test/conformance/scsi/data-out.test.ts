/**
 * An initiator that announces less data than its CDB asks for, with every opcode that takes data. How an initiator
 * announces and sends it is the transport's: test/conformance/iscsi/data.test.ts.
 */

import { expect, test } from 'vitest';
import type { StorageObject } from '../../../src/scsi/logical-unit.ts';
import { mediumWork } from '../../../src/scsi/medium-work.ts';
import { decodeCdb, type OpcodeRow } from '../../../src/scsi/opcode.ts';
import { opcodes } from '../../../src/scsi/opcode-table.ts';
import { reservations } from '../../../src/scsi/reservation-conflict.ts';
import { cdbOf } from '../../support/cdb.ts';
import { logicalUnit, pattern, ScsiInitiator } from '../../support/logical-unit.ts';
import { memoryVolume } from '../../support/memory-volume.ts';

/** Values with which a CDB asks for data, by field; the first row of `special` that fits comes before. */
const usual: Record<string, number> = { blocks: 1, length: 24, bytchk: 1 };
const special: readonly { name: RegExp; fields: Record<string, number> }[] = [
  { name: /^FORMAT UNIT/, fields: { hasList: 1 } },
  { name: /^SANITIZE OVERWRITE/, fields: { length: 8 } },
  { name: /^SET TIMESTAMP/, fields: { length: 12 } },
  { name: /^SET TARGET PORT GROUPS/, fields: { length: 8 } },
  { name: /^WRITE BUFFER/, fields: { length: 512, mode: 2 } },
  { name: /^WRITE ATOMIC/, fields: { blocks: 1 } },
  { name: /^PERSISTENT RESERVE OUT/, fields: { length: 24, type: 1 } },
];

/** The values of a row's CDB that ask for data. */
const valuesOf = ({ name }: OpcodeRow) => special.find((one) => one.name.test(name))?.fields ?? usual;

/** Offers all that can be offered. */
function fresh(): { lu: StorageObject; initiator: ScsiInitiator; untouched: () => boolean } {
  const volume = memoryVolume(64 * 512, { atomicWriteBytesMax: 4096 });
  volume.bytes.set(pattern(volume.size));
  const { lu } = logicalUnit({ volume, attributes: { emulate_tpu: 1, emulate_tpws: 1 } });
  lu.keep = async () => {};
  return {
    lu,
    initiator: new ScsiInitiator(lu).login(),
    untouched: () => pattern(volume.size).equals(volume.bytes) && volume.calls.every((call) => call.startsWith('read')),
  };
}

const taking = opcodes.filter((row) => row.dataOut);

test.each(taking.map((row) => [`${row.spec} ${row.name}`, row] as const))(
  '%s: one byte less than the CDB asks for, or a part of it, is INVALID FIELD IN COMMAND INFORMATION UNIT, and does nothing; no blocks are none',
  async (_name, row) => {
    const { lu, initiator, untouched } = fresh();
    const cdb = cdbOf(row, valuesOf(row));
    const wanted = row.dataOut!(lu, decodeCdb(row, Uint8Array.from(cdb)));
    expect(wanted).toBeGreaterThan(0);
    for (const offered of [wanted - 1, wanted >> 1, 0]) {
      const { status, sense } = await initiator.send(cdb, Buffer.alloc(offered));
      const refused = offered > 0 || !row.fewerBlocks;
      expect([offered, status, sense]).toEqual([offered, ...(refused ? [2, '5/0e/03'] : [0, ''])]);
    }
    expect([untouched(), reservations.of(lu).persistent.registrations.length, mediumWork.of(lu).work]).toEqual([
      true,
      0,
      undefined,
    ]);
  },
);
