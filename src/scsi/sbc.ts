/** The commands of a block device (SBC-3), one record each; what they do is in block-access.ts and provisioning.ts. */

import {
  bit,
  bits,
  counting,
  encode,
  type Field,
  lower,
  record,
  u8,
  u16,
  u24,
  u32,
  u64,
  zeroMeans,
} from '../wire/layout.ts';
import {
  atomicBlocksMax,
  compareAndWrite,
  lbaOutOfRange,
  orWrite,
  readBlocks,
  synchronizeCache,
  verifyBlocks,
  verifyLength,
  writeAndVerify,
  writeAtomic,
  writeBlocks,
} from './block-access.ts';
import { capacityOpcodes } from './capacity.ts';
import { formatSanitizeOpcodes } from './format-sanitize.ts';
import type { StorageObject } from './logical-unit.ts';
import { offersFua } from './mode-pages.ts';
import { type OpcodeRow, offeredIf, opcode } from './opcode.ts';
import { allocated, good } from './parameter-data.ts';
import {
  checkWriteSame,
  lbaStatus,
  offersUnmap,
  offersWriteSameUnmap,
  unmapBlocks,
  unmappedBlocks,
  writeSame,
} from './provisioning.ts';
import { invalidCdb } from './sense.ts';
import { startStopOpcodes } from './start-stop.ts';
import type { Task } from './task.ts';
import { compareBlocksMax } from './vpd-page.ts';

type RangeFields = { readonly lba: Field<number>; readonly blocks: Field<number> };

/** Where the block commands of each CDB length have their range; behind it GROUP NUMBER, which nothing here counts by. */
const range6: RangeFields = { lba: lower(21, u24(1)), blocks: zeroMeans(256, u8(4)) };
const range10: RangeFields = { lba: u32(2), blocks: u16(7) };
const range12: RangeFields = { lba: u32(2), blocks: u32(6) };
const range16: RangeFields = { lba: u64(2), blocks: u32(10) };
const range32: RangeFields = { lba: u64(12), blocks: u32(28) };

/** The fields of the CDBs of a length that are ignored: GROUP NUMBER, and tags of protection information, of which there is none. */
const ignored = new Map<RangeFields, Field[]>([
  [range10, [bits(6, 0x1f)]],
  [range12, [bits(10, 0x1f)]],
  [range16, [bits(14, 0x1f)]],
  [range32, [bits(6, 0x1f), u32(20), u16(24), u16(26)]],
]);
const ignoredOf = (range: RangeFields): Field[] => ignored.get(range) ?? [];

/** The byte of the flags. DPO advises a cache that is not ours. Protection fields are not named: they have to be 0 (SBC-3 4.22). */
const flagsOf = (byte: number) => ({
  dpo: offeredIf(offersFua, bit(byte, 0x10)),
  fua: { fua: offeredIf(offersFua, bit(byte, 0x08)) },
  bytchk: { bytchk: bits(byte, 0x06) },
  unmap: { unmap: offeredIf(offersWriteSameUnmap, bit(byte, 0x08)) },
  ndob: { ndob: bit(byte, 0x01) },
});
const shortFlags = flagsOf(1);
const longFlags = flagsOf(10);
const flags = (range: RangeFields) => (range === range32 ? longFlags : shortFlags);
const { dpo, fua } = shortFlags;
const noFua = {} as typeof fua;
const noNdob = {} as (typeof shortFlags)['ndob'];

interface Variant {
  readonly code: number;
  readonly serviceAction?: number;
  readonly name: string;
  readonly spec: string;
  readonly range: RangeFields;
}

const blocksOf = (lu: StorageObject, { blocks }: { readonly blocks: number }): number => blocks * lu.blockSize;
const dataOutOf = (_lu: StorageObject, _cdb: unknown, { dataOutLength }: Task): number => dataOutLength;

const reads = ({ range, ...named }: Variant) =>
  opcode({
    ...named,
    cdb: range,
    accepts: range === range6 ? [] : [flags(range).dpo, flags(range).fua.fua],
    ignores: ignoredOf(range),
    plain: 'read',
    medium: 'read',
    whenReserved: 'reads',
    limited: blocksOf,
    execute: (lu, cdb, task) => readBlocks(lu, cdb.lba, cdb.blocks, task),
  });

