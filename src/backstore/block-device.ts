/** Block devices: their facts in sysfs (mac-disk.ts for macOS), their users, and opening one as a volume. */

import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { canPunchHoles, punchHole } from '../system/allocation.ts';
import { canControlBlockDevices, discardBlocks, zeroBlocks } from '../system/block-ioctl.ts';
import { fileOf } from '../system/descriptor.ts';
import { processesWithOpen } from '../system/process.ts';
import { deviceFolder, deviceFact as read, sectorBytes } from '../system/sysfs.ts';
import type { VolumeConfig } from './backstore.ts';
import { spaceOfDevice } from './device-space.ts';
import { DirectFile } from './direct-file.ts';
import type { BlockDevice } from './disk.ts';
import { writeZeros } from './file-transfer.ts';
import { FileVolume, type Medium } from './file-volume.ts';
import { macDisk, usersOfMacDisk } from './mac-disk.ts';

const isMac = process.platform === 'darwin';

/** The block device at `path`, or undefined when there is none or it is something else. */
export function blockDevice(path: string): BlockDevice | undefined {
  if (isMac) return macDisk(path);
  try {
    const stat = statSync(path);
    return stat.isBlockDevice() ? blockDeviceNumbered(stat.rdev) : undefined;
  } catch {
    return undefined;
  }
}

/** The size of the disk that a path names, or undefined where it names none. A disk of macOS has a raw name besides, of a character device. */
export const blockDeviceBytes = (path: string): number | undefined => blockDevice(path)?.size;

/** The block device with this device number, as stat(2) gives it. */
export function blockDeviceNumbered(number: number): BlockDevice | undefined {
  const folder = deviceFolder(number);
  if (folder === undefined) return undefined;
  const partition = read(folder, 'partition') !== undefined;
  const disk = partition ? dirname(folder) : folder;
  const fact = (name: string) => Number(read(disk, `queue/${name}`) ?? 0);
  return {
    name: basename(folder),
    folder,
    disk,
    size: Number(read(folder, 'size') ?? 0) * sectorBytes,
    readOnly: read(folder, 'ro') === '1',
    logicalBlockSize: fact('logical_block_size') || sectorBytes,
    physicalBlockSize: fact('physical_block_size') || sectorBytes,
    rotational: fact('rotational') === 1,
    volatileCache: read(disk, 'queue/write_cache') === 'write back',
    transferBytesMax: fact('max_hw_sectors_kb') * 1024,
    queueDepth: fact('nr_requests'),
    discardBytesMax: fact('discard_max_bytes'),
    discardGranularity: fact('discard_granularity'),
    discardAlignment: Number(read(folder, 'discard_alignment') ?? 0),
    zeroBytesMax: fact('write_zeroes_max_bytes'),
  };
}

/**
 * Opens a block device for us alone (O_EXCL): a device that is mounted, swap, part of an array or served already is refused.
 * @throws OperatorError
 */
export function openBlockVolume(path: string, readOnly: boolean, isDirect: boolean): FileVolume {
  const device = blockDevice(path);
  if (!device) throw gone(path);
  if (device.size === 0) throw empty(path);
  const access = readOnly ? constants.O_RDONLY : constants.O_RDWR;
  const fd = openExclusively(path, access);
  let direct: DirectFile | undefined;
  try {
    if (isDirect) direct = DirectFile.open(fd, path, readOnly);
    direct?.check(path, device.size);
    const durableFd = readOnly ? fd : openSync(fileOf(fd, path), access | constants.O_DSYNC);
    return new FileVolume({
      fd,
      durableFd,
      direct,
      size: device.size,
      logicalBlockSize: device.logicalBlockSize,
      physicalBlockSize: device.physicalBlockSize,
      readOnly,
      discardGranularity: device.discardGranularity,
      rotational: device.rotational,
      ...(!isMac && spaceOf(device)),
      ...(readOnly ? {} : provisioning(fd, device)),
    });
  } catch (error) {
    for (const one of [fd, ...(direct?.descriptors ?? [])]) closeSync(one);
    throw error;
  }
}

function spaceOf({ folder }: BlockDevice): Pick<Medium, 'space' | 'fullyProvisioned'> {
  const space = spaceOfDevice(folder);
  if (space === 'unknown') return {};
  return space === 'whole' ? { fullyProvisioned: true } : { space };
}

/** The size of a device that was resized. @param asked the size that the operator expects @throws OperatorError when the device has another */
export function sizeOfDevice(path: string, asked: number | undefined): number {
  const device = blockDevice(path);
  if (!device) throw gone(path);
  if (device.size === 0) throw empty(path);
  if (asked !== undefined && asked !== device.size)
    throw new OperatorError(
      `${path} has ${device.size} bytes, not ${asked}`,
      'The size of a device is its own: change it there (lvextend, parted …), and then: resize',
    );
  return device.size;
}

const gone = (path: string) =>
  new OperatorError(`Could not open ${path}`, 'There is no block device of that name now.');

/** Whether the node of a loop, nbd or md device has no device behind it; the program that sets it up needs it free. */
const empty = (path: string) =>
  new OperatorError(
    `Could not open ${path}: it has 0 bytes`,
    'Nothing is set up behind the device yet (losetup, mdadm, nbd-client …).',
  );

