/** The names of a local target's files in the run directory, and of its LUNs for this machine. */

import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Lun, Tpg } from '../target/target.ts';

/** The Unix socket on which a target's LUNs are served. */
export const socketPath = (tpg: Tpg, runDirectory: string): string => join(runDirectory, `${tpg.target.wwn}.sock`);

/** The name by which clients ask for a LUN. */
export const exportName = (index: number): string => `lun${index}`;

/** The LUN as an NBD client names it (NBD uri.md): `nbd+unix:///lun0?socket=/run/tcli/naa….sock` */
export const uriOf = (lun: Lun, runDirectory: string): string =>
  `nbd+unix:///${exportName(lun.index)}?socket=${encodeURI(socketPath(lun.tpg, runDirectory)).replace(/[?&#]/g, encodeURIComponent)}`;

/** A symbolic link to the block device that an attached LUN is. */
export const deviceLink = (lun: Lun, runDirectory: string): string =>
  join(runDirectory, `${lun.tpg.target.wwn}-${exportName(lun.index)}`);

/** The block device of an attached LUN (`/dev/nbd0`), whoever attached it; undefined when there is none. */
export function deviceOf(lun: Lun, runDirectory: string): string | undefined {
  try {
    return readlinkSync(deviceLink(lun, runDirectory));
  } catch {
    return undefined;
  }
}
