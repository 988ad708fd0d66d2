/** A look at the medium of a storage object that nobody serves. */

import { wholeReasonOf } from '../errors.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';

/** The reason why the medium of a storage object that is not served could not be opened; undefined when it could. */
export async function whyClosed({ backstore, config }: StorageObject): Promise<string | undefined> {
  try {
    await (await backstore.open(config)).close();
    return undefined;
  } catch (error) {
    return wholeReasonOf(error);
  }
}
