/** Files of ours in a folder where another user may have put something at their place. */

import { closeSync, fstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Closes a descriptor that was opened at `path`, without following a link, and is no file of ours: ours are regular files of this user,
 * of root, or of the folder's owner. @throws Error that says so
 */
export function refuseStrange(fd: number, path: string): void {
  const stats = fstatSync(fd);
  const owners = [process.geteuid?.() ?? stats.uid, 0, statSync(dirname(path)).uid];
  const wrong = !stats.isFile()
    ? 'it is no regular file'
    : owners.includes(stats.uid)
      ? undefined
      : 'it is of another user';
  if (wrong === undefined) return;
  closeSync(fd);
  throw new Error(wrong);
}
