/** Parameter lists of EXTENDED COPY(LID1), built by hand after SPC-4 6.4.3 to 6.4.6. */

import type { StorageObject } from '../../src/scsi/logical-unit.ts';
import { type Answer, be, type ScsiInitiator } from './logical-unit.ts';

/** An identification descriptor (SPC-4 6.4.5.6) by NAA. @param flags its second byte: NUL and PERIPHERAL DEVICE TYPE */
export const copyTarget = (lu: StorageObject, flags = 0): number[] => [
  ...[0xe4, flags, 0, 0, 1, 3, 0, 16],
  ...Buffer.from(lu.naa, 'hex'),
  ...be(0, 5),
  ...be(lu.blockSize, 3),
];

/** Block device to block device (SPC-4 6.4.6.4), DC set. @param from and @param to indices of targets */
export const blockSegment = (from: number, to: number, blocks: number, lba = 0, toLba = 0): number[] => [
  ...[0x02, 0x02, ...be(24, 2), ...be(from, 2), ...be(to, 2), 0, 0, ...be(blocks, 2)],
  ...be(lba, 8),
  ...be(toLba, 8),
];

/** A block and a byte in it. */
type Place = readonly [lba: number, offset: number];

/** Block device with offset to block device with offset (SPC-4 6.4.6.12). */
export const byteSegment = (from: number, to: number, bytes: number, at: Place, toAt: Place): number[] => [
  ...[0x0a, 0, ...be(28, 2), ...be(from, 2), ...be(to, 2), ...be(bytes, 4)],
  ...be(at[0], 8),
  ...be(toAt[0], 8),
  ...be(at[1], 2),
  ...be(toAt[1], 2),
];

/** A whole list, with list identifier 1. */
export const copyList = (targets: number[][], segments: number[][]): number[] => [
  ...[1, 0, ...be(targets.flat().length, 2), 0, 0, 0, 0, ...be(segments.flat().length, 4), 0, 0, 0, 0],
  ...targets.flat(),
  ...segments.flat(),
];

export const copyCdb = (list: readonly number[]): number[] => [0x83, 0, ...be(0, 8), ...be(list.length, 4)];

/** Sends a list, to LUN 0. */
export const sendCopy = (initiator: ScsiInitiator, list: readonly number[]): Promise<Answer> =>
  initiator.send(copyCdb(list), Uint8Array.from(list));
