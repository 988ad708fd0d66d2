/** MODE SENSE and MODE SELECT (SPC-4 6.11 to 6.14). */

import type { StorageObject } from './logical-unit.ts';
import { flagOf, type ModePage } from './mode-page.ts';
import { offeredPages, offersFua } from './mode-pages.ts';
import { bit, bits, type Cdb, opcode, u8, u16 } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { isWriteProtected } from './readiness.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { reportToAll, withdrawUnitAttention } from './unit-attention.ts';

const cdb6 = { dbd: bit(1, 3), control: bits(2, 6, 2), page: bits(2, 0, 6), subpage: u8(3), allocation: u8(4) };
const cdb10 = {
  longLba: bit(1, 4),
  dbd: bit(1, 3),
  control: bits(2, 6, 2),
  page: bits(2, 0, 6),
  subpage: u8(3),
  allocation: u16(7),
};

export const modeOpcodes = [
  opcode({
    code: 0x1a,
    name: 'MODE SENSE(6)',
    spec: 'SPC-4 6.13',
    cdb: cdb6,
    medium: 'none',
    whenReserved: 'reads',
    runsIn: 'standby',
    execute: (lu, cdb, task) => modeSense6(lu, cdb, task),
  }),
  opcode({
    code: 0x5a,
    name: 'MODE SENSE(10)',
    spec: 'SPC-4 6.14',
    cdb: cdb10,
    medium: 'none',
    whenReserved: 'reads',
    runsIn: 'standby',
    execute: (lu, cdb, task) => modeSense10(lu, cdb, task),
  }),
  opcode({
    code: 0x15,
    name: 'MODE SELECT(6)',
    spec: 'SPC-4 6.11',
    cdb: { length: u8(4) },
    // PF: there is no other format of pages.
    ignores: [bit(1, 4)],
    medium: 'none',
    whenReserved: 'conflicts',
    changesForAll: true,
    runsIn: 'standby',
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, _cdb, task) => modeSelect(lu, task, 4),
  }),
  opcode({
    code: 0x55,
    name: 'MODE SELECT(10)',
    spec: 'SPC-4 6.12',
    cdb: { length: u16(7) },
    ignores: [bit(1, 4)],
    medium: 'none',
    whenReserved: 'conflicts',
    changesForAll: true,
    runsIn: 'standby',
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, _cdb, task) => modeSelect(lu, task, 8),
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
  return flagOf(unit?.writeProtected || isWriteProtected(lu), 0x80) | flagOf(offersFua(lu), 0x10);
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
/** PAGE CONTROL (SPC-4 6.13.1). */
const changeable = 1;
const byDefault = 2;
const saved = 3;

function pages(lu: StorageObject, cdb: { page: number; subpage: number; control: number }): Uint8Array {
  if (cdb.control === saved) throw new CheckCondition(sense.savingParametersNotSupported);
  const offered = offeredPages(lu);
  const wanted = offered.filter(
    ({ code, subpage = 0 }) =>
      (cdb.page === allPages || code === cdb.page) && (cdb.subpage === allSubpages || subpage === cdb.subpage),
  );
  if (!offered.some(({ code }) => cdb.page === allPages || code === cdb.page)) throw invalidCdb(2, 5);
  if (wanted.length === 0 || (cdb.page === allPages && cdb.subpage !== 0 && cdb.subpage !== allSubpages))
    throw invalidCdb(3, 7);
  return Buffer.concat(
    wanted.map((page) => {
      const bytes = values(page, lu, cdb.control);
      return Buffer.concat([headerOf(page, bytes.length), bytes]);
    }),
  );
}

function values(page: ModePage, lu: StorageObject, control: number): Uint8Array {
  if (control === changeable) return changeableMask(page, lu);
  const bytes = page.current(lu);
  if (control === byDefault)
    for (const { byte, mask, initial } of page.changeable) bytes[byte] = (bytes[byte]! & ~mask) | (initial?.(lu) ?? 0);
  return bytes;
}

const subpageFormat = 0x40;

/** Page_0 or sub_page format (SPC-4 7.5.7). */
const headerOf = ({ code, subpage }: ModePage, length: number): Uint8Array =>
  subpage === undefined
    ? Uint8Array.of(code, length)
    : Uint8Array.of(subpageFormat | code, subpage, length >> 8, length);

function changeableMask(page: ModePage, lu: StorageObject): Uint8Array {
  const mask = new Uint8Array(page.current(lu).length);
  for (const field of page.changeable) if (field.offered?.(lu) ?? true) mask[field.byte]! |= field.mask;
  return mask;
}

/**
 * Every page is checked before the first is applied: what cannot change has to be as it is (SPC-4 6.11).
 * @param headerBytes of the mode parameter header: 4 or 8
 */
async function modeSelect(lu: StorageObject, task: Task, headerBytes: 4 | 8): Promise<Completion> {
  if (task.dataOutLength === 0) return good;
  const list = parameterList(task.dataOut, headerBytes);
  const descriptorBytes = headerBytes === 4 ? list[3]! : list.readUInt16BE(6);
  let at = headerBytes + descriptorBytes;
  if (list.length < at) throw new CheckCondition(sense.parameterListLengthError);
  checkBlockDescriptor(lu, list.subarray(headerBytes, at), headerBytes, headerBytes === 8 && (list[4]! & 0x01) !== 0);
  const selected: { page: ModePage; bytes: Uint8Array }[] = [];
  while (at < list.length) {
    const { page, from, end } = selectedPage(lu, list, at);
    const bytes = list.subarray(from, end);
    checkPage(lu, page, bytes, from);
    selected.push({ page, bytes });
    at = end;
  }
  let changed = false;
  for (const { page, bytes } of selected)
    for (const { byte, mask, set } of page.changeable) {
      if (((page.current(lu)[byte]! ^ bytes[byte]!) & mask) === 0) continue;
      await set(lu, bytes[byte]! & mask);
      changed = true;
    }
  if (!changed) return good;
  reportToAll(lu, sense.modeParametersChanged, task.nexus);
  // What the tree changed it told to everybody.
  withdrawUnitAttention(task.nexus, lu, sense.modeParametersChanged);
  return good;
}

/** The page that starts at `at`, and where its bytes lie. @throws CheckCondition */
function selectedPage(lu: StorageObject, list: Buffer, at: number): { page: ModePage; from: number; end: number } {
  const isSubpage = (list[at]! & subpageFormat) !== 0;
  const from = at + (isSubpage ? 4 : 2);
  if (list.length < from) throw new CheckCondition(sense.parameterListLengthError);
  const subpage = isSubpage ? list[at + 1] : undefined;
  const page = offeredPages(lu).find((one) => one.code === (list[at]! & 0x3f) && one.subpage === subpage);
  if (!page) throw invalidParameter(at);
  const end = from + (isSubpage ? list.readUInt16BE(at + 2) : list[at + 1]!);
  if (end > list.length) throw new CheckCondition(sense.parameterListLengthError);
  return { page, from, end };
}

/** @param at where its bytes stand in the parameter list */
function checkPage(lu: StorageObject, page: ModePage, bytes: Uint8Array, at: number): void {
  const current = page.current(lu);
  if (bytes.length !== current.length) throw invalidParameter(at - 1);
  const mask = changeableMask(page, lu);
  current.forEach((byte, i) => {
    if (((byte ^ bytes[i]!) & ~mask[i]!) !== 0) throw invalidParameter(at + i);
  });
  for (const field of page.changeable)
    if (field.only && !field.only.includes(bytes[field.byte]! & field.mask)) throw invalidParameter(at + field.byte);
  const wrong = page.wrong?.(bytes);
  if (wrong) throw invalidParameter(at + wrong.byte, wrong.bit);
}

/**
 * SBC-3 6.5.2: the block length is fixed, and so is the number of blocks (0 and all ones leave it alone).
 * @param long LONGLBA: the form of 16 bytes
 */
function checkBlockDescriptor(lu: StorageObject, descriptor: Buffer, at: number, long: boolean): void {
  if (descriptor.length === 0) return;
  if (descriptor.length !== (long ? longDescriptorBytes : 8)) throw invalidParameter(at === 4 ? 3 : 6);
  const blocks = long ? Number(descriptor.readBigUInt64BE(0)) : descriptor.readUInt32BE(0);
  const blockSize = long ? descriptor.readUInt32BE(12) : descriptor.readUIntBE(5, 3);
  const all = long ? 2 ** 64 : 0xffffffff;
  if (blocks !== 0 && blocks !== all && blocks !== lu.blocks) throw invalidParameter(at);
  if (blockSize !== lu.blockSize) throw invalidParameter(at + (long ? 12 : 5));
}
