/**
 * Folders that are of no use once this process has ended: for sockets, mostly. They lie in the run directory, and have the process in
 * their names: the next process at the same place removes those of dead ones.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/**
 * Makes a new folder, readable by this user only, in which a socket finds room. The caller removes it.
 * @param use a word of small letters @throws a system error
 */
export function ownFolder(use: string): string {
  const fits = runDirectory !== undefined && Buffer.byteLength(runDirectory) + nameBytesMax <= pathBytesMax;
  const place = fits ? runDirectory! : tmpdir();
  if (!places.has(place)) clear(place);
  if (fits) mkdirSync(place, { recursive: true, mode: 0o700 });
  return mkdtempSync(join(place, `tcli-${use}-${process.pid}-${startTimeOf(process.pid) ?? 0}-`));
}

function clear(place: string): void {
  places.add(place);
  for (const name of namesIn(place)) {
    const [, pid, startTime] = pattern.exec(name) ?? [];
    if (pid === undefined || startTimeOf(Number(pid)) === startTime) continue;
    try {
      rmSync(join(place, name), { recursive: true, force: true });
    } catch {
      // The folder is another user's.
    }
  }
}

function namesIn(place: string): string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}
