/** How operations are carried out on a tree: on that of the management side, and on those of loops. */

import { OperatorError } from '../errors.ts';
import { isPrintable, printableLine } from '../printable.ts';
import { onceFor } from './once-for.ts';
import type { Apply, CarriedOut, Operation, OperationType, ParameterValues, Surroundings } from './operation.ts';
import { type Place, type PlaceKind, placeOf } from './place.ts';
import type { Tree } from './tree.ts';

/** Carries out operations of the kinds in `types`. */
export class Door {
  readonly #types: ReadonlyMap<string, OperationType>;
  readonly #prepared: readonly OperationType[];

  constructor(types: readonly OperationType[]) {
    this.#types = new Map(types.map((type) => [`${type.verb} ${type.at}`, type]));
    this.#prepared = types.filter(({ prepare }) => prepare);
  }

  /**
   * Does the part of an operation that may have to wait for another process. Undefined: the operation needs nobody else.
   * @returns the operation, with what was found out; rejects with an OperatorError
   */
  prepare(tree: Tree, operation: Operation, around: Surroundings): Promise<Operation> | undefined {
    const types = this.#prepared.filter(({ verb }) => verb === operation.verb);
    // A place that is not there yet may be there when the operation has its turn.
    const type = types.find(({ at }) => isAt(tree, operation.path, at));
    if (!type?.prepare) return undefined;
    const { place } = this.#find(tree, operation, around);
    return type.prepare(place, operation.params, around)?.then((params) => ({ ...operation, params }));
  }

  /** Checks the operation and changes the tree. @throws OperatorError; the tree is then as it was */
  async carryOut(tree: Tree, operation: Operation, around: Surroundings): Promise<CarriedOut> {
    return this.carryOutAt(placeOf(tree, operation.path), tree, operation, around);
  }

  /** `carryOut` at the place that the path leads to, for callers that have it. */
  async carryOutAt(place: Place, tree: Tree, operation: Operation, around: Surroundings): Promise<CarriedOut> {
    return this.#typeAt(place, operation, around).apply(tree, place, operation.params, around);
  }

  #find(tree: Tree, operation: Operation, around: Surroundings) {
    const place = placeOf(tree, operation.path);
    return { place, type: this.#typeAt(place, operation, around) };
  }

  #typeAt(place: Place, { verb, params }: Operation, { restoring, comingBack }: Surroundings): OperationType {
    const type = this.#types.get(`${verb} ${place.kind}`);
    if (!type) throw new OperatorError(`Command not found ${verb}`);
    checkParams(type, params);
    // A name that is in the tree already is accepted when it comes back, printable or not: a disk is worth more than a name.
    if (!restoring && !comingBack) refuseUnprintable(type, params);
    return type;
  }
}

/** Carries operations out one after the other, each on the tree that the earlier ones have left, and takes them back together. */
export class Carrying {
  readonly done: CarriedOut[] = [];
  /** The operations as they were carried out. */
  readonly operations: Operation[] = [];
  readonly #carryOut: (operation: Operation) => Promise<CarriedOut>;

  constructor(door: Door, tree: Tree, around: Surroundings) {
    this.#carryOut = (operation) => door.carryOut(tree, operation, around);
  }

  readonly apply: Apply = async ({ path, verb, params: given }) => {
    const carried = await this.#carryOut({ path, verb, params: given });
    const { params, notes = [] } = carried;
    const operation: Operation = { path, verb, params };
    this.done.push(carried);
    this.operations.push(operation);
    return { operation, notes };
  };

  /** Takes all operations back, the last first. */
  async undo(): Promise<void> {
    for (const { undo } of this.done.splice(0).reverse()) await undo();
  }
}

function isAt(tree: Tree, path: string, kind: PlaceKind): boolean {
  try {
    return placeOf(tree, path).kind === kind;
  } catch {
    return false;
  }
}

/**
 * Checks parameters against the record of their kind. @throws OperatorError for parameters that the kind does not have, lacks, or has of
 * another type
 */
function checkParams(type: OperationType, params: ParameterValues): void {
  for (const name of Object.keys(params))
    if (!Object.hasOwn(type.params, name) && !Object.hasOwn(type.params, '*'))
      throw new OperatorError(`Unexpected keyword parameter '${name}'.`);
  for (const { name, json, required } of rulesOf(type)) {
    const value = params[name];
    if (value === undefined) {
      if (required) throw new OperatorError(`Missing required parameter ${name}`);
      continue;
    }
    if (value === null || typeof value !== json) throw new OperatorError(`${name} must be a ${json}`);
  }
}

/** The named parameters of a kind, with the JSON type of each. */
const rulesOf = onceFor(({ params }: OperationType) =>
  Object.entries(params)
    .filter(([name]) => name !== '*')
    .map(([name, wanted]) => ({
      name,
      json: wanted.replace('?', '').replace('printable', 'string'),
      required: !wanted.endsWith('?'),
    })),
);

/** The one rule for names and values that people will see. @throws OperatorError */
function refuseUnprintable(type: OperationType, params: ParameterValues): void {
  for (const [name, wanted] of Object.entries(type.params)) {
    const value = params[name];
    if (!wanted.startsWith('printable') || typeof value !== 'string' || isPrintable(value)) continue;
    // An error names a setting by the setting's own name, and without its value, which may be a secret.
    const [what, shown] = name === 'value' ? [params['name'], ''] : [name, `: "${printableLine(value)}"`];
    throw new OperatorError(
      `${what} has characters that cannot be seen${shown}`,
      'Control characters, and those that turn or hide text, cannot be in it.',
    );
  }
}
