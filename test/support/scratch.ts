/** Places to put test files: a folder of its own for each test file, on the disk or in memory; and devices, for root. */

import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new folder below the system's temporary folder or `parent`. The caller removes it with `removeFolder`. */
export const makeFolder = (parent = tmpdir()): string => mkdtempSync(join(parent, 'tcli-test-'));
export const removeFolder = (path: string): void => rmSync(path, { recursive: true, force: true });

export const memoryFolder = '/dev/shm';
/** Why there is no folder in memory here, or undefined. */
export const noMemoryFolder = existsSync(memoryFolder) ? undefined : 'no /dev/shm here';

/** Why no loop device can be had here, or undefined. */
export const noLoopDevices = reasonAgainstLoopDevices();

function reasonAgainstLoopDevices(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/dev/loop-control')) return 'no loop devices here';
  try {
    execFileSync('losetup', ['--find'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'losetup finds no loop device';
  }
}

/** A sparse file of `bytes` zeros. */
export function makeFile(path: string, bytes: number): string {
  const fd = openSync(path, 'w', 0o600);
  ftruncateSync(fd, bytes);
  closeSync(fd);
  return path;
}

/** A loop device over `file`; `detachLoopDevice` gives it back. */
export const attachLoopDevice = (file: string, ...options: string[]): string =>
  execFileSync('losetup', ['--find', '--show', ...options, file], { encoding: 'utf8' }).trim();
export const detachLoopDevice = (device: string): void => {
  execFileSync('losetup', ['--detach', device]);
};

/** A tmpfs of `bytes` over `folder`, until the test ends. @returns false when it may not be mounted here */
export function mountTinyFolder(folder: string, bytes: number): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync('umount', [folder]));
  return true;
}