const writes = ({ range, ...named }: Variant) =>
  opcode({
    ...named,
    cdb: { ...range, ...(range === range6 ? noFua : flags(range).fua) },
    accepts: range === range6 ? [] : [flags(range).dpo],
    ignores: ignoredOf(range),
    plain: 'write',
    medium: 'write',
    whenReserved: 'conflicts',
    dataOut: (lu, cdb) => cdb.blocks * lu.blockSize,
    fewerBlocks: true,
    inPieces: true,
    lands: true,
    limited: dataOutOf,
    execute: (lu, cdb, task) => task.landing?.finish() ?? writeBlocks(lu, cdb, task),
  });

const verifies = ({ range, ...named }: Variant) =>
  opcode({
    ...named,
    cdb: { ...range, ...flags(range).bytchk },
    accepts: [flags(range).dpo],
    ignores: ignoredOf(range),
    medium: 'read',
    whenReserved: 'reads',
    check: (_lu, cdb) => {
      if (cdb.bytchk === 2) throw invalidCdb(flags(range).bytchk.bytchk);
    },
    dataOut: (lu, cdb) => verifyLength(lu, cdb.bytchk, cdb.blocks),
    inPieces: true,
    // Without data it costs a command: nothing is moved but between the medium and here.
    limited: dataOutOf,
    execute: verifyBlocks,
  });

const writesAndVerifies = ({ range, ...named }: Variant) =>
  opcode({
    ...named,
    cdb: { ...range, ...flags(range).bytchk },
    accepts: [flags(range).dpo],
    ignores: ignoredOf(range),
    medium: 'write',
    whenReserved: 'conflicts',
    check: (_lu, cdb) => {
      if (cdb.bytchk > 1) throw invalidCdb(flags(range).bytchk.bytchk);
    },
    dataOut: (lu, cdb) => cdb.blocks * lu.blockSize,
    fewerBlocks: true,
    inPieces: true,
    limited: dataOutOf,
    execute: writeAndVerify,
  });

const flushes = ({ range, ...named }: Variant) =>
  opcode({
    ...named,
    cdb: { ...range, immediate: bit(1, 0x02) },
    // SYNC_NV of SBC-2: there is no non-volatile cache.
    ignores: [bit(1, 0x04), ...ignoredOf(range)],
    medium: 'flush',
    whenReserved: 'conflicts',
    execute: (lu, cdb) => synchronizeCache(lu, cdb.immediate),
  });

/** The volume's cache is not ours to fill: GOOD says that not everything is cached (SBC-3 5.8). */
const prefetches = ({ range, ...named }: Variant) =>
  opcode({
    ...named,
    cdb: range,
    ignores: [bit(1, 0x02), ...ignoredOf(range)],
    medium: 'read',
    whenReserved: 'reads',
    limited: () => 0,
    execute: () => good,
  });

/** There is no head to move: GOOD tells old initiators that it was moved (SCSI-2 9.2.13, 9.2.15), as LIO does. */
const seeks = (
  named: { readonly code: number; readonly name: string; readonly spec: string },
  lba?: Field<number>,
): OpcodeRow =>
  opcode({
    ...named,
    cdb: lba ? { lba } : {},
    medium: 'read',
    whenReserved: 'conflicts',
    check: (lu, cdb: { readonly lba?: number }) => {
      if ((cdb.lba ?? 0) >= lu.blocks) throw lbaOutOfRange(lu, cdb.lba ?? 0);
    },
    execute: () => good,
  });

const writesSame = ({ range, ...named }: Variant) =>
  opcode({
    ...named,
    cdb: {
      ...range,
      ...flags(range).unmap,
      ...(range === range10 ? noNdob : flags(range).ndob),
    },
    ignores: ignoredOf(range),
    medium: 'write',
    whenReserved: 'conflicts',
    check: (lu, cdb) => checkWriteSame(lu, cdb.blocks, range.blocks),
    dataOut: (lu, cdb) => (cdb.ndob ? 0 : lu.blockSize),
    exactDataOut: true,
    limited: (lu, cdb) => (cdb.blocks || lu.blocks - cdb.lba) * lu.blockSize,
    execute: writeSame,
  });

const compareAndWriteCdb = { ...fua, lba: u64(2), blocks: u8(13) };
const writeAtomicCdb = { ...fua, lba: u64(2), boundary: u16(10), blocks: u16(12) };

