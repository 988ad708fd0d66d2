/**
 * Folders that are no use to anybody once this process has ended: for sockets, mostly. They lie in the run directory, and
 * carry the process in their names: whoever comes next to the same place takes away what dead ones left.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTimeOf } from './process.ts';
import { pathBytesMax } from './unix-socket.ts';

/** What a folder's name and a short one in it take of a socket's path. */
const nameBytesMax = 60;

/** `tcli-qemu-1234-567890-Ab3dEf`: what it is for, a process, when that began, and chance. */
const pattern = /^tcli-[a-z]+-(\d+)-(\d+)-/;

const places = new Set<string>();
let runDirectory: string | undefined;

/** Where this thread makes its folders from now on. What dead processes left there goes. */
export function keepFoldersIn(directory: string): void {
  runDirectory = directory;
  clear(directory);
}

/**
 * A new folder, readable by this user only, in which a socket finds room. Whoever made it removes it.
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
      // Another user's.
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
