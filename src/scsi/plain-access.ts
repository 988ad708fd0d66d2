/**
 * The fast path of READ and WRITE: where nothing stands in the way of such a command, its CDB says where on the medium its
 * blocks are, and a transport reads or writes them at once. The device server (device-server.ts) is the truth: it takes every
 * command, and these with the same result.
 */

import { bitsOf, type Field } from '../wire/layout.ts';
import { isDurable, owesFlush } from './block-access.ts';
import type { LogicalUnitView, Nexus, PlainAccess, StorageObject } from './logical-unit.ts';
import type { Opcode } from './opcode.ts';
import { opcodes } from './opcode-table.ts';
import { statistics } from './statistics.ts';
import { taskSet } from './task-set.ts';
import { isSpared, obstaclesOf, type PlainCommand } from './unit-state.ts';

/** The facts of an opcode that the fast path needs. */
interface PlainRow {
  readonly kind: NonNullable<Opcode['plain']>;
  readonly lba: Field<number>;
  readonly blocks: Field<number>;
  /** The bits of the CDB beside the two: one that is set makes the command more than plain. */
  readonly besides: readonly { readonly at: number; readonly mask: number }[];
}

/** By operation code. Transports hand over 16 bytes of a CDB, so that longer ones are not among them. */
const plainRows: readonly (PlainRow | undefined)[] = Array.from({ length: 256 }, (_, code) => {
  const row = opcodes.find((one) => one.code === code && one.plain && one.cdbLength <= 16);
  if (!row?.plain) return undefined;
  const { lba, blocks } = row.cdb as unknown as Pick<PlainRow, 'lba' | 'blocks'>;
  const fields = [{ at: 0, length: 1, mask: 0xff }, lba, blocks];
  const besides = Array.from(bitsOf(row.cdbLength, fields), (bits, at) => ({ at, mask: ~bits & 0xff }));
  return { kind: row.plain, lba, blocks, besides: besides.filter(({ mask }) => mask !== 0) };
});

const isCurrent = (lu: StorageObject, plain: PlainAccess): boolean =>
  plain.volume === lu.volume &&
  plain.ejected === lu.ejected &&
  plain.arriving === lu.arriving &&
  plain.aluaGroups === lu.aluaGroups;

/** Looks at a unit; the answer is kept until something changes. */
function look(lu: StorageObject): PlainAccess {
  const { volume, ejected, arriving, aluaGroups } = lu;
  lu.plain = {
    ...obstaclesOf(lu),
    volume,
    ejected,
    arriving,
    aluaGroups,
    blockSize: lu.blockSize,
    durable: isDurable(lu, false),
    lends: !taskSet.of(lu).ordered,
    counted: statistics.of(lu),
  };
  return lu.plain;
}

/**
 * Where on the medium a READ or WRITE of `length` bytes begins, in bytes; -1 when it is the device server's. The caller
 * holds that the task attribute is SIMPLE, and reads or writes in the same turn of the event loop what `StorageObject.plain`
 * names.
 * @param start where the CDB begins in `bytes`
 */
export function plainPosition(
  kind: PlainCommand['kind'],
  nexus: Nexus,
  view: LogicalUnitView,
  bytes: Uint8Array,
  start: number,
  length: number,
): number {
  const row = plainRows[bytes[start]!];
  const lu = view.storageObject;
  const { volume } = lu;
  const plain = lu.plain && isCurrent(lu, lu.plain) ? lu.plain : look(lu);
  const { blockSize } = plain;
  const places = plain[kind];
  if (row?.kind !== kind || !volume || view.limits || (kind === 'write' && view.writeProtected)) return -1;
  if (places.length > 0 && !isSpared(places, { kind, nexus, view })) return -1;
  const { besides } = row;
  for (let i = 0; i < besides.length; i += 1) {
    const { at, mask } = besides[i]!;
    if ((bytes[start + at]! & mask) !== 0) return -1;
  }
  const lba = row.lba.get(bytes, start);
  const blocks = row.blocks.get(bytes, start);
  return length > 0 && blocks * blockSize === length && (lba + blocks) * blockSize <= volume.size
    ? lba * blockSize
    : -1;
}

/**
 * Writes blocks whose place `plainPosition` has said.
 * @returns false when they cannot be written, or be as stable as they have to be, at once: the device server writes them again
 */
export function writePlain(lu: StorageObject, data: Uint8Array, position: number): boolean {
  const { volume, durable } = lu.plain!;
  if (!volume?.writeNow?.(data, position, durable)) return false;
  return !durable || !owesFlush(lu, false, position, data.length);
}

/** Counts a command that was carried out on the fast path (LOG SENSE). */
export function countPlain(kind: PlainCommand['kind'], { counted, blockSize }: PlainAccess, length: number): void {
  const blocks = length / blockSize;
  if (kind === 'read') {
    counted.readCommands += 1;
    counted.blocksRead += blocks;
  } else {
    counted.writeCommands += 1;
    counted.blocksWritten += blocks;
  }
}
