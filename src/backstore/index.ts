/** The kinds of backstore there are, in the tree's order. A new kind is its own file and a line here. */

import type { Backstore } from './backstore.ts';
import { block } from './block.ts';
import { fileio } from './fileio.ts';
import { ramdisk } from './ramdisk.ts';

export const backstores: readonly Backstore[] = [block, fileio, ramdisk];

/** The kind that the tree calls `name` (`/backstores/NAME`), or undefined. */
export const backstoreNamed = (name: string): Backstore | undefined =>
  backstores.find((backstore) => backstore.name === name);

/** The kind that saveconfig.json calls `plugin`, or undefined. */
export const backstoreOfPlugin = (plugin: string): Backstore | undefined =>
  backstores.find((backstore) => backstore.plugin === plugin);
