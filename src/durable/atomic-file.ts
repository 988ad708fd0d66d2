/** Replaces a file so that a crash at any instant leaves the old file or the new one, whole and on disk. */

import { constants } from 'node:fs';
import * as fileSystem from 'node:fs/promises';
import { dirname, join, parse as parsePath, resolve } from 'node:path';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import { systemError } from '../system/system-error.ts';

/** The system calls that the configuration goes through: a record, so that a test can put faults between them. */
export type Files = Pick<typeof fileSystem, 'mkdir' | 'open' | 'readFile' | 'readdir' | 'rename' | 'rm' | 'stat'>;

/** The file system of this machine; tests have others. */
export const realFiles: Files = fileSystem;

/** Readable by the owner alone from the first byte: configuration files hold CHAP secrets. */
const privateMode = 0o600;

/** Replaces a file: temporary file, fsync, rename, fsync of the directory. System errors pass through; the old file is then untouched. */
export async function replaceFile(path: string, content: string | Uint8Array, files = realFiles): Promise<void> {
  const temporary = `${path}.temp`;
  await files.rm(temporary, { force: true });
  await fill(temporary, content, files);
  try {
    await files.rename(temporary, path);
  } catch (error) {
    await files.rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncDirectory(dirname(path), files);
}

/**
 * Makes a new file, which is on disk when the call resolves. System errors pass through, EEXIST too: a file that is there is never
 * written over.
 */
export async function makeFile(path: string, content: string | Uint8Array, files = realFiles): Promise<void> {
  await fill(path, content, files);
  await syncDirectory(dirname(path), files);
}

async function fill(path: string, content: string | Uint8Array, files: Files): Promise<void> {
  const file = await files.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, privateMode);
  try {
    await writeAll(file, Buffer.from(content), 0);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => {});
    await files.rm(path, { force: true }).catch(() => {});
    throw error;
  }
}

/** The way in which a file was written that may be a link, or be mounted by itself. */
export interface WrittenFile {
  /** The file behind the link, where there was one. */
  readonly behind?: string;
  /** Set when the file could not be replaced and was written in place: a crash meanwhile would have left a part of it. */
  readonly inPlace?: true;
}

/**
 * Replaces a file as `replaceFile` does, through symbolic links: the file behind them is replaced. A file that is mounted by itself
 * cannot be replaced: it is written where it stands, once a whole copy is on disk beside it (`.temp`), which a crash leaves there.
 */
export async function writeThrough(path: string, content: string, files = realFiles): Promise<WrittenFile> {
  const target = await fileBehind(path);
  const behind = target !== path && (await isLink(path)) ? { behind: target } : {};
  try {
    await replaceFile(target, content, files);
    return behind;
  } catch (error) {
    if (systemErrorCode(error) !== 'EBUSY') throw error;
  }
  const copy = `${target}.temp`;
  await makeFile(copy, content, files);
  const bytes = Buffer.from(content);
  const file = await files.open(target, constants.O_WRONLY);
  try {
    await writeAll(file, bytes, 0);
    await file.truncate(bytes.length);
    await file.sync();
  } catch (error) {
    throw new OperatorError(
      `${target} is mounted by itself and could not be written whole: ${reasonOf(error)}`,
      `Put its copy in its place when there is room: cat ${copy} > ${target}`,
    );
  } finally {
    await file.close();
  }
  await files.rm(copy, { force: true });
  return { ...behind, inPlace: true };
}

/** The path behind symbolic links, also where no file is there yet. */
async function fileBehind(path: string): Promise<string> {
  try {
    return await fileSystem.realpath(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
  const link = await fileSystem.readlink(path).catch(() => undefined);
  return link === undefined ? path : resolve(dirname(path), link);
}

const isLink = async (path: string): Promise<boolean> => (await fileSystem.lstat(path)).isSymbolicLink();

/** `path`, or the first of path-2, path-3 … that is free: a file that was set aside is not written over. */
export async function freePath(path: string, files = realFiles): Promise<string> {
  for (let number = 2, free = path; ; number += 1) {
    const taken = await files.stat(free).then(
      () => true,
      (error) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error;
        return false;
      },
    );
    if (!taken) return free;
    const { dir, name, ext } = parsePath(path);
    free = join(dir, `${name}-${number}${ext}`);
  }
}

/** Writes all of `bytes` at `position`, in as many writes as it takes. */
export async function writeAll(file: fileSystem.FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw systemError('ENOSPC', 'write');
    done += bytesWritten;
  }
}

/** Brings the entries of a directory to the disk. Rejects with a system error. */
export async function syncDirectory(path: string, files = realFiles): Promise<void> {
  const directory = await files.open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Makes a private directory, and those above it; one that exists keeps its mode. Node's `recursive` is not used: it never returns where a
 * file system answers ENOENT to every mkdir (/proc).
 * @returns the directory, where this call made it
 */
export async function makePrivateDirectory(path: string, files = realFiles): Promise<string | undefined> {
  const make = async () => {
    await files.mkdir(path, { mode: 0o700 });
    // A file in the directory is only as durable as the directory's own name.
    await syncDirectory(dirname(path), files);
  };
  try {
    await make().catch(async (error) => {
      if (systemErrorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
      await makePrivateDirectory(dirname(path), files);
      await make();
    });
    return path;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST' || !(await files.stat(path)).isDirectory()) throw error;
    return undefined;
  }
}
