/** fileio: a volume in a file, new and sparse or one that is there already; or on a block device. */

import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  ftruncateSync,
  openSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { types } from '../attribute.ts';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { allocateSpace, canAllocate, canSeekExtents, extentAt, statBlockBytes } from '../system/allocation.ts';
import { isOpenHere } from '../system/descriptor.ts';
import { lockOpenFile } from '../system/lock.ts';
import {
  type Backstore,
  directParameter,
  printSize,
  type Resized,
  sizeWanted,
  type VolumeConfig,
  wwnParameter,
} from './backstore.ts';
import { blockAttributes, blockDevice, openBlockVolume, sizeOfDevice } from './block-device.ts';
import {
  couldNotOpen,
  gone,
  lockedByAnother,
  openFileVolume,
  openForWriting,
  provisioning,
  shrunk,
} from './file-medium.ts';
import { clonedFile } from './file-snapshots.ts';
import { writeZeros } from './file-transfer.ts';
import { replaced } from './file-volume.ts';

/** The size of the pieces in which a file that is not sparse takes its space, so that no single call runs for long. */
const allocationPieceBytes = 1024 ** 3;

const fsyncLater = promisify(fsync);

/** A file of this machine. */
export const fileio: Backstore = {
  name: 'fileio',
  plugin: 'fileio',
  doc: 'A volume in a file.',
  details: [
    'A file that is there already is taken as it is, with the size that it has. One that is not there is made, and then its size must be given. A block device can stand in place of a file; its size is its own, and the kind block serves it better.',
    'A write is answered when the page cache has it, and is stable when the initiator flushes. That is fast, and safe for file systems and databases that flush. With write_back=false nothing is answered before it is on stable storage.',
  ],
  example: 'disk0 /srv/disk0.img 10G',
  parameters: [
    {
      name: 'file_or_dev',
      doc: 'The file, made when there is none.',
      type: types.string,
      required: true,
      kind: 'file',
    },
    { name: 'size', doc: 'A new file’s size: 100M, 2G …', type: types.size, required: false, kind: 'plain' },
    {
      name: 'write_back',
      doc: 'Writes are stable only after a flush. false: before they are answered, which is slower.',
      type: types.bool,
      required: false,
      kind: 'plain',
      default: true,
    },
    {
      name: 'sparse',
      doc: 'A new file takes space only as it is written. false: all of it now.',
      type: types.bool,
      required: false,
      kind: 'plain',
      default: true,
    },
    wwnParameter,
    directParameter,
  ],
  keys: {
    dev: { type: 'string', required: true },
    size: { type: 'number', required: true },
    write_back: { type: 'boolean' },
    aio: { type: 'boolean' },
    direct: { type: 'boolean', ours: true },
  },

  // A block device has a size of its own.
  refuse: ({ dev, size }) => (size === 0 && !blockDevice(String(dev)) ? 'Path is to a file, size needed' : undefined),

  async settle(create, others) {
    const dev = resolve(String(create['file_or_dev']));
    const asked = create['size'] as number | undefined;
    const direct = create['direct'] === true;
    const config = (size: number) => ({
      dev,
      size,
      write_back: create['write_back'] !== false,
      aio: false,
      ...(direct && { direct }),
    });
    const found = inspect(dev);
    if (found) {
      refuseSharing(dev, found, others);
      const { size, notes } = existing(dev, found, asked);
      if (direct) await (await fileio.open(config(size))).close();
      return { config: config(size), notes, made: false };
    }
    if (asked === undefined)
      throw new OperatorError(
        'Attempting to create file for new fileio backstore, need a size',
        `Say how large ${dev} is to be, for example: create NAME ${dev} 10G`,
      );
    const sparse = create['sparse'] !== false;
    await makeFile(dev, asked, sparse);
    if (direct) await tried(config(asked));
    return { config: config(asked), notes: sparse ? [] : [`Writing ${asked} bytes`], made: true };
  },

  async resize(config, asked, force, served) {
    const dev = String(config['dev']);
    const found = inspect(dev);
    if (!found) throw gone(dev, Number(config['size']));
    if (served && !isOpenHere(found)) throw replaced(`${dev} is not the file that is served`);
    if (found.isBlockDevice()) {
      const size = sizeOfDevice(dev, asked);
      return { config: { ...config, size }, size };
    }
    const size = sizeWanted(asked);
    return {
      config: { ...config, size },
      size,
      ...(await resizeFile(dev, Number(config['size']), size, force, served)),
    };
  },

  async open(config) {
    const { dev, size } = config;
    const direct = config['direct'] === true;
    if (typeof dev !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw new OperatorError(`A fileio cannot have dev '${dev}' and size ${size}`);
    return inspect(dev)?.isBlockDevice() ? openBlockVolume(dev, false, direct) : openFileVolume(dev, size, direct);
  },

  snapshots: {
    needs: 'A file has snapshots where its file system lets files share blocks: XFS, Btrfs, bcachefs.',
    cloned: clonedFile,
  },

  async abandon(config) {
    rmSync(String(config['dev']), { force: true });
  },

  summary: (config, size, writeCache) =>
    `${config['dev']} (${printSize(size ?? Number(config['size']))}) ${writeCache ? 'write-back' : 'write-thru'}${config['direct'] === true ? ' direct' : ''}`,
  device: (config) => String(config['dev']),
  created: (name, config) => `Created fileio ${name} with size ${config['size']}`,
  attributeDefaults: (config) => ({
    ...blockAttributes(config),
    emulate_write_cache: config['write_back'] === false ? 0 : 1,
  }),
};

function inspect(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw couldNotOpen(path, error);
  }
}

