/** The last change of a configuration, and what takes it back; what a saved configuration differs in; what a restore would do. */

import type { VolumeConfig } from '../backstore/backstore.ts';
import type { JournaledOperation } from '../durable/journal.ts';
import { OperatorError } from '../errors.ts';
import type { Operation, ParameterValues } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import { isRestored, isSameTree, rehearseOperations, treeOf } from '../saved/rehearsal.ts';
import { dumpTree } from '../saved/saveconfig.ts';
import { type Difference, transition } from '../saved/transition.ts';

/** A change, and the operations that lead back to what was before it. */
export interface LastChange {
  readonly change: string;
  readonly operations: readonly Operation[];
  readonly back: readonly Operation[];
}

/** What leads from one configuration to another. */
export interface Differences {
  readonly differences: readonly Difference[];
  /** Nothing else differs: parts of saved files that are kept and not used. */
  readonly isAll: boolean;
  /** What of a saved configuration cannot be used, a line each. */
  readonly errors: readonly string[];
}

/**
 * The newest change that left a trace.
 * @param saved the configuration that `done` was done on
 * @param serving volumes are open: what is in memory is lost when it goes
 * @returns undefined when there is none
 * @throws OperatorError when it cannot be taken back
 */
export async function lastChange(
  tree: Tree,
  saved: unknown,
  done: readonly JournaledOperation[],
  serving: boolean,
): Promise<LastChange | undefined> {
  const changes = [...new Set(done.flatMap(({ change }) => change ?? []))];
  const gone = new Set<string>();
  for (const change of changes.reverse()) {
    gone.add(change);
    const operations = done.flatMap((one) => (one.change === change ? [one.operation] : []));
    const earlier = done.filter((one) => one.change === undefined || !gone.has(one.change));
    const before = await treeAfter(saved, earlier, operations);
    const back = transition(tree, before).map(({ operation }) => operation);
    if (back.length === 0 && isSameTree(tree, before)) continue;
    await check(tree, back, before);
    refuseResize(tree, back);
    if (serving) refuseLost(tree, back);
    return { change, operations, back };
  }
  return undefined;
}

async function treeAfter(
  saved: unknown,
  done: readonly JournaledOperation[],
  last: readonly Operation[],
): Promise<Tree> {
  const { tree } = await treeOf(saved);
  try {
    await rehearseOperations(
      tree,
      done.map(({ operation }) => operation),
    );
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    throw new OperatorError(
      `What came after ${last[0]?.path} ${last[0]?.verb} stands on it: ${error.message}`,
      error.hint,
    );
  }
  return tree;
}

/** @throws OperatorError when `back` does not lead from `tree` to `before` */
async function check(tree: Tree, back: readonly Operation[], before: Tree): Promise<void> {
  const { tree: copy } = await treeOf(dumpTree(tree));
  await rehearseOperations(copy, back);
  if (!isSameTree(copy, before))
    throw new OperatorError(
      'The last change cannot be taken back in steps: it concerns parts of a saved file that tcli keeps and does not use.',
      'To go back to what was saved: restoreconfig clear_existing=true',
    );
}

/** What was in memory does not come back. @throws OperatorError */
function refuseLost(tree: Tree, back: readonly Operation[]): void {
  for (const { path, verb, params } of back) {
    if (verb !== 'create') continue;
    const { config = {} } = (params['settled'] ?? {}) as { config?: VolumeConfig };
    if (tree.backstore(path.replace('/backstores/', ''))?.isVolatile?.(config))
      throw new OperatorError(
        `The last change cannot be taken back: what ${path}/${params['name']} held is gone.`,
        `To have it again, empty: ${path} create ${params['name']} ${config['size']}`,
      );
  }
}

/** What lies beyond the end does not come back, and is not given up on the way. @throws OperatorError */
function refuseResize(tree: Tree, back: readonly Operation[]): void {
  for (const { path, verb, params } of back) {
    if (verb !== 'resize') continue;
    const { size, force } = params;
    const now = tree.storageObject(path)?.config['size'];
    if (force)
      throw new OperatorError(
        `The last change cannot be taken back: ${path} would be smaller again, and what lies beyond ${size} bytes would be lost.`,
        `If nothing there is needed: ${path} resize ${size} force=true`,
      );
    throw new OperatorError(
      `The last change cannot be taken back: what ${path} held beyond ${now} bytes is gone.`,
      `To have the size again, with zeros there: ${path} resize ${size}`,
    );
  }
}

/** From a saved configuration to `tree`. @throws OperatorError for what is no saved configuration */
export async function differencesFrom(saved: unknown, tree: Tree): Promise<Differences> {
  const { tree: from, errors } = await treeOf(saved);
  return { ...(await compare(from, tree)), errors };
}

/** What `restoreconfig` would do to `tree`, and whether that is nothing at all. @throws OperatorError as it would */
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
  // An attribute that cannot change while its object is exported differs all the same.
  const isAll = await rehearseOperations(
    copy,
    differences.map(({ operation }) => operation),
  ).then(
    () => isSameTree(copy, to),
    () => true,
  );
  return { differences, isAll };
}