function openExclusively(path: string, access: number): number {
  // On macOS, O_EXCL means nothing to a device.
  if (isMac && usersOfMacDisk(path).length > 0) throw inUse(path);
  try {
    return openSync(path, access | constants.O_EXCL);
  } catch (error) {
    if (systemErrorCode(error) === 'EBUSY') throw inUse(path);
    throw new OperatorError(`Could not open ${path}`, `${reasonOf(error)}.`);
  }
}

/**
 * BLKDISCARD promises nothing about later reads, and fallocate(2) promises zeros: so fallocate is used wherever the device has a command
 * for zeros, which the device may carry out by deallocating.
 */
function provisioning(fd: number, device: BlockDevice): Pick<Medium, 'discard' | 'zero' | 'discardLeavesAnything'> {
  if (!canControlBlockDevices()) return {};
  const block = device.logicalBlockSize;
  const zerosByHoles = device.zeroBytesMax > 0 && canPunchHoles(fd);
  const edge = (position: number, length: number) => writeZeros(fd, position, length);
  const zero: Pick<Medium, 'zero'> = {
    async zero(position, length, mayDiscard) {
      const middle = mayDiscard && zerosByHoles ? punchHole : zeroBlocks;
      await onWholeBlocks(block, position, length, (from, bytes) => middle(fd, from, bytes), edge);
      return true;
    },
  };
  if (device.discardBytesMax === 0) return zero;
  if (zerosByHoles)
    return {
      ...zero,
      discard: (position, length) =>
        onWholeBlocks(block, position, length, (from, bytes) => punchHole(fd, from, bytes), edge),
    };
  return {
    ...zero,
    discardLeavesAnything: true,
    discard: (position, length) =>
      onWholeBlocks(block, position, length, (from, bytes) => discardBlocks(fd, from, bytes)),
  };
}

/** Cuts a range into its whole blocks and the two edges that fill none. */
async function onWholeBlocks(
  block: number,
  position: number,
  length: number,
  middle: (position: number, length: number) => Promise<void>,
  edge?: (position: number, length: number) => Promise<void>,
): Promise<void> {
  const end = position + length;
  const first = Math.ceil(position / block) * block;
  const last = Math.floor(end / block) * block;
  if (first >= last) return edge?.(position, length);
  if (first > position) await edge?.(position, first - position);
  await middle(first, last - first);
  if (end > last) await edge?.(last, end - last);
}

/** The refusal of a device in use, which names the user and the way to free the device. */
export function inUse(path: string, user?: string): OperatorError {
  const users = user === undefined ? usersOf(path) : [user];
  const line = `Cannot configure StorageObject because device ${path} is already in use`;
  return new OperatorError(
    line,
    users.length > 0 ? users.join('\n') : `See who has it: ${isMac ? 'lsof' : 'lsblk'} ${path}`,
  );
}

function usersOf(path: string): string[] {
  if (isMac) return usersOfMacDisk(path);
  const device = blockDevice(path);
  if (!device) return [];
  const partitions = readdirSync(device.folder).filter((name) => read(`${device.folder}/${name}`, 'partition'));
  const folders = [device.folder, ...partitions.map((name) => `${device.folder}/${name}`)];
  const numbers = folders.map((folder) => read(folder, 'dev'));
  const names = folders.map((folder) => `/dev/${basename(folder)}`);
  const mounts = lines('/proc/self/mountinfo')
    .map((line) => line.split(' '))
    // proc(5) mountinfo: field 3 is the device number, 5 the mount point; behind ` - ` the type and the source.
    .filter((fields) => numbers.includes(fields[2]) || names.includes(fields[fields.indexOf('-') + 2] ?? ''))
    .map((fields) => unescaped(fields[4] ?? ''))
    .map((where) => (where === '/' ? 'The running system is on it.' : `It is mounted on ${where}: umount ${where}`));
  const swaps = lines('/proc/swaps')
    .map((line) => unescaped(line.split(/\s/)[0] ?? ''))
    .filter((name) => names.includes(name))
    .map((name) => `It is swap space: swapoff ${name}`);
  const holders = folders
    .flatMap((folder) => readdirSync(`${folder}/holders`))
    .map((name) => `${name} is built on it: lsblk ${path}`);
  const processes = [...new Set(names.flatMap((name) => processesWithOpen(name)))].map((who) => `${who} has it open.`);
  return [...new Set([...mounts, ...swaps, ...holders, ...processes])];
}

const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n');

/** proc(5): blanks and backslashes in paths are octal. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** The limits that LIO reads from a block device (target_core_iblock.c), as attributes. */
export function blockAttributes(config: VolumeConfig): Readonly<Record<string, number>> {
  const device = blockDevice(String(config['dev']));
  if (!device) return {};
  const blocks = (bytes: number) => Math.min(Math.floor(bytes / device.logicalBlockSize), 0xffffffff);
  const transferBlocks = blocks(device.transferBytesMax) & ~7;
  const discards = device.discardBytesMax > 0;
  return {
    block_size: device.logicalBlockSize,
    hw_block_size: device.logicalBlockSize,
    hw_max_sectors: transferBlocks >>> 0,
    hw_queue_depth: device.queueDepth,
    is_nonrot: device.rotational ? 0 : 1,
    optimal_sectors: transferBlocks >>> 0,
    max_unmap_block_desc_count: discards ? 1 : 0,
    max_unmap_lba_count: blocks(device.discardBytesMax),
    max_write_same_len: device.zeroBytesMax > 0 ? blocks(device.zeroBytesMax) : 0xffff,
    unmap_granularity: blocks(device.discardGranularity),
    unmap_granularity_alignment: blocks(device.discardAlignment),
  };
}
