/** The device mapper (linux/dm-ioctl.h): what its devices consist of, and how far they are used. dmsetup(8) prints the same. */

import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { foreignCall } from './ffi.ts';
import { systemError } from './system-error.ts';

const DM_TABLE_STATUS = 0xc138fd0c;
const DM_STATUS_TABLE_FLAG = 0x10;
const DM_BUFFER_FULL_FLAG = 0x100;
const DM_NOFLUSH_FLAG = 0x800;
/** struct dm_ioctl, by words of 32 bits; the device's number is one of 64. */
const headerBytes = 312;
const word = { version: 0, dataSize: 3, dataStart: 4, targetCount: 5, flags: 7 } as const;
const deviceBytes = 40;
/** struct dm_target_spec: where the next one is, from the start of the data; its type; behind it the words, as text. */
const spec = { next: 20, type: 24, words: 40 } as const;
/** The room for the targets of one device. */
const answerBytes = 64 * 1024;

const ioctl = foreignCall('ioctl', 'int', ['int', 'ulong', 'void *']);

/** A part of a device, which one driver ("target") maps: `linear`, `thin` …, and its words in the kernel's Documentation/admin-guide/device-mapper. */
export interface MapperTarget {
  readonly type: string;
  readonly words: readonly string[];
}

/** The targets of a device, as they were set up. @param device its number @throws a system error: the device mapper is for root */
export function mapperTable(device: number): MapperTarget[] {
  const [fd, question] = [openMapper(), questionOf(device, DM_STATUS_TABLE_FLAG)];
  try {
    const result = ioctl()?.now(fd, DM_TABLE_STATUS, question) ?? -constants.errno.ENOSYS;
    if (result < 0) throw systemError(-result, 'ioctl');
    return targetsIn(question);
  } finally {
    closeSync(fd);
  }
}

/** The state of a device's targets. @param device its number @throws a system error */
export async function mapperStatus(device: number): Promise<MapperTarget[]> {
  const [fd, question] = [openMapper(), questionOf(device, 0)];
  try {
    await ioctl()?.later(fd, DM_TABLE_STATUS, question);
    return targetsIn(question);
  } finally {
    closeSync(fd);
  }
}

const openMapper = (): number => openSync('/dev/mapper/control', 'r+');

function questionOf(device: number, flags: number): Uint8Array<ArrayBuffer> {
  const question = new Uint8Array(answerBytes);
  const words = new Uint32Array(question.buffer);
  words[word.version] = 4;
  words[word.dataSize] = answerBytes;
  words[word.dataStart] = headerBytes;
  // Without the flag a pool writes its metadata first, and may wait.
  words[word.flags] = flags | DM_NOFLUSH_FLAG;
  new BigUint64Array(question.buffer, deviceBytes, 1)[0] = BigInt(device);
  return question;
}

function targetsIn({ buffer }: Uint8Array<ArrayBuffer>): MapperTarget[] {
  const words = new Uint32Array(buffer);
  const { [word.flags]: flags = 0, [word.dataStart]: from = 0, [word.targetCount]: count = 0 } = words;
  if ((flags & DM_BUFFER_FULL_FLAG) !== 0) throw systemError('E2BIG', 'ioctl');
  const targets: MapperTarget[] = [];
  for (let place = from; targets.length < count; ) {
    const said = textAt(buffer, place + spec.words).trim();
    targets.push({ type: textAt(buffer, place + spec.type), words: said === '' ? [] : said.split(/\s+/) });
    place = from + (words[(place + spec.next) / words.BYTES_PER_ELEMENT] ?? 0);
  }
  return targets;
}

function textAt(buffer: ArrayBuffer, from: number): string {
  const bytes = Buffer.from(buffer);
  return bytes.toString('latin1', from, bytes.indexOf(0, from));
}
