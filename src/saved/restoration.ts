/**
 * What every part of a saved file is restored with: a part that cannot be restored costs itself alone, whatever is wrong with
 * it. It is reported in rtslib's words and kept for the next save.
 */

import { OperatorError } from '../errors.ts';
import { Door } from '../operations/door.ts';
import { faultOf, fillOperations } from '../operations/fill.ts';
import { objectOperations } from '../operations/object-operations.ts';
import type { ParameterValues, Surroundings, Value } from '../operations/operation.ts';
import { isRaw, type Raw, rawOf } from '../operations/raw.ts';
import type { KeptList, Tree } from '../operations/tree.ts';

const door = new Door([...objectOperations, ...fillOperations]);

/** What remains to be restored of a part once its object is in the tree; `kept`: nothing is wrong with it, and it is not for us. */
type Rest = (() => Promise<void>) | 'kept';

export class Restoration {
  readonly tree: Tree;
  /** What could not be restored, a line each. */
  readonly errors: string[] = [];
  readonly #notForUs = new WeakSet<Raw>();
  readonly #around: Surroundings;

  constructor(tree: Tree, around: Surroundings) {
    this.tree = tree;
    this.#around = around;
  }

  /** Whether a part is kept although nothing is wrong with it. What depends on it is kept the same way. */
  isNotForUs(raw: Raw): boolean {
    return this.#notForUs.has(raw);
  }

  /**
   * Restores one part of the file.
   * @param keep takes the part as it stands, when there is no object for it
   * @param make makes the object, or throws
   */
  async part(raw: unknown, keep: (raw: Raw) => void, make: (raw: Raw) => Promise<Rest>): Promise<void> {
    let rest: Rest = 'kept';
    try {
      rest = await make(rawOf(raw));
      if (rest === 'kept') this.#notForUs.add(rawOf(raw));
    } catch (error) {
      this.errors.push(faultOf(error));
    }
    if (rest === 'kept') {
      if (isRaw(raw)) keep(raw);
      return;
    }
    try {
      await rest();
    } catch (error) {
      this.errors.push(faultOf(error));
    }
  }

  /** Keeps parts of an object inside of which they stood. */
  keeping(owner: object, list: KeptList): (raw: Raw) => void {
    const { inside } = this.tree.kept;
    return (raw) => {
      const lists = inside.get(owner) ?? {};
      inside.set(owner, { ...lists, [list]: [...(lists[list] ?? []), raw] });
    };
  }

  /** Makes an object, as the file has it. @throws OperatorError with `line` */
  async create(path: string, params: ParameterValues, line: (reason: string) => string): Promise<ParameterValues> {
    try {
      // What the file has is taken, and not checked against what an operator may do now.
      const around = { ...this.#around, restoring: true };
      return (await door.carryOut(this.tree, { path, verb: 'create', params }, around)).params;
    } catch (error) {
      throw new OperatorError(line(faultOf(error)));
    }
  }

  /** Gives an object what the file says of it. */
  async fill(path: string, as: string, saved: Raw): Promise<void> {
    const operation = { path, verb: 'fill', params: { as, saved: saved as Value } };
    this.errors.push(...((await door.carryOut(this.tree, operation, this.#around)).notes ?? []));
  }

  error(line: string): void {
    this.errors.push(line);
  }

  missingSerial(of: string): Promise<string> {
    return this.#around.missingSerial(of);
  }
}
