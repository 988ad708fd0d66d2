/** Groups of this machine. */

import { spawnSync } from 'node:child_process';

/** The number of a group, by its name or by the number itself; undefined when there is none of that name. */
export function groupNamed(name: string): number | undefined {
  if (/^\d{1,10}$/.test(name)) return Number(name);
  // getent(1) asks whoever this machine asks: files, LDAP …
  const { stdout } = spawnSync('getent', ['group', name], { encoding: 'utf8' });
  const number = /^[^:]*:[^:]*:(\d+):/.exec(stdout ?? '')?.[1];
  return number === undefined ? undefined : Number(number);
}
