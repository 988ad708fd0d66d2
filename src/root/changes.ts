/**
 * Comparisons of configurations: what a step back could not bring back, how a saved configuration differs from the tree, and what a
 * restore would do.
 */

import type { VolumeConfig } from '../backstore/backstore.ts';
import type { Past } from '../durable/past.ts';
import { OperatorError } from '../errors.ts';
import { isWhole, type Operation, type ParameterValues } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import { withKnownSecrets } from '../saved/left-out-secrets.ts';
import { isRestored, isSameTree, rehearseOperations, treeOf } from '../saved/rehearsal.ts';
import { dumpTree } from '../saved/saveconfig.ts';
import { type Difference, transition } from '../saved/transition.ts';

/** The operations that lead from one configuration to another. */
export interface Differences {
  readonly differences: readonly Difference[];
  /** Whether the operations are the whole difference. Otherwise the two also differ in parts of saved files that are kept and not used. */
  readonly isAll: boolean;
  /** The faults of a saved configuration that make a part of it unusable, a line each. */
  readonly errors: readonly string[];
}

/** @throws OperatorError when `back` does not lead from `tree` to `before` */
export async function checkStep(tree: Tree, back: readonly Operation[], before: Tree, cannot: string): Promise<void> {
  const { tree: copy } = await treeOf(dumpTree(tree));
  await rehearseOperations(copy, back);
  if (!isSameTree(copy, before))
    throw new OperatorError(
      `${cannot} in steps: it concerns parts of a saved file that tcli keeps and does not use.`,
      'To go back to what was saved: restoreconfig clear_existing=true',
    );
}

/** The paths of storage objects that come again, while what they held in memory does not. */
export const lostBy = (tree: Tree, back: readonly Operation[]): string[] =>
  back.flatMap(({ path, verb, params }) => {
    if (verb !== 'create') return [];
    const { config = {} } = (params['settled'] ?? {}) as { config?: VolumeConfig };
    return tree.backstore(path.replace('/backstores/', ''))?.isVolatile?.(config) ? [`${path}/${params['name']}`] : [];
  });

/** The same operations; storage objects that lost what they held are without a medium, and no zeros are served in its place. */
export const withLosses = (operations: readonly Operation[], lost: readonly string[]): Operation[] =>
  operations.map((one) => {
    const { path, verb, params } = one;
    const at = `${path}/${params['name']}`;
    if (verb !== 'create' || !lost.includes(at)) return one;
    const contentsLost = `what it held in memory went when it was deleted. To have it again, empty: ${at} reopen`;
    return { path, verb, params: { ...params, settled: { ...(params['settled'] as object), contentsLost } } };
  });

/** @throws OperatorError where what was in memory would not come back */
export function refuseLost(lost: readonly string[]): void {
  const [path] = lost;
  if (path === undefined) return;
  throw new OperatorError(
    `This cannot be tried: what ${path} holds would not come back.`,
    'What lies in memory goes with its storage object.',
  );
}

/** Refuses to take a size back: data beyond the old end would be given up on the way, and would not come back. @throws OperatorError */
export function refuseResize(tree: Tree, back: readonly Operation[], cannot: string): void {
  for (const { path, verb, params } of back) {
    if (verb !== 'resize') continue;
    const { size, force } = params;
    const now = tree.storageObject(path)?.config['size'];
    if (force)
      throw new OperatorError(
        `${cannot}: ${path} would be smaller again, and what lies beyond ${size} bytes would be lost.`,
        `If nothing there is needed: ${path} resize ${size} force=true`,
      );
    throw new OperatorError(
      `${cannot}: what ${path} held beyond ${now} bytes is gone.`,
      `To have the size again, with zeros there: ${path} resize ${size}`,
    );
  }
}

/** The differences from a saved configuration to `tree`. @throws OperatorError for what is no saved configuration */
export async function differencesFrom(saved: unknown, tree: Tree): Promise<Differences> {
  const { tree: from, errors } = await treeOf(withKnownSecrets(saved, () => dumpTree(tree)));
  return { ...(await compare(from, tree)), errors };
}

/** The operations of a `restoreconfig` on `tree`: none where it would change nothing. @throws OperatorError where it would throw one */
export async function differencesByRestore(
  tree: Tree,
  params: ParameterValues,
): Promise<Differences & { nothing: boolean }> {
  const [{ tree: copy }, { tree: from }] = [await treeOf(dumpTree(tree)), await treeOf(dumpTree(tree))];
  const nothing = await isRestored(tree, params);
  const errors = await rehearseOperations(copy, [{ path: '/', verb: 'restoreconfig', params }]);
  return { ...(await compare(from, copy)), errors, nothing };
}

async function compare(from: Tree, to: Tree): Promise<Omit<Differences, 'errors'>> {
  const differences = transition(from, to);
  const { tree: copy } = await treeOf(dumpTree(from));
  // An attribute that cannot be set while its object is exported is a difference all the same.
  const isAll = await rehearseOperations(
    copy,
    differences.map(({ operation }) => operation),
  ).then(
    () => isSameTree(copy, to),
    () => true,
  );
  return { differences, isAll };
}

/** Refuses to take a change back that another gateway has set the same after, or replaced with everything else. @throws OperatorError */
export function refuseTouched(past: Past, id: string): void {
  const { changes, standing } = past;
  const at = changes.findIndex((one) => one.id === id);
  const change = changes[at]!;
  const mine = new Set(change.operations.flatMap(settingsOf));
  const later = changes
    .slice(at + 1)
    .filter((one) => one.gateway !== change.gateway && standing.includes(one.id))
    .find(({ operations }) => operations.some((one) => isWhole(one) || settingsOf(one).some((key) => mine.has(key))));
  if (later)
    throw new OperatorError(
      `The last change cannot be taken back: ${later.gateway ?? 'another gateway'} has changed the same later (${later.id}).`,
      'What was done: changes',
    );
}

/** The setting that an operation changes, as a key; a collision of objects is seen when the operation is carried out. */
const settingsOf = ({ path, verb, params: { group = '', name = '', wwn = '' } }: Operation): string[] =>
  verb === 'create' || verb === 'delete' ? [] : [JSON.stringify([path, group, name, wwn])];
