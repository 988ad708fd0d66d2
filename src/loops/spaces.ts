/** The space that storage objects take of their media and the space that is left, for observers. */

import type { Space, Volume } from '../backstore/backstore.ts';
import { within } from '../backstore/patience.ts';
import type { Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';

/** The time that a medium may take to answer. */
const spaceMs = 1_000;

/** The space of a storage object. Plain data. */
export interface SpaceState extends Space {
  readonly path: string;
}

/** Questions under way: a medium that does not answer is asked once. */
const asked = new WeakMap<StorageObject, Promise<SpaceState | undefined>>();

function ask(one: StorageObject): Promise<SpaceState | undefined> {
  const { path, volume } = one;
  const asking = spaceOf(volume)
    .then(
      (space) => space && { path, ...space },
      () => undefined,
    )
    .finally(() => asked.delete(one));
  asked.set(one, asking);
  return asking;
}

async function spaceOf(volume: Volume | undefined): Promise<Space | undefined> {
  return volume?.fullyProvisioned ? { allocated: volume.size } : volume?.space?.();
}

/** The space of each storage object whose medium can say it, and does so in time. @param isWanted by path */
export async function spacesOf(tree: Tree, isWanted: (path: string) => boolean): Promise<SpaceState[]> {
  const answers: SpaceState[] = [];
  const open = [...tree.allStorageObjects()].filter(({ path }) => isWanted(path));
  const told = open.map(async (one) => {
    const space = await (asked.get(one) ?? ask(one));
    if (space) answers.push(space);
  });
  await within(spaceMs, Promise.all(told));
  return [...answers];
}
