/** MODE SENSE and MODE SELECT (SPC-4 6.11 to 6.14). */

import { bit, bits, counting, decode, encode, record, u8, u16, u24, u32, u64 } from '../wire/layout.ts';
import type { StorageObject } from './logical-unit.ts';
import {
  changeablePage,
  changesOf,
  currentPage,
  headerOf,
  initialPage,
  type ModePage,
  pageHeader,
  subpageHeader,
} from './mode-page.ts';
import { offeredPages, offersFua } from './mode-pages.ts';
import { type Cdb, opcode } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { isWriteProtected } from './readiness.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import type { Completion, Task } from './task.ts';
import { reportToAll, withdrawUnitAttention } from './unit-attention.ts';

const cdb6 = { dbd: bit(1, 0x08), control: bits(2, 0xc0), page: bits(2, 0x3f), subpage: u8(3), allocation: u8(4) };
const cdb10 = {
  longLba: bit(1, 0x10),
  dbd: bit(1, 0x08),
  control: bits(2, 0xc0),
  page: bits(2, 0x3f),
  subpage: u8(3),
  allocation: u16(7),
};

/** MODE SENSE and MODE SELECT. */
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
    ignores: [bit(1, 0x10)],
    medium: 'none',
    whenReserved: 'conflicts',
    changesForAll: true,
    runsIn: 'standby',
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, _cdb, task) => modeSelect(lu, task, header6),
  }),
  opcode({
    code: 0x55,
    name: 'MODE SELECT(10)',
    spec: 'SPC-4 6.12',
    cdb: { length: u16(7) },
    ignores: [bit(1, 0x10)],
    medium: 'none',
    whenReserved: 'conflicts',
    changesForAll: true,
    runsIn: 'standby',
    dataOut: (_lu, cdb) => cdb.length,
    execute: (lu, _cdb, task) => modeSelect(lu, task, header10),
  }),
];

/** DEVICE-SPECIFIC PARAMETER of a block device (SBC-3 6.5.1). */
const deviceSpecific = (byte: number) => ({ writeProtected: bit(byte, 0x80), dpoFua: bit(byte, 0x10) });

/** Mode parameter headers (SPC-4 7.5.5), and the block descriptors that follow (SBC-3 6.5.2). */
const header6 = record(4, { length: counting(u8(0)), ...deviceSpecific(2), descriptorsLength: u8(3) });
const header10 = record(8, {
  length: counting(u16(0)),
  ...deviceSpecific(3),
  longLba: bit(4, 0x01),
  descriptorsLength: u16(6),
});
const shortDescriptor = record(8, { blocks: u32(0), blockSize: u24(5) });
const longDescriptor = record(16, { blocks: u64(0), blockSize: u32(12) });

function modeSense6(lu: StorageObject, cdb: Cdb<typeof cdb6>, task: Task): Completion {
  const descriptor = blockDescriptor(lu, cdb.dbd, false);
  const header = { ...deviceState(lu, task), descriptorsLength: descriptor.length };
  return allocated(encode(header6, header, descriptor, ...pages(lu, cdb)), cdb.allocation);
}

function modeSense10(lu: StorageObject, cdb: Cdb<typeof cdb10>, task: Task): Completion {
  const longLba = cdb.longLba && !cdb.dbd;
  const descriptor = blockDescriptor(lu, cdb.dbd, longLba);
  const header = { ...deviceState(lu, task), longLba, descriptorsLength: descriptor.length };
  return allocated(encode(header10, header, descriptor, ...pages(lu, cdb)), cdb.allocation);
}

const deviceState = (lu: StorageObject, { unit }: Task) => ({
  writeProtected: unit?.writeProtected === true || isWriteProtected(lu),
  dpoFua: offersFua(lu),
});

/** The short form says FFFFFFFFh where the number of blocks needs more than 32 bits. */
function blockDescriptor(lu: StorageObject, disabled: boolean, long: boolean): Uint8Array {
  if (disabled) return new Uint8Array(0);
  const { blocks, blockSize } = lu;
  if (long) return encode(longDescriptor, { blocks, blockSize });
  return encode(shortDescriptor, { blocks: Math.min(blocks, 0xffffffff), blockSize });
}

const allPages = 0x3f;
const allSubpages = 0xff;
/** PAGE CONTROL (SPC-4 6.13.1). */
const changeable = 1;
const byDefault = 2;
const saved = 3;

