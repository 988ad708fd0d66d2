/** saveconfig.json as bytes: reading it, and the guards against writing over a file that must stay. */

import { createHash } from 'node:crypto';
import type { Files } from '../durable/atomic-file.ts';
import { OperatorError, parseJson, reasonOf, systemErrorCode } from '../errors.ts';
import type { Tree } from '../operations/tree.ts';
import { formatSaved, mergeObject, type SavedConfiguration } from '../saved/saveconfig.ts';
import { checkShape } from '../saved/saved-shape.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';

/** Reads the text of a saved configuration as JSON. @throws OperatorError in the words of a decoder, with the place */
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

/** Refuses bytes that no start could load. @throws OperatorError that names their file */
export function checkLoadable(content: Buffer, path: string): void {
  const configuration = parseConfiguration(content.toString('utf8'), path);
  try {
    checkShape(configuration);
  } catch (error) {
    throw new OperatorError(`${path} cannot be loaded: ${reasonOf(error)}`, 'Mend it, or put a backup in its place.');
  }
}

/** Reads a file. @returns null where there is no file. @throws OperatorError when the file cannot be read */
export async function readIfThere(path: string, files: Files): Promise<Buffer | null> {
  try {
    return await files.readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** The sha256 by which a saved file is known. */
export const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

/** The text of the saved file at `path`, with one storage object as the tree has it. @throws OperatorError */
export async function mergedInto(path: string, tree: Tree, object: StorageObject, files: Files): Promise<string> {
  const old = await readIfThere(path, files);
  const empty: SavedConfiguration = { fabric_modules: [], storage_objects: [], targets: [] };
  const saved = old ? (parseConfiguration(old.toString('utf8'), path) as SavedConfiguration) : empty;
  return formatSaved(mergeObject(saved, tree, object));
}

/** Refuses to replace a saved file by a poorer one when the old file has no backup. @throws OperatorError */
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
