/** saveconfig.json as bytes: what is there, what it says, and what must not be written over it. */

import { createHash } from 'node:crypto';
import type { Files } from '../durable/atomic-file.ts';
import { OperatorError, parseJson, reasonOf, systemErrorCode } from '../errors.ts';
import type { SavedConfiguration } from '../saved/saveconfig.ts';
import { checkShape } from '../saved/saved-shape.ts';

/** The text of a saved configuration → its JSON. @throws OperatorError in the words of a decoder, with the place */
export function parseConfiguration(text: string, path: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new OperatorError(
      `${path} is not valid JSON: ${reasonOf(error)}`,
      'Mend it, or put a backup in its place; tcli does not overwrite what it cannot read.',
    );
  }
}

/** @throws OperatorError for bytes that no start could load, naming their file */
export function checkLoadable(content: Buffer, path: string): void {
  const configuration = parseConfiguration(content.toString('utf8'), path);
  try {
    checkShape(configuration);
  } catch (error) {
    throw new OperatorError(`${path} cannot be loaded: ${reasonOf(error)}`, 'Mend it, or put a backup in its place.');
  }
}

/** @returns null where nothing is there. @throws OperatorError when it cannot be read */
export async function readIfThere(path: string, files: Files): Promise<Buffer | null> {
  try {
    return await files.readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** sha256 by which a saved file is known. */
export const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

/** Without a backup nothing is given up. @throws OperatorError */
export function refusePoorer(old: Buffer, next: SavedConfiguration, problem: string, path: string): void {
  const count = (from: unknown) => {
    const { storage_objects: objects, targets } = from as Partial<SavedConfiguration>;
    return [objects, targets].map((list) => (Array.isArray(list) ? list.length : 0)) as [number, number];
  };
  const [objectsBefore, targetsBefore] = count(parseConfiguration(old.toString('utf8'), path));
  const [objects, targets] = count(next);
  if (objects >= objectsBefore && targets >= targetsBefore) return;
  throw new OperatorError(
    `Could not create backup file: ${problem}. ${path} has ${objectsBefore} storage objects and ${targetsBefore} targets, ` +
      `${objects} and ${targets} would replace them; it is not overwritten.`,
    `Make room for a backup, or save elsewhere: saveconfig FILE`,
  );
}
