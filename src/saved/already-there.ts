/** Recognises a saved configuration that the tree has already: restoring it need not end a session. */

import { isDeepStrictEqual } from 'node:util';
import type { Surroundings } from '../operations/operation.ts';
import { Tree } from '../operations/tree.ts';
import { restoreTree } from './restore.ts';
import { isPartial, type RestoreFilter } from './restore-filter.ts';
import { dumpTree } from './saveconfig.ts';

/** Whether the tree has a saved configuration already, to the last name, so that restoring it would change nothing. */
export async function isThere(
  tree: Tree,
  saved: unknown,
  around: Surroundings,
  filter: RestoreFilter,
): Promise<boolean> {
  // A part that was asked for by name is to begin anew.
  if (isPartial(filter)) return false;
  const all = [...tree.allStorageObjects()];
  // Restoring may find a medium that is missing now; and an empty tree is not worth a comparison.
  if (all.length === 0 || all.some(({ missing, size }) => missing !== undefined && size === undefined)) return false;
  const copy = new Tree();
  const errors = await restoreTree(copy, saved, { ...around, serving: false, restoring: true });
  return errors.length === 0 && isDeepStrictEqual(dumpTree(copy), dumpTree(tree));
}
