/** Replacing a file so that a crash at any instant leaves the old one or the new one, whole and on disk. */

import { constants } from 'node:fs';
import * as fileSystem from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../errors.ts';
import { systemError } from '../system/system-error.ts';

/** The system calls that the configuration goes through: a record, so that a test can put faults between them. */
export type Files = Pick<typeof fileSystem, 'mkdir' | 'open' | 'readFile' | 'readdir' | 'rename' | 'rm' | 'stat'>;

export const realFiles: Files = fileSystem;

/** Readable by the owner alone from the first byte: configuration files hold CHAP secrets. */
const privateMode = 0o600;

/** Temporary file, fsync, rename, fsync of the directory. System errors pass through; the old file is then untouched. */
export async function replaceFile(path: string, content: string | Uint8Array, files = realFiles): Promise<void> {
  const temporary = `${path}.temp`;
  await files.rm(temporary, { force: true });
  const file = await files.open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, privateMode);
  try {
    await writeAll(file, Buffer.from(content), 0);
    await file.sync();
    await file.close();
    await files.rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => {});
    await files.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncDirectory(dirname(path), files);
}

/** Writes all of `bytes` at `position`, in as many writes as it takes. */
export async function writeAll(file: fileSystem.FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw systemError('ENOSPC', 'write');
    done += bytesWritten;
  }
}

export async function syncDirectory(path: string, files = realFiles): Promise<void> {
  const directory = await files.open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Makes a directory for our own things, and those above it; one that exists keeps its mode. Not with Node's `recursive`, which
 * never comes back where a file system answers ENOENT to every mkdir (/proc).
 */
export async function makePrivateDirectory(path: string, files = realFiles): Promise<void> {
  const make = async () => {
    await files.mkdir(path, { mode: 0o700 });
    // What is made in it lasts no longer than its own name.
    await syncDirectory(dirname(path), files);
  };
  try {
    await make().catch(async (error) => {
      if (systemErrorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
      await makePrivateDirectory(dirname(path), files);
      await make();
    });
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST' || !(await files.stat(path)).isDirectory()) throw error;
  }
}
