/** A loop's own tree, in a thread that is not the management side's: it makes each change that the loop is told of. */

import { entryOf } from '../attribute.ts';
import { undoAll } from '../operations/door.ts';
import type { Carried, Operation, Steps } from '../operations/operation.ts';
import { Tree } from '../operations/tree.ts';
import { door, worldly } from '../saved/operations.ts';
import type { SavedConfiguration } from '../saved/saveconfig.ts';

const around = { ...worldly, serving: true, restoring: true };

export class TreeCopy {
  readonly tree = new Tree();
  readonly #restored: Promise<unknown>;
  /** What the last change did, in order. */
  #last: readonly Carried[] = [];

  /**
   * @param configuration the tree as it is when the thread begins
   * @param lost storage objects whose contents are gone, and why, by path
   */
  constructor(configuration: SavedConfiguration, lost: Readonly<Record<string, string>>) {
    const params = { configuration: configuration as never, clear_existing: true };
    this.#restored = door.carryOut(this.tree, { path: '/', verb: 'restoreconfig', params }, around).then(() => {
      for (const one of this.tree.allStorageObjects()) one.contentsLost = entryOf(lost, one.path);
    });
  }

  /** Makes a change; `undefined` takes the last one back. */
  async change(operations: readonly Operation[] | undefined): Promise<void> {
    await this.#restored;
    const before = this.#last;
    this.#last = [];
    if (!operations) return undoAll(before);
    this.#last = (await door.carryOutSteps(this.tree, inOrder(operations), around)).done;
  }

  /** Resolves when the tree is what the thread began with. */
  async restored(): Promise<void> {
    await this.#restored;
  }

  /** The last change is durable. */
  async finish(): Promise<void> {
    for (const { finish } of this.#last) await finish?.();
  }

  /** Closes what the last change has left over. */
  async release(): Promise<void> {
    const before = this.#last;
    this.#last = [];
    await Promise.all(before.map(({ release }) => release?.()));
  }
}

function* inOrder(operations: readonly Operation[]): Steps<void> {
  for (const operation of operations) yield operation;
}
