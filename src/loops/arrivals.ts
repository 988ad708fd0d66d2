/** Units that come from another event loop. */

import type { Tree } from '../operations/tree.ts';
import { takeOverUnit } from '../scsi/move.ts';
import type { LeftUnit } from './loop.ts';

/** A unit that another loop has let go of goes on here. */
export function arrive(tree: Tree, { path, moving }: LeftUnit): void {
  const storageObject = tree.storageObject(path);
  // Another storage object may have got the path meanwhile.
  if (!storageObject || !moving || storageObject.wwn !== moving.wwn) return;
  if (moving.state) takeOverUnit(storageObject, moving.state);
  else storageObject.contentsLost = moving.contentsLost;
}
