/**
 * Snapshots of a volume in a file: files beside it, `disk0.img.snap-NAME`, which share its blocks until one of the two is
 * written to. Their file system has to be one that shares blocks (system/reflink.ts).
 */

import { closeSync, constants, fchmodSync, fsync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { canShareBlocks, shareBlocks } from '../system/reflink.ts';
import { type Snapshots, snapshotMissing, type VolumeConfig } from './backstore.ts';

const fsyncLater = promisify(fsync);

/** Snapshots of a file, if its file system shares blocks. @param fd the volume's own @param size bytes of the volume */
export function fileSnapshots(path: string, fd: number, size: () => number): Snapshots | undefined {
  return canShareBlocks(fd) ? new FileSnapshots(path, fd, size) : undefined;
}

/** The file of a clone: beside the file that it is a clone of, and named after its storage object. */
export function clonedFile(config: VolumeConfig, name: string, where: string | undefined): VolumeConfig {
  const from = String(config['dev']);
  return { ...config, dev: where ?? join(dirname(from), `${name}${extname(from)}`) };
}

class FileSnapshots implements Snapshots {
  readonly #path: string;
  readonly #fd: number;
  readonly #size: () => number;

  constructor(path: string, fd: number, size: () => number) {
    this.#path = path;
    this.#fd = fd;
    this.#size = size;
  }

  async list() {
    const start = `${basename(this.#path)}.snap-`;
    const names = (await readdir(dirname(this.#path))).filter((name) => name.startsWith(start));
    const found = await Promise.all(
      names.map(async (name) => {
        const { mtimeMs, size } = await stat(join(dirname(this.#path), name));
        return { name: name.slice(start.length), madeAt: Math.floor(mtimeMs), size };
      }),
    );
    return found.sort((a, b) => a.madeAt - b.madeAt);
  }

  async create(name: string): Promise<void> {
    await shared(this.#fd, this.#pathOf(name), this.#size(), 0o400);
  }

  async remove(name: string): Promise<void> {
    try {
      await unlink(this.#pathOf(name));
    } catch (error) {
      throw systemErrorCode(error) === 'ENOENT' ? snapshotMissing(name) : error;
    }
    await syncFolder(dirname(this.#path));
  }

  async rollback(name: string): Promise<void> {
    await this.#with(name, async (from) => {
      await shareBlocks(from, this.#fd);
      await fsyncLater(this.#fd);
    });
  }

  async clone(name: string, config: VolumeConfig): Promise<void> {
    const path = String(config['dev']);
    await this.#with(name, (from) => shared(from, path, Number(config['size']), 0o600));
  }

  #pathOf(name: string): string {
    return `${this.#path}.snap-${name}`;
  }

  async #with(name: string, work: (fd: number) => Promise<void>): Promise<void> {
    let fd: number;
    try {
      fd = openSync(this.#pathOf(name), constants.O_RDONLY);
    } catch (error) {
      throw systemErrorCode(error) === 'ENOENT' ? snapshotMissing(name) : error;
    }
    try {
      await work(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** Makes a new file that shares the blocks of another. The new file gets its name when it is whole, also after a power loss. */
async function shared(from: number, path: string, size: number, mode: number): Promise<void> {
  const beginning = `${path}.new`;
  rmSync(beginning, { force: true });
  const to = create(beginning, path);
  try {
    try {
      await shareBlocks(from, to);
      ftruncateSync(to, size);
      fchmodSync(to, mode);
      await fsyncLater(to);
    } finally {
      closeSync(to);
    }
    await refuseExisting(path);
    await rename(beginning, path);
    await syncFolder(dirname(path));
  } catch (error) {
    rmSync(beginning, { force: true });
    if (systemErrorCode(error) !== 'EXDEV') throw error;
    throw new OperatorError(
      `Could not create ${path}: it would lie on another file system`,
      'Blocks can be shared within one file system only. Give a path on the one that the origin is on.',
    );
  }
}

function create(beginning: string, path: string): number {
  try {
    return openSync(beginning, 'wx+', 0o600);
  } catch (error) {
    throw new OperatorError(`Could not create ${path}`, `${reasonOf(error)}.`);
  }
}

async function refuseExisting(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found) throw new OperatorError(`${path} exists already`, 'Remove it, or choose another name.');
}

/** A file's name is on stable storage only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fsyncLater(fd);
  } finally {
    closeSync(fd);
  }
}
