/** user:qcow: a qcow2 image, with its snapshots, backing files and compression, by qemu-nbd. */

import { open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { OperatorError, reasonOf } from '../errors.ts';
import { exact64, decode as readRecord, record, u32, u64, type Values } from '../wire/layout.ts';
import { openQemuVolume } from './qemu-nbd.ts';
import { userBackstore } from './user.ts';

/** Behind the path: the image may name other files of this machine, and what they hold can be read through it. */
const follows = ';backing=follow';

/** A qcow2 image. */
export const userQcow = userBackstore({
  handler: 'qcow',
  doc: 'A qcow2 image, by qemu-nbd.',
  string: `The path of the image; qemu-img create -f qcow2 makes one. With ${follows} behind it, its backing and data files are followed wherever they are.`,
  example: 'disk0 1G /srv/disk0.qcow2',
  check(text) {
    const { path } = read(text);
    if (!isAbsolute(path)) throw new OperatorError(`cfgstring invalid: '${path}' is no absolute path`);
  },
  async open(text, size) {
    const { path, mayFollow } = read(text);
    if (!mayFollow) await refuseOthers(path, size);
    return openQemuVolume({ driver: 'qcow2', file: { driver: 'file', filename: path } }, size);
  },
  resized: (text, size) =>
    `While nothing serves it (tcli daemon stop): qemu-img resize ${read(text).path} ${size}, and then: changemedium NAME ${size} ${text}`,
});

const read = (text: string) =>
  text.endsWith(follows) ? { path: text.slice(0, -follows.length), mayFollow: true } : { path: text, mayFollow: false };

/** The head of an image, as far as it matters here (QEMU docs/interop/qcow2.txt "Header"). */
const imageHead = record(80, {
  magic: u32(0),
  version: u32(4),
  /** Where the name of the backing file is. */
  backingAt: u64(8),
  backingLength: u32(16),
  /** Features that a reader has to know. */
  incompatible: exact64(72),
});
const magic = 0x514649fb;
/** Incompatible feature bit 2: the data is in another file. */
const externalData = 4n;

/** @throws OperatorError when the image stands on another file. What is no image is qemu-nbd's to refuse */
async function refuseOthers(path: string, size: number): Promise<void> {
  const { head, backing } = await headOf(path);
  if (head.magic !== magic) return;
  const hasData = head.version >= 3 && (head.incompatible & externalData) !== 0n;
  if (backing === undefined && !hasData) return;
  const what =
    backing === undefined ? 'has its data in another file' : `stands on another file, ${JSON.stringify(backing)}`;
  throw new OperatorError(
    `The image ${path} ${what}`,
    `Whoever made the image chose that file, and initiators would read it. If it is meant: changemedium NAME ${size} "${path}${follows}", or at create: "${path}${follows}"`,
  );
}

async function headOf(path: string): Promise<{ head: Values<typeof imageHead.fields>; backing: string | undefined }> {
  const bytes = Buffer.alloc(imageHead.length);
  try {
    const file = await open(path, 'r');
    try {
      await file.read(bytes, 0, bytes.length, 0);
      const head = readRecord(imageHead, bytes);
      if (head.backingAt === 0) return { head, backing: undefined };
      // A name has at most 1023 bytes.
      const name = Buffer.alloc(Math.min(1023, head.backingLength));
      const { bytesRead } = await file.read(name, 0, name.length, Math.min(head.backingAt, Number.MAX_SAFE_INTEGER));
      return { head, backing: name.toString('utf8', 0, bytesRead) };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new OperatorError('qemu-nbd cannot serve the image', `${path}: ${reasonOf(error)}`);
  }
}
