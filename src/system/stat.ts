/** What a path names. */

import { type Stats, statSync } from 'node:fs';

/** Undefined where there is nothing, and where nothing can be: a name too long, one with a NUL, a folder that lets nobody look. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
