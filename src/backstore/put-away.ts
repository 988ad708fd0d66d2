/** The end of a volume's use. */

import { systemError } from '../system/system-error.ts';
import type { Volume } from './backstore.ts';
import { within } from './patience.ts';

/** The time that flushing and closing may take; a medium that has not answered by then is left to itself. */
const putAwayMs = 10_000;

/**
 * Flushes and closes a volume.
 * @param finish called in between
 * @returns the reason why not all writes are certain to be on the medium; undefined when they are
 */
export async function putAway(volume: Volume, finish: () => void = () => {}): Promise<{ error: unknown } | undefined> {
  let failure: { error: unknown } | undefined = { error: systemError('ETIMEDOUT', 'flush') };
  const work = async () => {
    try {
      await volume.flush();
      failure = undefined;
    } catch (error) {
      failure = { error };
    }
    finish();
    await volume.close();
  };
  await within(putAwayMs, work());
  return failure;
}
