/** Mode pages, one record each, and MODE SENSE (SPC-4 6.11, 6.12, 7.5; SBC-3 6.5). */

import { bit, bits, type Cdb, opcode, u8, u16 } from './opcode.ts';
import { allocated } from './parameter-data.ts';
import { CheckCondition, invalidCdb, sense } from './sense.ts';
import type { StorageObject } from './storage-object.ts';
import type { Completion, Task } from './task.ts';

export interface ModePage {
  readonly code: number;
  readonly name: string;
  readonly spec: string;
  /** The page's bytes after its two-byte header, as they are now. */
  current(lu: StorageObject): Uint8Array;
}

const flagOf = (value: boolean | number, bits: number): number => (value ? bits : 0);

export const modePages: readonly ModePage[] = [
  {
    code: 0x01,
    name: 'Read-Write Error Recovery',
    spec: 'SBC-3 6.5.8',
    current: () => new Uint8Array(10),
  },
  {
    code: 0x08,
    name: 'Caching',
    spec: 'SBC-3 6.5.5',
    current: (lu) => {
      const bytes = new Uint8Array(18);
      bytes[0] = flagOf(lu.attributes.values.emulate_write_cache, 0x04); // WCE
      bytes[10] = 0x20; // DRA
      return bytes;
    },
  },
  {
    code: 0x0a,
    name: 'Control',
    spec: 'SPC-4 7.5.8',
    current: (lu) => {
      const { emulate_rest_reord, emulate_ua_intlck_ctrl, emulate_tas } = lu.attributes.values;
      const interlock = [0x00, 0x20, 0x30][emulate_ua_intlck_ctrl] ?? 0;
      const bytes = new Uint8Array(10);
      bytes[0] = 0x02 | flagOf(lu.mode.descriptorSense, 0x04); // GLTSD, D_SENSE
      bytes[1] = flagOf(emulate_rest_reord === 0, 0x10); // QUEUE ALGORITHM MODIFIER: unrestricted
      bytes[2] = interlock | flagOf(lu.mode.softwareWriteProtect, 0x08); // UA_INTLCK_CTRL, SWP
      bytes[3] = flagOf(emulate_tas, 0x40); // TAS
      bytes.set([0xff, 0xff, 0x00, 0x1e], 6); // BUSY TIMEOUT PERIOD: not defined; self-test: 30 s
      return bytes;
    },
  },
  {
    code: 0x1c,
    name: 'Informational Exceptions Control',
    spec: 'SPC-4 7.5.11',
    current: () => new Uint8Array(10),
  },
];

/** DPO and FUA bits are accepted: where writes are cached. MODE SENSE's DPOFUA bit and the CDBs' usage bits follow it. */
export function offersFua(lu: StorageObject): boolean {
  const { emulate_fua_write, emulate_write_cache } = lu.attributes.values;
  return emulate_fua_write === 1 && emulate_write_cache === 1;
}

const cdb6 = { dbd: bit(1, 3), control: bits(2, 6, 2), page: bits(2, 0, 6), subpage: u8(3), allocation: u8(4) };
const cdb10 = {
  longLba: bit(1, 4),
  dbd: bit(1, 3),
  control: bits(2, 6, 2),
  page: bits(2, 0, 6),
  subpage: u8(3),
  allocation: u16(7),
};

export const modeSenseOpcodes = [
  opcode({
    code: 0x1a,
    name: 'MODE SENSE(6)',
    spec: 'SPC-4 6.11',
    cdb: cdb6,
    medium: 'none',
    whenReserved: 'reads',
    execute: (lu, cdb, task) => modeSense6(lu, cdb, task),
  }),
  opcode({
    code: 0x5a,
    name: 'MODE SENSE(10)',
    spec: 'SPC-4 6.12',
    cdb: cdb10,
    medium: 'none',
    whenReserved: 'reads',
    execute: (lu, cdb, task) => modeSense10(lu, cdb, task),
  }),
];

/** Mode parameter header(6): SPC-4 7.5.5. */
function modeSense6(lu: StorageObject, cdb: Cdb<typeof cdb6>, task: Task): Completion {
  const descriptor = blockDescriptor(lu, cdb.dbd === 1, false);
  const data = Buffer.concat([new Uint8Array(4), descriptor, pages(lu, cdb)]);
  data[0] = data.length - 1;
  data[2] = deviceSpecific(lu, task);
  data[3] = descriptor.length;
  return allocated(data, cdb.allocation);
}

/** Mode parameter header(10): SPC-4 7.5.5. */
function modeSense10(lu: StorageObject, cdb: Cdb<typeof cdb10>, task: Task): Completion {
  const descriptor = blockDescriptor(lu, cdb.dbd === 1, cdb.longLba === 1);
  const data = Buffer.concat([new Uint8Array(8), descriptor, pages(lu, cdb)]);
  data.writeUInt16BE(data.length - 2, 0);
  data[3] = deviceSpecific(lu, task);
  data[4] = descriptor.length === longDescriptorBytes ? 1 : 0; // LONGLBA
  data.writeUInt16BE(descriptor.length, 6);
  return allocated(data, cdb.allocation);
}

/** DEVICE-SPECIFIC PARAMETER: WP and DPOFUA (SBC-3 6.5.1). */
function deviceSpecific(lu: StorageObject, { unit }: Task): number {
  const writeProtected = unit?.writeProtected || lu.volume?.readOnly || lu.mode.softwareWriteProtect;
  return flagOf(writeProtected ?? false, 0x80) | flagOf(offersFua(lu), 0x10);
}

const longDescriptorBytes = 16;

/** SBC-3 6.5.2: the short form says FFFFFFFFh where the number of blocks needs more than 32 bits. */
function blockDescriptor(lu: StorageObject, disabled: boolean, long: boolean): Uint8Array {
  if (disabled) return new Uint8Array(0);
  const bytes = Buffer.alloc(long ? longDescriptorBytes : 8);
  if (long) {
    bytes.writeBigUInt64BE(BigInt(lu.blocks), 0);
    bytes.writeUInt32BE(lu.blockSize, 12);
  } else {
    bytes.writeUInt32BE(Math.min(lu.blocks, 0xffffffff), 0);
    bytes.writeUIntBE(lu.blockSize, 5, 3);
  }
  return bytes;
}

const allPages = 0x3f;
const allSubpages = 0xff;
/** PAGE CONTROL: SPC-4 table 156. */
const changeable = 1;
const saved = 3;

function pages(lu: StorageObject, cdb: { page: number; subpage: number; control: number }): Uint8Array {
  if (cdb.control === saved) throw new CheckCondition(sense.savingParametersNotSupported);
  const wanted = modePages.filter((page) => cdb.page === allPages || page.code === cdb.page);
  if (wanted.length === 0) throw invalidCdb(2, 5);
  if (cdb.subpage !== 0 && !(cdb.page === allPages && cdb.subpage === allSubpages)) throw invalidCdb(3, 7);
  return Buffer.concat(
    wanted.map((page) => {
      const bytes = page.current(lu);
      if (cdb.control === changeable) bytes.fill(0);
      return Buffer.concat([Uint8Array.of(page.code, bytes.length), bytes]);
    }),
  );
}