/** Rows of which this target makes commands itself (nbd/logical-unit.ts), beside initiators. */
export const blockCommands = {
  read16: reads({ code: 0x88, name: 'READ(16)', spec: 'SBC-3 5.13', range: range16 }),
  write16: writes({ code: 0x8a, name: 'WRITE(16)', spec: 'SBC-3 5.35', range: range16 }),
  synchronizeCache16: flushes({ code: 0x91, name: 'SYNCHRONIZE CACHE(16)', spec: 'SBC-3 5.27', range: range16 }),
  writeSame16: writesSame({ code: 0x93, name: 'WRITE SAME(16)', spec: 'SBC-3 5.44', range: range16 }),
  preFetch16: prefetches({ code: 0x90, name: 'PRE-FETCH(16)', spec: 'SBC-3 5.9', range: range16 }),
  compareAndWrite: opcode({
    code: 0x89,
    name: 'COMPARE AND WRITE',
    spec: 'SBC-3 5.2',
    cdb: compareAndWriteCdb,
    accepts: [dpo],
    ignores: [bits(14, 0x1f)],
    medium: 'write',
    whenReserved: 'conflicts',
    offered: (lu) => lu.attributes.values.emulate_caw === 1,
    check: (lu, cdb) => {
      if (cdb.blocks > compareBlocksMax(lu)) throw invalidCdb(compareAndWriteCdb.blocks);
    },
    dataOut: (lu, cdb) => 2 * cdb.blocks * lu.blockSize,
    exactDataOut: true,
    limited: dataOutOf,
    execute: compareAndWrite,
  }),
  getLbaStatus: opcode({
    code: 0x9e,
    serviceAction: 0x12,
    name: 'GET LBA STATUS',
    spec: 'SBC-3 5.4',
    cdb: { lba: u64(2), allocation: u32(10) },
    medium: 'read',
    whenReserved: 'reads',
    check: (lu, cdb) => {
      if (cdb.lba >= lu.blocks) throw lbaOutOfRange(lu, cdb.lba);
    },
    execute: (lu, cdb) => lbaStatus(lu, cdb.lba, cdb.allocation),
  }),
  unmap: opcode({
    code: 0x42,
    name: 'UNMAP',
    spec: 'SBC-3 5.28',
    cdb: { length: u16(7) },
    ignores: [bits(6, 0x1f)],
    medium: 'write',
    whenReserved: 'conflicts',
    offered: offersUnmap,
    dataOut: (_lu, cdb) => cdb.length,
    limited: (lu, _cdb, task) =>
      task.dataOut.length < task.dataOutLength ? undefined : unmappedBlocks(task) * lu.blockSize,
    execute: (lu, _cdb, task) => unmapBlocks(lu, task),
  }),
} as const;

