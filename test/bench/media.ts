// Media on a disk, to be read cold: a file where `--disk` says, one on xfs beside it, and a block device.

import { execFileSync, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Disk } from './servers.ts';

export interface BenchMedium {
  /** The name of the medium, one of `mediumNames`. */
  readonly name: string;
  readonly kind: Disk['kind'];
  readonly path: string;
  /** Takes it out of the page cache; what was written goes to the disk first. */
  evict(): void;
  remove(): void;
}

/** The names of media; the first ones name the file system that the folder lies on. */
export const mediumNames: readonly string[] = ['ext4', 'xfs', 'btrfs', 'other']
  .map((system) => `${system} file`)
  .concat('block device');

const MiB = 1024 * 1024;
/** statfs(2) f_type of what such a file may lie on. */
const fileSystems: Readonly<Record<number, string>> = { 61267: 'ext4', 1481003842: 'xfs', 2435016766: 'btrfs' };
/** The bytes that a file system takes besides the file. */
const ownBytes = 256 * MiB;

const run = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** @param folder on a disk @param device a block device whose contents may be lost; absent: a loop device with direct I/O */
export function makeMedia(folder: string, bytes: number, device: string | undefined): BenchMedium[] {
  const made: BenchMedium[] = [];
  const attempt = (name: string, make: () => BenchMedium) => {
    try {
      made.push(make());
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      console.log(`${name}: ${(stderr || message).trim()}; its loads are left out`);
    }
  };
  const system = fileSystems[statfsSync(folder).type] ?? 'other';
  attempt(`${system} file`, () => file(`${system} file`, join(folder, 'file.img'), bytes, () => {}));
  if (system !== 'xfs') attempt('xfs file', () => xfsFile(folder, bytes));
  attempt('block device', () => (device ? wholeDevice(device, bytes) : loopDevice(folder, bytes)));
  return made;
}

function file(name: string, path: string, bytes: number, release: () => void): BenchMedium {
  fill(path, bytes);
  return {
    name,
    kind: 'fileio',
    path,
    evict() {
      run('sync', path);
      // posix_fadvise DONTNEED, which only clean pages obey.
      run('dd', `if=${path}`, 'iflag=nocache', 'count=0', 'status=none');
    },
    remove() {
      rmSync(path, { force: true });
      release();
    },
  };
}

function xfsFile(folder: string, bytes: number): BenchMedium {
  const image = join(folder, 'xfs.img');
  const mounted = join(folder, 'xfs');
  run('truncate', '-s', String(bytes + ownBytes), image);
  run('mkfs.xfs', '-q', image);
  const device = run('losetup', '--find', '--show', '--direct-io=on', image);
  const release = () => {
    spawnSync('umount', [mounted]);
    run('losetup', '--detach', device);
    rmSync(image);
  };
  try {
    mkdirSync(mounted);
    run('mount', device, mounted);
    return file('xfs file', join(mounted, 'file.img'), bytes, release);
  } catch (error) {
    release();
    throw error;
  }
}

function loopDevice(folder: string, bytes: number): BenchMedium {
  const image = join(folder, 'device.img');
  fill(image, bytes);
  const device = run('losetup', '--find', '--show', '--direct-io=on', image);
  return blockMedium(device, () => {
    run('losetup', '--detach', device);
    rmSync(image);
  });
}

function wholeDevice(path: string, bytes: number): BenchMedium {
  if (!statSync(path).isBlockDevice()) throw new Error(`${path} is not a block device`);
  fill(path, Math.min(bytes, Number(run('blockdev', '--getsize64', path))));
  return blockMedium(path, () => {});
}

const blockMedium = (path: string, remove: () => void): BenchMedium => ({
  name: 'block device',
  kind: 'block',
  path,
  evict: () => void run('blockdev', '--flushbufs', path),
  remove,
});

/** No holes, and no two blocks the same. */
export function fill(path: string, bytes: number): void {
  const piece = randomFillSync(new Uint8Array(MiB));
  const fd = openSync(path, statSync(path, { throwIfNoEntry: false })?.isBlockDevice() ? 'r+' : 'w');
  try {
    for (let done = 0; done < bytes; done += piece.length) {
      randomFillSync(piece, 0, 4096);
      writeSync(fd, piece, 0, Math.min(piece.length, bytes - done));
    }
  } finally {
    closeSync(fd);
  }
}
