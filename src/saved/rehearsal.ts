/** Trees apart from the one that is served, to see what would come of something: nothing is opened, nothing is stored. */

import type { Operation, ParameterValues, Surroundings } from '../operations/operation.ts';
import { chanceKeys } from '../operations/saved-form.ts';
import { schema } from '../operations/schema.ts';
import { Tree } from '../operations/tree.ts';
import { isThere } from './already-there.ts';
import { door, worldly } from './operations.ts';
import { restoreTree } from './restore.ts';
import { filterOf } from './restore-filter.ts';
import { dumpTree } from './saveconfig.ts';

/** A serial number that a saved file does not have is none here. */
const around: Surroundings = {
  ...worldly,
  randomUuid: () => '',
  missingSerial: async () => '',
  serving: false,
  restoring: true,
};

/** The tree of a saved configuration. @throws OperatorError when it is none. @returns also what cannot be restored, a line each */
export async function treeOf(saved: unknown): Promise<{ tree: Tree; errors: string[] }> {
  const tree = new Tree();
  return { errors: await restoreTree(tree, saved, around), tree };
}

/** Whether `restoreconfig` with `params` would do nothing. */
export const isRestored = (tree: Tree, params: ParameterValues): Promise<boolean> =>
  isThere(tree, params['configuration'], around, filterOf(params));

/** Carries operations out on a tree, one after the other. @throws OperatorError for the first that cannot be. @returns notes */
export async function rehearseOperations(tree: Tree, operations: readonly Operation[]): Promise<string[]> {
  const notes: string[] = [];
  for (const operation of operations) notes.push(...((await door.carryOut(tree, operation, around)).notes ?? []));
  return notes;
}

/** Whether two trees are the same to whoever looks at them: order, and names and numbers that chance made, aside. */
export const isSameTree = (a: Tree, b: Tree): boolean => comparable(dumpTree(a)) === comparable(dumpTree(b));

const chance = new Set(Object.values(schema).flatMap(chanceKeys));

function comparable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(comparable).sort().join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  // The serial number of a storage object that differs makes it another one.
  const isChance = (key: string) => chance.has(key) || (key === 'wwn' && 'plugin' in value);
  const entries = Object.entries(value).filter(([key]) => !isChance(key));
  return `{${entries
    .map(([key, inner]) => `${JSON.stringify(key)}:${comparable(inner)}`)
    .sort()
    .join()}}`;
}
