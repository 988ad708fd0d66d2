/** Paths: from a text to a node, and a long one shortened for the prompt. */

import { OperatorError, printableLine } from '../../src/index.ts';
import { didYouMean } from './nearest-word.ts';
import type { Node } from './node.ts';

/**
 * The node that `text` names: absolute, or seen from `from`; `@name` is a bookmark; repeated slashes are one.
 * @throws OperatorError
 */
export function resolvePath(text: string, from: Node, bookmarks: ReadonlyMap<string, string>): Node {
  if (text.startsWith('@')) {
    const name = text.slice(1);
    const path = bookmarks.get(name);
    if (path === undefined)
      throw new OperatorError(
        `No such bookmark ${name}`,
        didYouMean(name, bookmarks.keys(), (known) => `@${known}`) ?? 'See: bookmarks show',
      );
    return resolvePath(path, from, new Map());
  }
  let node = text.startsWith('/') ? rootOf(from) : from;
  for (const step of text.split('/')) {
    if (step === '' || step === '.') continue;
    const next: Node | undefined = step === '..' ? (node.parent ?? node) : node.child(step);
    if (!next)
      throw new OperatorError(`No such path ${node.path === '/' ? '' : node.path}/${step}`, similar(node, step));
    node = next;
  }
  return node;
}

/** Lets each node on the way to `text` fetch its children, as far as there is a way: so `resolvePath` finds them. */
export async function lookAlong(text: string, from: Node, bookmarks: ReadonlyMap<string, string>): Promise<void> {
  const path = text.startsWith('@') ? (bookmarks.get(text.slice(1)) ?? '') : text;
  let node: Node | undefined = path.startsWith('/') ? rootOf(from) : from;
  for (const step of ['.', ...path.split('/')]) {
    if (step === '..') node = node.parent ?? node;
    else if (step !== '' && step !== '.') node = node.child(step);
    if (!node) return;
    // The commands of the node say why its children cannot be had.
    await node.look().catch(() => {});
  }
}

/** The node at `path`, or the nearest above it that is there. */
export function nearestNode(path: string, root: Node): Node {
  let node = root;
  for (const step of path.split('/').filter(Boolean)) {
    const next = node.child(step);
    if (!next) break;
    node = next;
  }
  return node;
}

/** The node at `/`. */
export function rootOf(node: Node): Node {
  let root = node;
  while (root.parent) root = root.parent;
  return root;
}

/** A path for the prompt. @param length the longest that a path may be, 0 for any: a longer one keeps its two ends */
export function promptOf(at: string, length: number): string {
  const path = printableLine(at);
  if (length === 0 || path.length <= length) return `${path}> `;
  const half = Math.max(0, Math.floor((length - 3) / 2));
  return `${path.slice(0, half)}...${half === 0 ? '' : path.slice(-half)}> `;
}

/** The advice where a path has no such node. */
function similar(node: Node, step: string): string {
  const names = node.children().map(({ name }) => name);
  const above = node.path === '/' ? '' : node.path;
  if (Object.hasOwn(node.commands, step)) return `${step} is a command there: ${above}/ ${step}`;
  return didYouMean(step, names, (name) => `${above}/${name}`) ?? `What is there: ls ${node.path} 1`;
}
