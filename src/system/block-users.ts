/** The users of a block device of this machine: mounts, swap, devices that are built on it, programs. */

import { readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { systemErrorCode } from '../errors.ts';
import { processesWithOpen } from './process.ts';

/** The number of names that one line spells out. */
const namesMax = 5;

/** @param device `/dev/loop0` @returns a phrase for each user, `mounted at /mnt`; none when the device has none */
function usersOf(device: string): string[] {
  const name = basename(device);
  const number = read(`/sys/block/${name}/dev`).trim();
  const parts = list(`/sys/block/${name}`).filter((part) => part.startsWith(name));
  const numbers = [number, ...parts.map((part) => read(`/sys/block/${name}/${part}/dev`).trim())].filter(Boolean);
  const devices = [device, ...parts.map((part) => `/dev/${part}`)];
  // proc(5) mountinfo: field 3 is the device's number, field 5 the mount point, blanks in it octal.
  const mounts = lines('/proc/self/mountinfo')
    .map((line) => line.split(' '))
    .filter(([, , at = '']) => numbers.includes(at))
    .map(([, , , , point = '']) => `mounted at ${unescaped(point)}`);
  const swaps = lines('/proc/swaps')
    .filter((line) => devices.includes(unescaped(line.split(/\s/, 1)[0] ?? '')))
    .map(() => 'used as swap');
  const holders = ['', ...parts.map((part) => `/${part}`)]
    .flatMap((part) => list(`/sys/block/${name}${part}/holders`))
    .map((holder) => `held by /dev/${holder}`);
  const programs = devices.flatMap(processesWithOpen).map((program) => `open in ${program}`);
  return [...new Set([...mounts, ...swaps, ...holders, ...programs])].slice(0, namesMax);
}

/** The users, as `usersOf`. A mount of another namespace is found, too, as a use without further words. */
export async function whoUses(device: string): Promise<string[]> {
  const users = usersOf(device);
  if (users.length > 0) return users;
  try {
    // The kernel's own users, and programs that asked for the device exclusively, make O_EXCL fail.
    await (await open(device, O_RDONLY_EXCL)).close();
    return [];
  } catch (error) {
    return systemErrorCode(error) === 'EBUSY' ? ['in use, perhaps mounted in a container'] : [];
  }
}

const O_RDONLY_EXCL = 0o200;

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const lines = (path: string): string[] => read(path).split('\n');

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
