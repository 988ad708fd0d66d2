/** A look at the medium of a storage object that nobody serves. */

import { wholeReasonOf } from '../errors.ts';
import { couldNotCreate } from '../operations/storage-object-creation.ts';
import type { Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';

/** The reason why the medium of a storage object that is not served could not be opened; undefined when it could. */
async function whyClosed({ backstore, config }: StorageObject): Promise<string | undefined> {
  try {
    await (await backstore.open(config)).close();
    return undefined;
  } catch (error) {
    return wholeReasonOf(error);
  }
}

/** Lines that name the storage objects without a medium, and why. @param serving whether this process has opened media */
export async function missingIn(tree: Tree, serving: boolean): Promise<string[]> {
  const lines = [...tree.allStorageObjects()].map(async (storageObject) => {
    const reason = serving ? storageObject.missing : await whyClosed(storageObject);
    return reason === undefined ? [] : [couldNotCreate(storageObject.name, reason)];
  });
  return (await Promise.all(lines)).flat();
}
