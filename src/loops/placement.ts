/**
 * Assigns storage objects and targets to loops: a storage object lives in one loop, with all targets that export it (law 7 of
 * docs/architecture.md). A group that is tied together that way stays in the loop that has most of it, and above all where clients are
 * that cannot come back from a move; a new group goes to the loop that has least.
 */

import type { Tree } from '../operations/tree.ts';
import { StorageObject } from '../scsi/logical-unit.ts';
import type { Lun, Target } from '../target/target.ts';
import type { Assignment } from './loop.ts';

export class Placement {
  readonly #loops: number;
  readonly #first: number;
  /** The number of the loop, by the path of a storage object or a target. */
  #at: ReadonlyMap<string, number> = new Map();
  /** Earlier names of storage objects. */
  readonly #paths = new WeakMap<StorageObject, string>();

  /**
   * @param loops the number of loops
   * @param first the number of the first loop that serves: those before it get nothing
   */
  constructor(loops: number, first: number) {
    this.#loops = loops;
    this.#first = first;
  }

  has(path: string): boolean {
    return this.#at.has(path);
  }

  loopOf(path: string): number {
    return this.#at.get(path) ?? 0;
  }

  /** The paths that a loop has. */
  pathsOf(loop: number): string[] {
    return [...this.#at.keys()].filter((path) => this.#at.get(path) === loop);
  }

  /** The targets that would leave their loops if the tree were followed. */
  leaving(tree: Tree): Target[] {
    const { before, at } = this.#assign(tree, this.#renamed(tree));
    return [...tree.targets()].filter(({ path }) => before.has(path) && before.get(path) !== at.get(path));
  }

  /** Follows the tree. @returns the paths that each loop gets, and gives away */
  update(tree: Tree): Assignment[] {
    const renamed = this.#renamed(tree);
    for (const one of tree.allStorageObjects()) this.#paths.set(one, one.path);
    const { before, at } = this.#assign(tree, renamed);
    this.#at = at;
    return Array.from({ length: this.#loops }, (_, loop) => ({
      gained: [...at.keys()].filter((path) => at.get(path) === loop && before.get(path) !== loop),
      lost: [...before.keys()].filter((path) => before.get(path) === loop && at.get(path) !== loop),
      renamed,
    }));
  }

  /** @returns the loops by path: as they are, by today's names, and as they are to be */
  #assign(tree: Tree, renamed: ReadonlyMap<string, string>) {
    const before = new Map(Array.from(this.#at, ([path, loop]) => [renamed.get(path) ?? path, loop]));
    const groups = this.#loops > 1 ? groupsOf(tree) : [];
    const sizes = Array.from({ length: this.#loops }, (_, loop) => (loop < this.#first ? Number.POSITIVE_INFINITY : 0));
    const placed = groups.map((group) => ({ paths: group.map(({ path }) => path), loop: mostOf(group, before) }));
    for (const { paths, loop } of placed) if (loop !== undefined) sizes[loop]! += paths.length;
    const at = new Map<string, number>();
    for (const { paths, loop } of placed) {
      const chosen = loop ?? sizes.indexOf(Math.min(...sizes));
      if (loop === undefined) sizes[chosen]! += paths.length;
      for (const path of paths) at.set(path, chosen);
    }
    return { before, at };
  }

  /** Storage objects that have another name than at the last update: the same object is in the same loop. */
  #renamed(tree: Tree): Map<string, string> {
    const renamed = new Map<string, string>();
    for (const one of tree.allStorageObjects()) {
      const { path } = one;
      const was = this.#paths.get(one);
      if (was !== undefined && was !== path) renamed.set(was, path);
    }
    return renamed;
  }
}

type Placed = StorageObject | Target;

/** The groups of objects that have to be in one loop. */
function groupsOf(tree: Tree): Placed[][] {
  const seen = new Set<Placed>();
  const groups: Placed[][] = [];
  for (const first of [...tree.targets(), ...tree.allStorageObjects()]) {
    const group: Placed[] = [];
    const found: Placed[] = [first];
    for (let one = found.pop(); one; one = found.pop()) {
      if (seen.has(one)) continue;
      seen.add(one);
      group.push(one);
      found.push(...(one instanceof StorageObject ? targetsOf(one) : storageObjectsOf(one)));
    }
    if (group.length > 0) groups.push(group);
  }
  return groups;
}

const targetsOf = ({ exports }: StorageObject): Target[] => Array.from(exports as Set<Lun>, ({ tpg }) => tpg.target);

const storageObjectsOf = ({ tpgs }: Target): StorageObject[] =>
  [...tpgs.values()].flatMap(({ luns }) => Array.from(luns.values(), ({ storageObject }) => storageObject));

/** A target whose clients cannot come back counts more than all that can be tied to it. */
const weightOf = (one: Placed): number => (one instanceof StorageObject || !one.fabric.clientsStay ? 1 : 2 ** 32);

/** The loop in which most of them are; undefined when all are new. */
function mostOf(group: readonly Placed[], before: ReadonlyMap<string, number>): number | undefined {
  const counts = new Map<number, number>();
  for (const one of group) {
    const loop = before.get(one.path);
    if (loop !== undefined) counts.set(loop, (counts.get(loop) ?? 0) + weightOf(one));
  }
  return [...counts].sort(([a, many], [b, more]) => more - many || a - b)[0]?.[0];
}
