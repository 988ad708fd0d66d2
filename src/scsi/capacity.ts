/** READ CAPACITY: how many blocks there are, and how long they are (SBC-3 5.15, 5.16). */

import { bit, bits, encode, record, u32, u64 } from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';
import { type OpcodeRow, opcode } from './opcode.ts';
import { allocated } from './parameter-data.ts';
import { offersUnmap, offersWriteSameUnmap } from './provisioning.ts';
import { invalidCdb } from './sense.ts';
import { physicalBlocks } from './vpd-page.ts';

const cdb10 = { lba: u32(2), pmi: bit(8, 0x01) };
const cdb16 = { lba: u64(2), allocation: u32(10), pmi: bit(14, 0x01) };

/** The answer to READ CAPACITY(10) (SBC-3 5.15.2). */
const shortData = record(8, { lastLba: u32(0), blockSize: u32(4) });

/** The answer to READ CAPACITY(16) (SBC-3 5.16.2). */
const longData = record(32, {
  lastLba: u64(0),
  blockSize: u32(8),
  physicalBlockExponent: bits(13, 0x0f),
  lbpme: bit(14, 0x80),
  lbprz: bit(14, 0x40),
});

function capacity16(lu: StorageObject): Uint8Array {
  const thin = offersUnmap(lu) || offersWriteSameUnmap(lu);
  return encode(longData, {
    lastLba: lu.blocks - 1,
    blockSize: lu.blockSize,
    physicalBlockExponent: Math.floor(Math.log2(physicalBlocks(lu))),
    lbpme: thin,
    lbprz: thin && lu.attributes.values.unmap_zeroes_data === 1,
  });
}

/** READ CAPACITY, both of them. */
export const capacityOpcodes: readonly OpcodeRow[] = [
  opcode({
    code: 0x25,
    name: 'READ CAPACITY(10)',
    spec: 'SBC-3 5.15',
    // LOGICAL BLOCK ADDRESS and PMI are obsolete; SBC-2 wants the address 0 without PMI.
    cdb: cdb10,
    medium: 'read',
    whenReserved: 'allowed',
    runsIn: 'standby',
    check: (_lu, cdb) => {
      if (cdb.lba !== 0 && !cdb.pmi) throw invalidCdb(cdb10.lba);
    },
    execute: (lu) => {
      const data = { lastLba: Math.min(lu.blocks - 1, 0xffffffff), blockSize: lu.blockSize };
      return allocated(encode(shortData, data), shortData.length);
    },
  }),
  opcode({
    code: 0x9e,
    serviceAction: 0x10,
    name: 'READ CAPACITY(16)',
    spec: 'SBC-3 5.16',
    cdb: cdb16,
    medium: 'read',
    whenReserved: 'allowed',
    runsIn: 'standby',
    check: (_lu, cdb) => {
      if (cdb.lba !== 0 && !cdb.pmi) throw invalidCdb(cdb16.lba);
    },
    execute: (lu, cdb) => allocated(capacity16(lu), cdb.allocation),
  }),
];
