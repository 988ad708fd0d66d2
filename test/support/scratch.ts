/** Places to put test files: a folder of its own for each test file, on the disk or in memory; and devices, for root. */

import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new folder below the system's temporary folder or `parent`. The caller removes it with `removeFolder`. */
export const makeFolder = (parent = tmpdir()): string => mkdtempSync(join(parent, 'tcli-test-'));
export const removeFolder = (path: string): void => rmSync(path, { recursive: true, force: true });

/** A folder in memory, of this run (run-folder.ts) or of all. */
export const memoryFolder = process.env['TCLI_TEST_MEMORY'] ?? '/dev/shm';
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

/** A tmpfs of `bytes` over `folder`, until the test ends, for a test that needs 'mounts'. */
export function mountTinyFolder(folder: string, bytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'pipe' });
  onTestFinished(() => void execFileSync('umount', [folder]));
}

/** A file system whose files can share blocks, over `folder`, until the test ends, for a test that needs 'mounts', 'loop devices' and 'mkfs.xfs'. */
export function mountSharingFolder(folder: string, image: string): void {
  execFileSync('mkfs.xfs', ['-q', '-m', 'reflink=1', makeFile(image, 400 * 1024 * 1024)]);
  execFileSync('mount', ['-o', 'loop', image, folder], { stdio: 'pipe' });
  onTestFinished(() => void execFileSync('umount', [folder]));
}