function pages(lu: StorageObject, cdb: { page: number; subpage: number; control: number }): Uint8Array[] {
  if (cdb.control === saved) throw new CheckCondition(sense.savingParametersNotSupported);
  const offered = offeredPages(lu);
  const wanted = offered.filter(
    ({ code, subpage = 0 }) =>
      (cdb.page === allPages || code === cdb.page) && (cdb.subpage === allSubpages || subpage === cdb.subpage),
  );
  if (!offered.some(({ code }) => cdb.page === allPages || code === cdb.page)) throw invalidCdb(cdb6.page);
  if (wanted.length === 0 || (cdb.page === allPages && cdb.subpage !== 0 && cdb.subpage !== allSubpages))
    throw invalidCdb(cdb6.subpage);
  const form = cdb.control === changeable ? changeablePage : cdb.control === byDefault ? initialPage : currentPage;
  return wanted.map((page) => form(page, lu));
}

/** Every page is checked before the first is applied: what cannot change has to be as it is (SPC-4 6.11). */
async function modeSelect(
  lu: StorageObject,
  task: Task,
  layout: typeof header6 | typeof header10,
): Promise<Completion> {
  if (task.dataOutLength === 0) return good;
  const list = parameterList(task.dataOut, layout.length);
  const { descriptorsLength } = layout.fields;
  let at = layout.length + descriptorsLength.get(list, 0);
  if (list.length < at) throw new CheckCondition(sense.parameterListLengthError);
  const isLong = layout === header10 && header10.fields.longLba.get(list, 0);
  checkBlockDescriptor(lu, list.subarray(layout.length, at), layout, isLong ? longDescriptor : shortDescriptor);
  const selected: { page: ModePage; bytes: Uint8Array }[] = [];
  while (at < list.length) {
    const { page, end } = selectedPage(lu, list, at);
    const bytes = list.subarray(at, end);
    checkPage(lu, page, bytes, at);
    selected.push({ page, bytes });
    at = end;
  }
  let changed = false;
  for (const { page, bytes } of selected)
    for (const [, field, { set }] of changesOf(page)) {
      const value = field.get(bytes, 0);
      if (field.get(currentPage(page, lu), 0) === value) continue;
      await set(lu, value);
      changed = true;
    }
  if (!changed) return good;
  reportToAll(lu, sense.modeParametersChanged, task.nexus);
  // A setting of the tree that was changed told every nexus; the one that changed it need not hear of it.
  withdrawUnitAttention(task.nexus, lu, sense.modeParametersChanged);
  return good;
}

/** The page that starts at `at`, and where it ends. @throws CheckCondition */
function selectedPage(lu: StorageObject, list: Buffer, at: number): { page: ModePage; end: number } {
  const { spf, code } = pageHeader.fields;
  const isSubpage = spf.get(list, at);
  const header = isSubpage ? subpageHeader : pageHeader;
  if (list.length < at + header.length) throw new CheckCondition(sense.parameterListLengthError);
  const subpage = isSubpage ? subpageHeader.fields.subpage.get(list, at) : undefined;
  const page = offeredPages(lu).find((one) => one.code === code.get(list, at) && one.subpage === subpage);
  // The code or the subpage code.
  if (!page) throw invalidParameter({ at: 0, mask: 0xff }, at);
  const end = at + header.length + header.fields.length.get(list, at);
  if (end > list.length) throw new CheckCondition(sense.parameterListLengthError);
  return { page, end };
}

/** @param at where it stands in the parameter list */
function checkPage(lu: StorageObject, page: ModePage, bytes: Uint8Array, at: number): void {
  const { layout, wrong } = page;
  const header = headerOf(page);
  if (bytes.length !== layout.length) throw invalidParameter(header.fields.length, at);
  const current = currentPage(page, lu);
  const mask = changeablePage(page, lu);
  for (let i = header.length; i < bytes.length; i += 1)
    if (((current[i]! ^ bytes[i]!) & ~mask[i]!) !== 0) throw invalidParameter({ at: i, mask: 0xff }, at);
  for (const [, field, { only }] of changesOf(page))
    if (only && !only.includes(field.get(bytes, 0))) throw invalidParameter(field, at);
  const name = wrong?.(decode(layout, bytes));
  if (name !== undefined) throw invalidParameter(layout.fields[name]!, at);
}

/** SBC-3 6.5.2: the block length is fixed, and so is the number of blocks (0 and all ones leave it alone). */
function checkBlockDescriptor(
  lu: StorageObject,
  descriptor: Uint8Array,
  header: typeof header6 | typeof header10,
  layout: typeof shortDescriptor | typeof longDescriptor,
): void {
  if (descriptor.length === 0) return;
  if (descriptor.length !== layout.length) throw invalidParameter(header.fields.descriptorsLength);
  const { blocks, blockSize } = decode<typeof shortDescriptor.fields>(layout, descriptor);
  const all = layout === longDescriptor ? 2 ** 64 : 0xffffffff;
  if (blocks !== 0 && blocks !== all && blocks !== lu.blocks)
    throw invalidParameter(layout.fields.blocks, header.length);
  if (blockSize !== lu.blockSize) throw invalidParameter(layout.fields.blockSize, header.length);
}
