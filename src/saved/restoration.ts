/**
 * What every part of a saved file is restored with: a part that cannot be restored costs itself alone, whatever is wrong with
 * it. It is reported in rtslib's words and kept for the next save.
 */

import type { Attributes, AttributeTable } from '../attribute.ts';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import type { OperationType, Surroundings, Values } from '../operations/operation.ts';
import { placeOf } from '../operations/place.ts';
import { storageObjectOperations } from '../operations/storage-object-operations.ts';
import { targetOperations } from '../operations/target-operations.ts';
import { tpgOperations } from '../operations/tpg-operations.ts';
import type { KeptList, Raw, Tree } from '../operations/tree.ts';
import { type Auth, authKeys, setAuth } from '../target/auth.ts';
import { isRaw, rawOf, textOf } from './saved-shape.ts';

const steps: readonly OperationType[] = [...storageObjectOperations, ...targetOperations, ...tpgOperations];

/** What remains to be restored of a part once its object is in the tree; `kept`: nothing is wrong with it, and it is not for us. */
type Rest = (() => void | Promise<void>) | 'kept';

/** Attributes and keys of newer kernels and tools that mean nothing outside of a kernel. */
const inert: readonly string[] = ['submit_type', 'complete_type', 'exclusive'];

export class Restoration {
  readonly tree: Tree;
  /** What could not be restored, a line each. */
  readonly #notForUs = new WeakSet<Raw>();
  readonly errors: string[] = [];
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
  async part(raw: unknown, keep: (raw: Raw) => void, make: (raw: Raw) => Rest | Promise<Rest>): Promise<void> {
    let rest: Rest = 'kept';
    try {
      rest = await make(rawOf(raw));
      if (rest === 'kept') this.#notForUs.add(rawOf(raw));
    } catch (error) {
      this.errors.push(wrong(error));
    }
    if (rest !== 'kept') await this.try(rest);
    else if (isRaw(raw)) keep(raw);
  }

  /** Keeps parts of an object inside of which they stood. */
  keeping(owner: object, list: KeptList): (raw: Raw) => void {
    const { inside } = this.tree.kept;
    return (raw) => {
      const lists = inside.get(owner) ?? {};
      inside.set(owner, { ...lists, [list]: [...(lists[list] ?? []), raw] });
    };
  }

  /** Says what failed. @returns whether it went well */
  async try(step: () => unknown, line = (reason: string) => reason): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      this.errors.push(line(wrong(error)));
      return false;
    }
  }

  /** Carries out an operation. @throws OperatorError with `line` */
  async do(path: string, verb: string, params: Values, line: (reason: string) => string): Promise<Values> {
    try {
      const place = placeOf(this.tree, path);
      const type = steps.find((known) => known.at === place.kind && known.verb === verb)!;
      // What the file has is taken, and not checked against what an operator may do now.
      return (await type.apply(this.tree, place as never, params, { ...this.#around, restoring: true })).params;
    } catch (error) {
      throw new OperatorError(line(wrong(error)));
    }
  }

  /** A list of parts; what is none is said. */
  list(raw: Raw, key: string, where: string): readonly unknown[] {
    const value = raw[key] ?? [];
    if (Array.isArray(value)) return value;
    this.errors.push(`'${key}' of ${where} is no list`);
    return [];
  }

  /** @returns `{ [key]: … }` with the attributes that we do not have, empty when there are none */
  async attributes(
    attributes: Attributes<AttributeTable>,
    saved: unknown,
    noun: 'attribute' | 'parameter',
    label = '',
  ): Promise<Raw> {
    const strange: [string, unknown][] = [];
    if (!isRaw(saved) && saved !== undefined && saved !== null) this.errors.push(`${label}'${noun}s' is no object`);
    for (const [name, value] of Object.entries(rawOf(saved))) {
      const known = attributes.of(name);
      if (!known) {
        this.strange(name, `${label}Cannot find ${noun}: ${name}`);
        strange.push([name, value]);
      } else if (!known.readOnly) {
        const isSet = await this.try(
          () => attributes.set(name, attributes.check(name, textOf(value), noun)),
          (reason) => `${label}${reason}`,
        );
        if (!isSet) attributes.refuse(name, typeof value === 'number' ? value : textOf(value));
      }
    }
    return strange.length > 0 ? { [`${noun}s`]: Object.fromEntries(strange) } : {};
  }

  /** A name that nobody knows here stays in the file. Whoever restores the file is told so; a start is not held to say it again. */
  strange(name: string, line: string): void {
    if (!this.#around.restoring && !inert.includes(name)) this.errors.push(line);
  }

  missingSerial(of: string): Promise<string> {
    return this.#around.missingSerial(of);
  }

  auth(auth: Auth, raw: Raw, prefix: string, line: string): void {
    for (const key of authKeys) {
      const value = raw[prefix + key];
      if (value === undefined || value === null || value === '') continue;
      try {
        setAuth(auth, key, textOf(value));
      } catch {
        this.errors.push(`${line} '${prefix}${key}'`);
      }
    }
  }
}

/** A bug of ours says that it is one. */
function wrong(error: unknown): string {
  if (error instanceof OperatorError || systemErrorCode(error) !== undefined) return reasonOf(error);
  return `internal error: ${error instanceof Error ? error.name : typeof error}: ${reasonOf(error)}`;
}
