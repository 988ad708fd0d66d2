/** A qcow2 image as it lies on the disk (QEMU docs/interop/qcow2.txt): its backing file, and its snapshots. */

import { type FileHandle, open } from 'node:fs/promises';
import { OperatorError, reasonOf } from '../errors.ts';
import { decode, exact64, record, u16, u32, u64 } from '../wire/layout.ts';
import type { Snapshot } from './backstore.ts';

/** The fields of the "Header" that matter here. */
const imageHead = record(80, {
  magic: u32(0),
  version: u32(4),
  /** The place of the backing file's name. */
  backingAt: u64(8),
  backingLength: u32(16),
  /** The bytes of the disk. */
  size: u64(24),
  snapshots: u32(60),
  snapshotsAt: u64(64),
  /** Features that a reader has to know. */
  incompatible: exact64(72),
});
const magic = 0x514649fb;
/** Incompatible feature bit 2: the data is in another file. */
const externalData = 4n;
/** "Snapshots": an entry, in front of its variable parts. */
const snapshotEntry = record(40, {
  idLength: u16(12),
  nameLength: u16(14),
  seconds: u32(16),
  nanoseconds: u32(20),
  extraLength: u32(36),
});
/** The fields behind the entry, in images of version 3. */
const snapshotExtra = record(16, { size: u64(8) });
const entryAlignment = 8;
/** The number of snapshots that an image may have, and the bytes of their names and extra data (QEMU block/qcow2.h). */
const snapshotsMax = 65_536;
const entryBytesMax = 4_096;

/** The bytes that a backing file's name may have. */
const backingBytesMax = 1_023;

/** The facts of an image. */
export interface QcowImage {
  /** The bytes of the disk. */
  readonly size: number;
  /** The name of the file whose data shows where the image has none of its own, as it stands in the image. */
  readonly backing: string | undefined;
  /** Whether the image's data is in another file. */
  readonly hasDataFile: boolean;
}

/** Reads the facts of an image. @returns undefined for what is no such image @throws OperatorError when it cannot be read */
export const readImage = (path: string): Promise<QcowImage | undefined> =>
  reading(path, async (file) => {
    const head = decode(imageHead, await bytesAt(file, 0, imageHead.length));
    if (head.magic !== magic) return undefined;
    const name =
      head.backingAt === 0
        ? undefined
        : await bytesAt(file, head.backingAt, Math.min(backingBytesMax, head.backingLength));
    return {
      size: head.size,
      backing: name?.toString('utf8'),
      hasDataFile: head.version >= 3 && (head.incompatible & externalData) !== 0n,
    };
  });

/** The snapshots in an image, oldest first. @throws OperatorError when it cannot be read */
export const snapshotsIn = (path: string): Promise<Snapshot[]> =>
  reading(path, async (file) => {
    const { snapshots, snapshotsAt, size } = decode(imageHead, await bytesAt(file, 0, imageHead.length));
    const found: Snapshot[] = [];
    let at = snapshotsAt;
    while (found.length < Math.min(snapshots, snapshotsMax)) {
      const bytes = await bytesAt(file, at, entryBytesMax);
      const { idLength, nameLength, seconds, nanoseconds, extraLength } = decode(snapshotEntry, bytes);
      const id = snapshotEntry.length + extraLength;
      const hasSize = extraLength >= snapshotExtra.length;
      found.push({
        name: bytes.toString('utf8', id + idLength, id + idLength + nameLength),
        madeAt: seconds * 1000 + Math.floor(nanoseconds / 1e6),
        size: hasSize ? decode(snapshotExtra, bytes, snapshotEntry.length).size : size,
      });
      at += Math.ceil((id + idLength + nameLength) / entryAlignment) * entryAlignment;
    }
    return found.sort((a, b) => a.madeAt - b.madeAt);
  });

async function reading<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, 'r');
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new OperatorError('The image cannot be served', `${path}: ${reasonOf(error)}`);
  }
}

/** Reads bytes; zeros stand for bytes behind the end of the file. */
async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  await file.read(bytes, 0, length, Math.min(position, Number.MAX_SAFE_INTEGER));
  return bytes;
}
