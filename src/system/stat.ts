/** The file that a path names. */

import { type Stats, statSync } from 'node:fs';

/**
 * The facts of a file. Undefined where there is none, and where there can be none: a name too long, one with a NUL, a folder that lets
 * nobody look.
 */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** A text that is the same for every name of one file or device. */
export const identityOf = (found: Stats): string =>
  found.isBlockDevice() ? `device ${found.rdev}` : `file ${found.dev} ${found.ino}`;
