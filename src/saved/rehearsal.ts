/** Rehearsals: operations on trees apart from the served one, to see their outcome. Nothing is opened, nothing is stored. */

import type { Operation, ParameterValues, Surroundings } from '../operations/operation.ts';
import { chanceKeys } from '../operations/saved-form.ts';
import { schema } from '../operations/schema.ts';
import { Tree } from '../operations/tree.ts';
import { slices } from '../system/slices.ts';
import { isThere } from './already-there.ts';
import { withKnownSecrets } from './left-out-secrets.ts';
import { door, worldly } from './operations.ts';
import { restoreTree } from './restore.ts';
import { filterOf } from './restore-filter.ts';
import { dumpTree } from './saveconfig.ts';

/** Surroundings without random values; a missing serial number stays missing. */
const around: Surroundings = {
  ...worldly,
  randomUuid: () => '',
  missingSerial: async () => '',
  serving: false,
  restoring: true,
};

/** The tree of a saved configuration. @throws OperatorError for what is none. @returns also the parts that cannot be restored, a line each */
export async function treeOf(saved: unknown): Promise<{ tree: Tree; errors: string[] }> {
  const tree = new Tree();
  return { errors: await restoreTree(tree, saved, { ...around, rest: slices() }), tree };
}

/** Whether `restoreconfig` with `params` would do nothing. */
export const isRestored = (tree: Tree, params: ParameterValues): Promise<boolean> =>
  isThere(
    tree,
    withKnownSecrets(params['configuration'], () => dumpTree(tree)),
    around,
    filterOf(params),
  );

/** Carries operations out on a tree, one after the other. @throws OperatorError for the first that fails. @returns notes */
export async function rehearseOperations(tree: Tree, operations: readonly Operation[]): Promise<string[]> {
  const notes: string[] = [];
  for (const operation of operations) notes.push(...((await door.carryOut(tree, operation, around)).notes ?? []));
  return notes;
}

/** Whether two trees are the same, apart from their order and from random names and numbers. */
export const isSameTree = (a: Tree, b: Tree): boolean => comparable(dumpTree(a)) === comparable(dumpTree(b));

const chance = new Set(Object.values(schema).flatMap(chanceKeys));

function comparable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(comparable).sort().join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  // Storage objects with different serial numbers are different objects.
  const isChance = (key: string) => chance.has(key) || (key === 'wwn' && 'plugin' in value);
  const entries = Object.entries(value).filter(([key]) => !isChance(key));
  return `{${entries
    .map(([key, inner]) => `${JSON.stringify(key)}:${comparable(inner)}`)
    .sort()
    .join()}}`;
}