/** Refuses a file that another storage object has, under whatever name. */
function refuseSharing(path: string, found: Stats, others: Iterable<readonly [string, VolumeConfig]>): void {
  for (const [name, other] of others) {
    if (isFile(String(other['dev']), found))
      throw new OperatorError(`storage object for ${path} already exists: ${name}`);
  }
}

function isFile(path: string, { ino, dev }: Stats): boolean {
  try {
    const stat = statSync(path);
    return stat.ino === ino && stat.dev === dev;
  } catch {
    return false;
  }
}

function existing(path: string, found: Stats, asked: number | undefined): { size: number; notes: string[] } {
  const device = found.isBlockDevice() ? blockDevice(path) : undefined;
  if (device) {
    const preferred = 'Note: block backstore preferred for best results';
    const ignored = asked === undefined ? [] : ['Block device, size parameter ignored'];
    return { size: device.size, notes: [...ignored, preferred] };
  }
  if (!found.isFile())
    throw new OperatorError(`Path ${path} exists but is not a file`, 'Give the path of a file, new or existing.');
  if (found.size === 0)
    throw new OperatorError(
      `File ${path} exists but is empty`,
      `Give it a size first (truncate -s 10G ${path}), or remove it and create again.`,
    );
  const notes = asked === undefined ? [] : [`${path} exists, using its size (${found.size} bytes) instead`];
  return { size: found.size, notes };
}

/** A file among the devices would lie in memory and be gone with the next boot: a device was meant. @throws OperatorError */
function refuseAmongDevices(path: string): void {
  const folder = realpathSync(dirname(path));
  if (!`${folder}/`.startsWith('/dev/') || statSync(folder).dev !== statSync('/dev').dev) return;
  throw new OperatorError(`There is no device ${path}`, 'No file is made among devices. Those that there are: lsblk');
}

async function makeFile(path: string, size: number, sparse: boolean): Promise<void> {
  let fd: number;
  try {
    refuseAmongDevices(path);
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    if (systemErrorCode(error) !== 'ENOENT') throw couldNotOpen(path, error);
    const folder = dirname(path);
    throw new OperatorError(`Could not open ${path}`, `There is no folder ${folder}: mkdir -p ${folder}`);
  }
  try {
    if (size === 0) throw new Error('a volume of no bytes is of no use');
    await expand(fd, 0, size, sparse);
    await syncFolder(dirname(path));
  } catch (error) {
    unlinkSync(path);
    throw couldNotExpand(path, size, error);
  } finally {
    closeSync(fd);
  }
}

