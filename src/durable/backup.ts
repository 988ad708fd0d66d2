/**
 * Backups of saveconfig.json, named as targetcli names them, with a number that says which is newer: the clock may have been ahead, and
 * several may be made in a second. `backup/saveconfig-20261120-18:15:00-000017-json.gz`
 */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { systemErrorCode } from '../errors.ts';
import { type Files, makeFile, makePrivateDirectory, realFiles } from './atomic-file.ts';

/** The names of backups. Backups without a number are targetcli's, or were made before there were numbers. */
const name = /^saveconfig-\d{8}-\d\d:\d\d:\d\d(?:-(\d{6,}))?-json(?:\.gz)?$|^saveconfig-\d{8}-\d\d:\d\d:\d\d\.json$/;
const numberOf = (file: string): number => Number(name.exec(file)?.[1] ?? 0);
const numberDigits = 6;

/**
 * Keeps `content` as the newest generation unless the newest is the same; removes the oldest beyond `keep`.
 * @returns whether a backup was made. System errors pass through.
 */
export async function backUp(
  directory: string,
  content: Buffer,
  keep: number,
  now: Date,
  files = realFiles,
): Promise<boolean> {
  await makePrivateDirectory(directory, files);
  const generations = generationsIn(await files.readdir(directory));
  const newest = generations.at(-1);
  if (newest !== undefined && content.equals(await generation(join(directory, newest), files))) return false;
  const [date, time] = now.toISOString().slice(0, 19).split('T');
  const number = newest === undefined ? 1 : numberOf(newest) + 1;
  const file = `saveconfig-${date?.replaceAll('-', '')}-${time}-${String(number).padStart(numberDigits, '0')}-json.gz`;
  await makeFile(join(directory, file), gzipSync(content), files);
  for (const extra of [...generations, file].slice(0, -keep)) await files.rm(join(directory, extra), { force: true });
  return true;
}

async function generation(path: string, files: Files): Promise<Buffer> {
  const bytes = await files.readFile(path);
  try {
    return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
  } catch {
    // A damaged backup is equal to no other.
    return Buffer.alloc(0);
  }
}

/** A saved configuration of an earlier time. */
export interface Backup {
  readonly path: string;
  /** The time at which another configuration took its place; ISO 8601, UTC. */
  readonly replaced?: string;
  /** The sha256 of its contents. */
  readonly hash: string;
}

/** The backups, the oldest first, without damaged ones. System errors pass through. */
export async function backupsIn(directory: string, files = realFiles): Promise<Backup[]> {
  const names = await files.readdir(directory).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    return [];
  });
  const backups: Backup[] = [];
  for (const file of generationsIn(names)) {
    const path = join(directory, file);
    const content = await generation(path, files);
    const [, day, time] = /-(\d{8})-(\d\d:\d\d:\d\d)/.exec(file) ?? [];
    const date = day && `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T${time}.000Z`;
    if (content.length === 0) continue;
    backups.push({ path, hash: createHash('sha256').update(content).digest('hex'), ...(date && { replaced: date }) });
  }
  return backups;
}

/** Names of backups in the order in which they were made. */
const generationsIn = (names: readonly string[]): string[] =>
  names
    .filter((file) => name.test(file))
    .sort()
    .sort((a, b) => numberOf(a) - numberOf(b));
