/**
 * Folders that are of no use once this process has ended: for sockets, mostly. They lie in the run directory, and have the process in
 * their names: the next process at the same place removes those of dead ones. Where the kernel locks files, each is locked by its
 * process, too: containers that share a place do not see one another's processes.
 */

import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { lockOpenFile } from './lock.ts';
import { startTimeOf } from './process.ts';
import { pathBytesMax } from './unix-socket.ts';

/** The bytes that a folder's name and a short one in it take of a socket's path. */
const nameBytesMax = 60;

/** The name of a folder, `tcli-qemu-1234-567890-Ab3dEf`: its use, a process, the time when that began, and random letters. */
const pattern = /^tcli-[a-z]+-(\d+)-(\d+)-/;

const places = new Set<string>();
let runDirectory: string | undefined;

/** Sets the directory in which this thread makes its folders. Folders that dead processes left there are removed. */
export function keepFoldersIn(directory: string): void {
  runDirectory = directory;
  clear(directory);
}

/** A folder, and what gives it up. */
export interface OwnFolder {
  readonly path: string;
  remove(): void;
}

/**
 * Makes a new folder, readable by this user only, in which a socket finds room. The caller removes it.
 * @param use a word of small letters @throws a system error
 */
export function ownFolder(use: string): OwnFolder {
  const ours =
    runDirectory !== undefined && Buffer.byteLength(runDirectory) + nameBytesMax <= pathBytesMax
      ? runDirectory
      : undefined;
  const place = ours ?? tmpdir();
  if (!places.has(place)) clear(place);
  if (ours !== undefined) mkdirSync(place, { recursive: true, mode: 0o700 });
  // The folder gets the name of its kind, by which others may remove it, only once it is locked.
  const fresh = mkdtempSync(join(place, `.tcli-${use}-${process.pid}-${startTimeOf(process.pid) ?? 0}-`));
  const lock = openSync(fresh, 'r');
  lockFolder(lock);
  const path = join(place, basename(fresh).slice(1));
  renameSync(fresh, path);
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true });
      closeSync(lock);
    },
  };
}

function clear(place: string): void {
  places.add(place);
  for (const name of namesIn(place)) {
    const [, pid, startTime] = pattern.exec(name) ?? [];
    if (pid === undefined || startTimeOf(Number(pid)) === startTime) continue;
    try {
      if (isAbandoned(join(place, name))) rmSync(join(place, name), { recursive: true, force: true });
    } catch {
      // The folder is another user's.
    }
  }
}

/** Whether no process has a folder, in this container or in another one. @throws a system error */
function isAbandoned(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    return lockFolder(fd);
  } finally {
    closeSync(fd);
  }
}

/** Locks an open folder; where that cannot be had (NFS), the process in its name alone counts. @returns false when another has it */
function lockFolder(fd: number): boolean {
  try {
    return lockOpenFile(fd);
  } catch {
    return true;
  }
}

function namesIn(place: string): string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}