const couldNotExpand = (path: string, size: number, error: unknown, more = '') =>
  new OperatorError(`Could not expand file to ${size} bytes`, `${path}: ${reasonOf(error)}.${more}`);

/** Makes a file of `from` bytes larger; added bytes read as zeros. */
async function expand(fd: number, from: number, size: number, sparse: boolean): Promise<void> {
  if (sparse) ftruncateSync(fd, size);
  else await fill(fd, from, size);
  await fsyncLater(fd);
}

async function fill(fd: number, from: number, size: number): Promise<void> {
  if (!canAllocate()) return writeZeros(fd, from, size - from);
  try {
    for (let done = from; done < size; done += allocationPieceBytes)
      await allocateSpace(fd, done, Math.min(allocationPieceBytes, size - done));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOTSUP') throw error;
    await writeZeros(fd, from, size - from);
  }
}

/** Prepares the file of a volume of `before` bytes for one of `size` bytes, while the volume may be open. */
async function resizeFile(
  path: string,
  before: number,
  size: number,
  force: boolean,
  served: boolean,
): Promise<Pick<Resized, 'undo' | 'finish'>> {
  const fd = openForWriting(path, before);
  try {
    if (!served && !lockOpenFile(fd)) throw lockedByAnother(path);
    const found = fstatSync(fd);
    if (!found.isFile()) throw new OperatorError(`Path ${path} exists but is not a file`);
    if (found.size < Math.min(before, size)) throw shrunk(path, before, found.size);
    if (size < before) return { finish: () => truncateFile(path, size) };
    // A file that takes all of its space takes it for the added bytes, too.
    const sparse = found.blocks * statBlockBytes < found.size;
    const kept = Math.min(found.size, size);
    if (await holdsData(fd, before, kept)) {
      if (!force) throw holdsMore(path, before, found.size, size);
      if (!(await provisioning(fd).zero?.(before, kept - before, sparse))) await writeZeros(fd, before, kept - before);
      await fsyncLater(fd);
    }
    if (size <= found.size) return {};
    try {
      await expand(fd, found.size, size, sparse);
    } catch (error) {
      ftruncateSync(fd, found.size);
      throw couldNotExpand(
        path,
        size,
        error,
        sparse
          ? ''
          : ` To add bytes that take no space until they are written: truncate -s ${size} ${path}, and resize again.`,
      );
    }
    return { undo: () => truncateFile(path, found.size) };
  } finally {
    closeSync(fd);
  }
}

/** Makes a file shorter. A file that stays longer than its volume does no harm. */
async function truncateFile(path: string, size: number): Promise<void> {
  try {
    const file = await open(path, constants.O_RDWR);
    await file
      .truncate(size)
      .then(() => file.sync())
      .finally(() => file.close());
  } catch {
    // The length of the file is checked when the volume grows.
  }
}

async function holdsData(fd: number, from: number, to: number): Promise<boolean> {
  if (from >= to) return false;
  if (!canSeekExtents()) return true;
  const { allocated, end } = await extentAt(fd, from, to);
  return allocated || end < to;
}

const holdsMore = (path: string, before: number, found: number, size: number) =>
  new OperatorError(
    `${path} has ${found} bytes, and data in those beyond the ${before} of the storage object`,
    `What is added reads as zeros; to overwrite what is there: resize ${size} force=true`,
  );

/** Synchronises a folder: a new file's name is on stable storage only then, and initiators' flushed data must not get lost with the name. */
async function syncFolder(path: string): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fsyncLater(fd);
  } finally {
    closeSync(fd);
  }
}

/** Opens a file that was just made, and removes it when that fails. */
async function tried(config: VolumeConfig): Promise<void> {
  try {
    await (await fileio.open(config)).close();
  } catch (error) {
    await fileio.abandon?.(config);
    throw error;
  }
}
