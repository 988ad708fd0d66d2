/** A loop's own tree, in a thread that is not the management side's: it follows each change that the loop is told of. */

import { entryOf } from '../attribute.ts';
import { Carrying } from '../operations/door.ts';
import type { Operation } from '../operations/operation.ts';
import { Tree } from '../operations/tree.ts';
import { door, worldly } from '../saved/operations.ts';
import { restoreTree } from '../saved/restore.ts';
import type { SavedConfiguration } from '../saved/saveconfig.ts';

const around = { ...worldly, serving: true, restoring: true };

export class TreeCopy {
  readonly tree = new Tree();
  readonly #restored: Promise<unknown>;
  /** The last change, as it was carried out. */
  #last = new Carrying(door, this.tree, around);

  /**
   * @param configuration the tree as it is when the thread begins
   * @param lost by path, the reasons why the contents of storage objects are gone
   */
  constructor(configuration: SavedConfiguration, lost: Readonly<Record<string, string>>) {
    this.#restored = restoreTree(this.tree, configuration, around).then(() => {
      for (const one of this.tree.allStorageObjects()) one.contentsLost = entryOf(lost, one.path);
    });
  }

  /** Makes a change; `undefined` takes the last one back. */
  async change(operations: readonly Operation[] | undefined): Promise<void> {
    await this.#restored;
    if (!operations) return this.#last.undo();
    const carrying = new Carrying(door, this.tree, around);
    this.#last = carrying;
    try {
      for (const operation of operations) await carrying.apply(operation);
    } catch (error) {
      await carrying.undo();
      throw error;
    }
  }

  /** Resolves when the tree is the one that the thread began with. */
  async restored(): Promise<void> {
    await this.#restored;
  }

  /** Does what may only happen once the last change is durable. */
  async finish(): Promise<void> {
    for (const { finish } of this.#last.done) await finish?.();
  }

  /** Closes what the last change has left over. */
  async release(): Promise<void> {
    await Promise.all(this.#last.done.splice(0).map(({ release }) => release?.()));
  }
}
