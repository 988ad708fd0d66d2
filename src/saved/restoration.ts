/**
 * Restores a saved file part by part: a part that cannot be restored takes no other with it, whatever is wrong with it. It is reported in
 * rtslib's words and kept for the next save.
 */

import { OperatorError } from '../errors.ts';
import { Door } from '../operations/door.ts';
import { faultOf, fill } from '../operations/fill.ts';
import { objectOperations } from '../operations/object-operations.ts';
import type { ParameterValues, Surroundings } from '../operations/operation.ts';
import { type Place, placeOf } from '../operations/place.ts';
import { isRaw, type Raw, rawOf } from '../operations/raw.ts';
import type { ObjectKind, SavedObject } from '../operations/schema.ts';
import type { KeptList, Tree } from '../operations/tree.ts';

const door = new Door(objectOperations);

/** The rest of the work on a part once its object is in the tree; `kept`: nothing is wrong with the part, and it is not for us. */
type Rest = (() => Promise<void>) | 'kept';

export class Restoration {
  readonly tree: Tree;
  /** Lines about the parts that could not be restored. */
  readonly errors: string[] = [];
  readonly #notForUs = new WeakSet<Raw>();
  readonly #around: Surroundings;
  /** The last place at which an object was made. */
  #last: { readonly path: string; readonly place: Place } | undefined;

  constructor(tree: Tree, around: Surroundings) {
    this.tree = tree;
    this.#around = around;
  }

  /** Whether a part is kept although nothing is wrong with it. Parts that depend on it are kept in the same way. */
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
    const resting = this.#around.rest?.();
    if (resting !== undefined) await resting;
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

  /** A function that keeps parts of `owner` which could not be restored. */
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
      // The values of the file are taken as they are, even where an operator could not set them now.
      const around = { ...this.#around, restoring: true };
      // Many objects stand side by side, as the LUNs of a TPG.
      if (this.#last?.path !== path) this.#last = { path, place: placeOf(this.tree, path) };
      const operation = { path, verb: 'create', params };
      return (await door.carryOutAt(this.#last.place, this.tree, operation, around)).params;
    } catch (error) {
      throw new OperatorError(line(faultOf(error)));
    }
  }

  /** Gives an object the rest of what the file says of it. */
  fill(kind: ObjectKind, object: SavedObject, saved: Raw): void {
    this.errors.push(...fill(kind, object, saved, this.#around.restoring));
  }

  error(line: string): void {
    this.errors.push(line);
  }

  missingSerial(of: string): Promise<string> {
    return this.#around.missingSerial(of);
  }
}
