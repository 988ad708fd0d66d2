/** How operations are carried out on a tree: on that of the management side, and on those of loops. */

import { OperatorError } from '../errors.ts';
import { isPrintable, printableLine } from '../printable.ts';
import type { Carried, Operation, OperationType, Steps, Surroundings, Values } from './operation.ts';
import { type PlaceKind, placeOf } from './place.ts';
import type { Tree } from './tree.ts';

/** Carries operations out, of the kinds that it was made of. */
export class Door {
  readonly #types: ReadonlyMap<string, OperationType>;
  readonly #prepared: readonly OperationType[];

  constructor(types: readonly OperationType[]) {
    this.#types = new Map(types.map((type) => [`${type.verb} ${type.at}`, type]));
    this.#prepared = types.filter(({ prepare }) => prepare);
  }

  /** Does what an operation needs of others, and may take its time. @throws OperatorError */
  async prepare(tree: Tree, operation: Operation, around: Surroundings): Promise<Operation> {
    const types = this.#prepared.filter(({ verb }) => verb === operation.verb);
    // What is not there yet may be there when it has its turn.
    const type = types.find(({ at }) => isAt(tree, operation.path, at));
    if (!type?.prepare) return operation;
    const { place } = this.#find(tree, operation, around);
    return { ...operation, params: await type.prepare(place as never, operation.params, around) };
  }

  /** Checks the operation and changes the tree. @throws OperatorError; the tree is then as it was */
  async carryOut(tree: Tree, operation: Operation, around: Surroundings): Promise<Carried> {
    const { type, place } = this.#find(tree, operation, around);
    return type.apply(tree, place as never, operation.params, around);
  }

  /**
   * Carries out one step after the other.
   * @returns what the steps return, and what was done
   * @throws what they throw; the tree is then as it was
   */
  async carryOutSteps<T>(tree: Tree, steps: Steps<T>, around: Surroundings) {
    const done: Carried[] = [];
    const operations: Operation[] = [];
    const take = async (operation: Operation): Promise<IteratorResult<Operation, T>> => {
      let carried: Carried;
      try {
        carried = await this.carryOut(tree, operation, around);
      } catch (error) {
        return steps.throw(error);
      }
      const { params, notes = [] } = carried;
      const asCarried: Operation = { path: operation.path, verb: operation.verb, params };
      done.push(carried);
      operations.push(asCarried);
      return steps.next({ operation: asCarried, notes });
    };
    try {
      let step: IteratorResult<Operation, T> = steps.next();
      while (!step.done) step = await take(step.value);
      return { value: step.value, done, operations };
    } catch (error) {
      await undoAll(done);
      throw error;
    }
  }

  #find(tree: Tree, { path, verb, params }: Operation, { restoring, comingBack }: Surroundings) {
    const place = placeOf(tree, path);
    const type = this.#types.get(`${verb} ${place.kind}`);
    if (!type) throw new OperatorError(`Command not found ${verb}`);
    checkParams(type, params);
    // What is there already stays, whatever it is called: a disk is worth more than a name.
    if (!restoring && !comingBack) refuseUnprintable(type, params);
    return { type, place };
  }
}

/** Takes back what was carried out, the last first. */
export async function undoAll(done: readonly Carried[]): Promise<void> {
  for (const { undo } of done.toReversed()) await undo();
}

function isAt(tree: Tree, path: string, kind: PlaceKind): boolean {
  try {
    return placeOf(tree, path).kind === kind;
  } catch {
    return false;
  }
}

/** @throws OperatorError for parameters that the kind of operation does not have, lacks, or has of another type */
function checkParams(type: OperationType, params: Values): void {
  for (const name of Object.keys(params))
    if (!Object.hasOwn(type.params, name) && !Object.hasOwn(type.params, '*'))
      throw new OperatorError(`Unexpected keyword parameter '${name}'.`);
  for (const [name, wanted] of Object.entries(type.params)) {
    if (name === '*') continue;
    const value = params[name];
    if (value === undefined) {
      if (!wanted.endsWith('?')) throw new OperatorError(`Missing required parameter ${name}`);
      continue;
    }
    const json = wanted.replace('?', '').replace('printable', 'string');
    if (value === null || typeof value !== json) throw new OperatorError(`${name} must be a ${json}`);
  }
}

/** The one rule for names and values that people will see. @throws OperatorError */
function refuseUnprintable(type: OperationType, params: Values): void {
  for (const [name, wanted] of Object.entries(type.params)) {
    const value = params[name];
    if (!wanted.startsWith('printable') || typeof value !== 'string' || isPrintable(value)) continue;
    // A setting is called by its own name, and its value may be a secret.
    const [what, shown] = name === 'value' ? [params['name'], ''] : [name, `: "${printableLine(value)}"`];
    throw new OperatorError(
      `${what} has characters that cannot be seen${shown}`,
      'Control characters, and those that turn or hide text, cannot be in it.',
    );
  }
}
