/** Groups of this machine. */

import { spawnSync } from 'node:child_process';
import { chmod, chown } from 'node:fs/promises';
import { reasonOf } from '../errors.ts';

/** The number of a group, by its name or by the number itself; undefined when there is none of that name. */
export function groupNamed(name: string): number | undefined {
  if (/^\d{1,10}$/.test(name)) return Number(name);
  // getent(1) asks all sources of this machine: files, LDAP …
  const { stdout } = spawnSync('getent', ['group', name], { encoding: 'utf8' });
  const number = /^[^:]*:[^:]*:(\d+):/.exec(stdout ?? '')?.[1];
  return number === undefined ? undefined : Number(number);
}

/**
 * Lets a group use a socket: the way to it, and the socket.
 * @returns the reason why that failed; a file that could not be given to the group stays its owner's
 */
export async function letGroupIn(group: number, directory: string, socket: string): Promise<string | undefined> {
  const owner = process.geteuid?.() ?? 0;
  try {
    await chown(directory, owner, group);
    await chmod(directory, 0o710);
    await chown(socket, owner, group);
    await chmod(socket, 0o660);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
