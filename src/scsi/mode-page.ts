/** Mode pages, one record each; MODE SENSE and MODE SELECT (SPC-4 6.11 to 6.14, 7.5; SBC-3 6.5). */

import { bit, bits, type Cdb, opcode, u8, u16 } from './opcode.ts';
import { allocated, good, parameterList } from './parameter-data.ts';
import { offersThresholds, provisioningPage, watchThresholds } from './provisioning-threshold.ts';
import { isWriteProtected } from './readiness.ts';
import { CheckCondition, invalidCdb, invalidParameter, sense } from './sense.ts';
import type { StorageObject } from './storage-object.ts';
import type { Completion, Task } from './task.ts';
import { report, withdraw } from './unit-attention.ts';

export interface ModePage {
  readonly code: number;
  /** Absent: the page itself, in page_0 format (SPC-4 7.5.7). */
  readonly subpage?: number;
  readonly name: string;
  readonly spec: string;
  readonly offered?: (lu: StorageObject) => boolean;
  /** The page's bytes after its header of two bytes, or four with a subpage, as they are now. */
  current(lu: StorageObject): Uint8Array;
  /** Fields that MODE SELECT can change. */
  readonly changeable: readonly Changeable[];
  /** The field that does not go with the others, in bytes that are right each by itself. */
  wrong?(bytes: Uint8Array): { readonly byte: number; readonly bit: number } | undefined;
}

/** One field that initiators can change: bits of `byte` (counted as in `current`), which start at bit 0 or are one. */
interface Changeable {
  readonly byte: number;
  readonly mask: number;
  readonly offered?: (lu: StorageObject) => boolean;
  /** The values that there are; absent: all. */
  readonly only?: readonly number[];
  /** As it is before anybody changes it; absent: 0. */
  initial?(lu: StorageObject): number;
  set(lu: StorageObject, value: number): void | Promise<void>;
}

const flagOf = (value: boolean | number, bits: number): number => (value ? bits : 0);

/** Every mode page there is, in the order of MODE SENSE. */
export const modePages: readonly ModePage[] = [
  {
    code: 0x01,
    name: 'Read-Write Error Recovery',
    spec: 'SBC-3 6.5.8',
    current: (lu) => {
      const bytes = new Uint8Array(10);
      bytes[5] = flagOf(offersThresholds(lu) && lu.mode.thresholdReports, 0x80); // LBPERE
      return bytes;
    },
    changeable: [
      {
        byte: 5,
        mask: 0x80,
        offered: offersThresholds,
        initial: (lu) => flagOf(offersThresholds(lu), 0x80),
        set: (lu, on) => {
          lu.mode.thresholdReports = on !== 0;
          watchThresholds(lu);
        },
      },
    ],
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
    changeable: [
      {
        byte: 0,
        mask: 0x04,
        initial: (lu) => flagOf(lu.initial('emulate_write_cache'), 0x04),
        set: (lu, on) => lu.configure({ name: 'emulate_write_cache', value: on ? 1 : 0 }),
      },
    ],
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
    changeable: [
      { byte: 0, mask: 0x04, set: (lu, on) => void Object.assign(lu.mode, { descriptorSense: on !== 0 }) },
      { byte: 2, mask: 0x08, set: (lu, on) => void Object.assign(lu.mode, { softwareWriteProtect: on !== 0 }) },
      {
        byte: 3,
        mask: 0x40,
        initial: (lu) => flagOf(lu.initial('emulate_tas'), 0x40),
        set: (lu, on) => lu.configure({ name: 'emulate_tas', value: on ? 1 : 0 }),
      },
    ],
  },
  {
    code: 0x0a,
    subpage: 0x01,
    name: 'Control Extension',
    spec: 'SPC-4 7.5.9',
    current: (lu) => {
      const bytes = new Uint8Array(28);
      bytes[0] = 0x06 | flagOf(lu.attributes.values.alua_support, 0x01); // TCMOS, SCSIP; IALUAE
      return bytes;
    },
    changeable: [],
  },
  {
    code: 0x1a,
    name: 'Power Condition',
    spec: 'SPC-4 7.5.13',
    // No timer is enabled, and none can be.
    current: () => new Uint8Array(38),
    changeable: [],
  },
  {
    code: 0x1c,
    name: 'Informational Exceptions Control',
    spec: 'SPC-4 7.5.11',
    current: ({ mode }) => {
      const bytes = new Uint8Array(10);
      bytes[0] = flagOf(mode.exceptionsDisabled, 0x08) | flagOf(mode.exceptionTest, 0x04); // DEXCPT, TEST
      bytes[1] = mode.exceptionReporting;
      return bytes;
    },
    changeable: [
      { byte: 0, mask: 0x08, set: (lu, on) => void Object.assign(lu.mode, { exceptionsDisabled: on !== 0 }) },
      { byte: 0, mask: 0x04, set: (lu, on) => void Object.assign(lu.mode, { exceptionTest: on !== 0 }) },
      // MRIE: no reporting, or on request.
      { byte: 1, mask: 0x0f, only: [0, 6], set: (lu, how) => void Object.assign(lu.mode, { exceptionReporting: how }) },
    ],
    // DEXCPT and TEST: a failure that is made up and not reported is none.
    wrong: (bytes) => ((bytes[0]! & 0x0c) === 0x0c ? { byte: 0, bit: 3 } : undefined),
  },
  provisioningPage,
];

const offeredPages = (lu: StorageObject): readonly ModePage[] =>
  modePages.filter(({ offered }) => offered?.(lu) ?? true);

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

/** All pages as they are now: to see what a setting changes. */
export const modeData = (lu: StorageObject): Uint8Array =>
  Buffer.concat(offeredPages(lu).map((page) => page.current(lu)));

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
  report(lu, sense.modeParametersChanged, task.nexus);
  // What the tree changed it told to everybody.
  withdraw(task.nexus, lu, sense.modeParametersChanged);
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