/** The commands of a block device. */
export const sbcOpcodes: readonly OpcodeRow[] = [
  reads({ code: 0x08, name: 'READ(6)', spec: 'SBC-2 5.5', range: range6 }),
  reads({ code: 0x28, name: 'READ(10)', spec: 'SBC-3 5.11', range: range10 }),
  reads({ code: 0xa8, name: 'READ(12)', spec: 'SBC-3 5.12', range: range12 }),
  blockCommands.read16,
  reads({ code: 0x7f, serviceAction: 0x09, name: 'READ(32)', spec: 'SBC-3 5.14', range: range32 }),
  writes({ code: 0x0a, name: 'WRITE(6)', spec: 'SBC-2 5.24', range: range6 }),
  writes({ code: 0x2a, name: 'WRITE(10)', spec: 'SBC-3 5.33', range: range10 }),
  writes({ code: 0xaa, name: 'WRITE(12)', spec: 'SBC-3 5.34', range: range12 }),
  blockCommands.write16,
  writes({ code: 0x7f, serviceAction: 0x0b, name: 'WRITE(32)', spec: 'SBC-3 5.36', range: range32 }),
  verifies({ code: 0x2f, name: 'VERIFY(10)', spec: 'SBC-3 5.29', range: range10 }),
  verifies({ code: 0xaf, name: 'VERIFY(12)', spec: 'SBC-3 5.30', range: range12 }),
  verifies({ code: 0x8f, name: 'VERIFY(16)', spec: 'SBC-3 5.31', range: range16 }),
  verifies({ code: 0x7f, serviceAction: 0x0a, name: 'VERIFY(32)', spec: 'SBC-3 5.32', range: range32 }),
  writesAndVerifies({ code: 0x2e, name: 'WRITE AND VERIFY(10)', spec: 'SBC-3 5.37', range: range10 }),
  writesAndVerifies({ code: 0xae, name: 'WRITE AND VERIFY(12)', spec: 'SBC-3 5.38', range: range12 }),
  writesAndVerifies({ code: 0x8e, name: 'WRITE AND VERIFY(16)', spec: 'SBC-3 5.39', range: range16 }),
  writesAndVerifies({
    code: 0x7f,
    serviceAction: 0x0c,
    name: 'WRITE AND VERIFY(32)',
    spec: 'SBC-3 5.40',
    range: range32,
  }),
  flushes({ code: 0x35, name: 'SYNCHRONIZE CACHE(10)', spec: 'SBC-3 5.26', range: range10 }),
  blockCommands.synchronizeCache16,
  writesSame({ code: 0x41, name: 'WRITE SAME(10)', spec: 'SBC-3 5.43', range: range10 }),
  blockCommands.writeSame16,
  writesSame({ code: 0x7f, serviceAction: 0x0d, name: 'WRITE SAME(32)', spec: 'SBC-3 5.45', range: range32 }),
  blockCommands.compareAndWrite,
  opcode({
    code: 0x8b,
    name: 'ORWRITE(16)',
    spec: 'SBC-3 5.5',
    cdb: { ...range16, ...fua },
    accepts: [dpo],
    ignores: ignoredOf(range16),
    medium: 'write',
    whenReserved: 'conflicts',
    dataOut: (lu, cdb) => cdb.blocks * lu.blockSize,
    fewerBlocks: true,
    limited: dataOutOf,
    execute: orWrite,
  }),
  opcode({
    code: 0x9c,
    name: 'WRITE ATOMIC(16)',
    spec: 'SBC-4 5.48',
    cdb: writeAtomicCdb,
    accepts: [dpo],
    ignores: [bits(14, 0x1f)],
    medium: 'write',
    whenReserved: 'conflicts',
    offered: (lu) => atomicBlocksMax(lu) > 0,
    check: (lu, cdb) => {
      // MAXIMUM ATOMIC BOUNDARY SIZE of VPD page B0h is 0: the whole write is one atomic piece.
      if (cdb.boundary !== 0) throw invalidCdb(writeAtomicCdb.boundary);
      if (cdb.blocks > atomicBlocksMax(lu)) throw invalidCdb(writeAtomicCdb.blocks);
    },
    dataOut: (lu, cdb) => cdb.blocks * lu.blockSize,
    limited: dataOutOf,
    execute: writeAtomic,
  }),
  seeks({ code: 0x01, name: 'REZERO UNIT', spec: 'SCSI-2 9.2.13' }),
  seeks({ code: 0x0b, name: 'SEEK(6)', spec: 'SCSI-2 9.2.15' }, lower(21, u24(1))),
  seeks({ code: 0x2b, name: 'SEEK(10)', spec: 'SCSI-2 9.2.15' }, u32(2)),
  prefetches({ code: 0x34, name: 'PRE-FETCH(10)', spec: 'SBC-3 5.8', range: range10 }),
  blockCommands.preFetch16,
  blockCommands.getLbaStatus,
  opcode({
    code: 0x37,
    name: 'READ DEFECT DATA(10)',
    spec: 'SBC-3 5.17',
    cdb: { lists: bits(2, 0x18), format: bits(2, 0x07), allocation: u16(7) },
    medium: 'read',
    whenReserved: 'reads',
    execute: (_lu, cdb) => allocated(encode(defects10, { lists: cdb.lists, format: cdb.format }), cdb.allocation),
  }),
  opcode({
    code: 0xb7,
    name: 'READ DEFECT DATA(12)',
    spec: 'SBC-3 5.18',
    cdb: { lists: bits(1, 0x18), format: bits(1, 0x07), index: u32(2), allocation: u32(6) },
    medium: 'read',
    whenReserved: 'reads',
    execute: (_lu, cdb) => allocated(encode(defects12, { lists: cdb.lists, format: cdb.format }), cdb.allocation),
  }),
  blockCommands.unmap,
  ...capacityOpcodes,
  ...startStopOpcodes,
  ...formatSanitizeOpcodes,
];

/** READ DEFECT DATA answers with an empty list, in the format that was asked for (SBC-3 5.17.2, 5.18.2). */
const defects = { lists: bits(1, 0x18), format: bits(1, 0x07) };
const defects10 = record(4, { ...defects, length: counting(u16(2)) });
const defects12 = record(8, { ...defects, length: counting(u32(4)) });
