/** The kinds of backstore, in the tree's order. A new kind is its own file and a line here. */

import type { Backstore } from './backstore.ts';
import { block } from './block.ts';
import { fileio } from './fileio.ts';
import { pscsi } from './pscsi.ts';
import { ramdisk } from './ramdisk.ts';
import { userNbd } from './user-nbd.ts';
import { userQcow } from './user-qcow.ts';
import { userRbd } from './user-rbd.ts';

/** Every kind of backstore. */
export const backstores: readonly Backstore[] = [block, fileio, pscsi, ramdisk, userNbd, userQcow, userRbd];
