/** The space that block devices take of what is beneath them: of a file system, of a thin pool, of an NVMe subsystem. */

import { readdirSync } from 'node:fs';
import { open, readFile, stat, statfs } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { statBlockBytes } from '../system/allocation.ts';
import { canControlBlockDevices, fileOfLoopDevice } from '../system/block-ioctl.ts';
import { type MapperTarget, mapperStatus, mapperTable } from '../system/device-mapper.ts';
import { deviceFact, deviceFolder, deviceNumber, numberOf, sectorBytes } from '../system/sysfs.ts';
import type { Space } from './backstore.ts';

/**
 * How a device has its space. `whole`: all of its bytes are its own from the start, and it needs no more. A function: it takes space as it
 * is written to. `unknown`: it may be either, or the kernel does not say.
 */
export type DeviceSpace = 'whole' | 'unknown' | (() => Promise<Space>);

/** Targets of the device mapper that have the space of what is beneath them. */
const passing: readonly string[] = ['linear', 'striped', 'crypt', 'multipath', 'mirror', 'raid', 'delay', 'flakey'];

/** The space of the device with this folder in sysfs. A function of a device that shares what is beneath it says at most the device's size. */
export function spaceOfDevice(folder: string): DeviceSpace {
  const beneath = spaceBeneath(folder);
  if (typeof beneath === 'string') return beneath;
  return async () => {
    const { allocated, ...rest } = await beneath();
    const size = Number(deviceFact(folder, 'size')) * sectorBytes;
    return { allocated: Math.min(allocated, size), ...rest };
  };
}

function spaceBeneath(folder: string): DeviceSpace {
  if (deviceFact(folder, 'partition') !== undefined) return spaceBeneath(dirname(folder));
  if (deviceFact(folder, 'dm/name') !== undefined) return spaceOfMapped(folder);
  if (deviceFact(folder, 'loop/backing_file') !== undefined)
    return canControlBlockDevices() ? () => spaceOfLoop(folder) : 'unknown';
  const members = namesIn(`${folder}/slaves`);
  if (members.length > 0) return spaceOfAll(folder, members);
  if (deviceFact(folder, 'nuse') !== undefined) return () => spaceOfNamespace(folder);
  return isOfHardware(folder) ? 'whole' : 'unknown';
}

/** The space of a device that consists of others. Where several take space of different places, no figure would be right. */
function spaceOfAll(folder: string, members: readonly string[]): DeviceSpace {
  const all = members.map((name) => {
    const number = deviceNumber(`${folder}/slaves/${name}`);
    const member = number === undefined ? undefined : deviceFolder(number);
    return member === undefined ? 'unknown' : spaceBeneath(member);
  });
  const [only = 'unknown'] = all;
  return all.length === 1 || all.every((one) => one === 'whole') ? only : 'unknown';
}

function spaceOfMapped(folder: string): DeviceSpace {
  const number = deviceNumber(folder);
  let table: readonly MapperTarget[];
  try {
    table = mapperTable(number ?? 0);
    if (number !== undefined && table.length === 1 && table[0]!.type === 'thin') return thinSpace(number, table[0]!);
  } catch {
    return 'unknown';
  }
  const passes = table.length > 0 && table.every(({ type }) => passing.includes(type));
  return passes ? spaceOfAll(folder, namesIn(`${folder}/slaves`)) : 'unknown';
}

/**
 * The space of a thin volume and of its pool (the kernel's Documentation/admin-guide/device-mapper/thin-provisioning.rst).
 * Table of a volume: pool, number. Status: sectors that are mapped, the highest of them; Fail. Table of a pool: metadata device, data
 * device, sectors of a block. Its status: transaction, blocks of metadata, blocks of data that are used and all.
 */
function thinSpace(volume: number, { words: [pool = ''] }: MapperTarget): () => Promise<Space> {
  const poolNumber = numberOf(pool);
  const blockBytes = Number(mapperTable(poolNumber)[0]?.words[2]) * sectorBytes;
  return async () => {
    const [[ofVolume], [ofPool]] = await Promise.all([mapperStatus(volume), mapperStatus(poolNumber)]);
    const [used, all] = ofPool?.words[2]?.split('/').map(Number) ?? [];
    return {
      allocated: counted(Number(ofVolume?.words[0])) * sectorBytes,
      available: counted(Number(all) - Number(used)) * blockBytes,
    };
  };
}

/** @throws Error for what is no count: a pool or a volume that has failed says so in its place */
function counted(count: number): number {
  if (!(count >= 0)) throw new Error('the thin pool does not say it');
  return count;
}

/**
 * The space of a loop device: of its file. The kernel says the file's path as it was in the place where the device was set up; so the file
 * at that path has to be the device's.
 */
async function spaceOfLoop(folder: string): Promise<Space> {
  const text = await readFile(`${folder}/loop/backing_file`);
  const path = text.subarray(0, text.lastIndexOf('\n'));
  const device = await open(`/dev/${basename(folder)}`, 'r');
  let file: { readonly dev: bigint; readonly ino: bigint };
  try {
    file = await fileOfLoopDevice(device.fd);
  } finally {
    await device.close();
  }
  const [found, { bavail, bsize }] = await Promise.all([stat(path, { bigint: true }), statfs(path)]);
  if (!found.isFile() || found.dev !== file.dev || found.ino !== file.ino)
    throw new Error('the path of its file means something else here');
  return { allocated: Number(found.blocks) * statBlockBytes, available: bavail * bsize };
}

/** The space of an NVMe namespace: NUSE (NVM Command Set 1.0 4.1.5.1), which the kernel asks for. The subsystem's own space has no place in sysfs. */
async function spaceOfNamespace(folder: string): Promise<Space> {
  const blocks = Number(await readFile(`${folder}/nuse`, 'latin1'));
  return { allocated: blocks * Number(deviceFact(folder, 'queue/logical_block_size')) };
}

/** Whether a disk is hardware of this machine (also a virtual machine's) and does not call itself thin, as a LUN of a disk array does. */
function isOfHardware(folder: string): boolean {
  const [address] = namesIn(`${folder}/device/scsi_disk`);
  const isThin = deviceFact(folder, `device/scsi_disk/${address}/thin_provisioning`) === '1';
  // The kernel's client of Ceph has a bus of its own.
  return namesIn(`${folder}/device`).length > 0 && !isThin && !folder.startsWith('/sys/devices/rbd/');
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
