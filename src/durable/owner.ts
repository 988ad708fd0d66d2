/** The owner of a home. Root leaves no files in another user's home: that user's own process could not open them. */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { OperatorError } from '../errors.ts';
import { userNamed } from '../system/caller.ts';
import type { Home } from './home.ts';

/** The owner of a home that is another user's than root's, when root asks; undefined otherwise. */
export function otherOwner({ stateDirectory, saveFile }: Home, asker = process.geteuid?.()): number | undefined {
  if (asker !== 0) return undefined;
  return [stateDirectory, dirname(saveFile)].map(ownerOf).find((owner) => owner !== undefined && owner !== 0);
}

/**
 * Refuses root in the home of another user, even to look: links there would lead root to any file, and files that root makes there cannot
 * be opened by that user. Root can do everything through the socket of that user's own process. @throws OperatorError
 */
export function refuseHomeOfOther(home: Home, asker = process.geteuid?.()): void {
  const owner = otherOwner(home, asker);
  if (owner === undefined) return;
  const user = userNamed(owner);
  throw new OperatorError(
    `The configuration in ${dirname(home.saveFile)} is that of user ${user}, and root's files in it would be in the way.`,
    `As that user: runuser -u ${user} -- tcli --home ${dirname(home.saveFile)} …`,
  );
}

const ownerOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.uid;
