/**
 * An object is made again under another name, or in another place, with all that stands in it: by the operations that make
 * and fill objects of its kinds. So every setting goes along, secrets too, and whatever a saved file held besides.
 */

import type { Target } from '../target/target.ts';
import { Carrying, Door } from './door.ts';
import { fillOperations } from './fill.ts';
import { objectOperations } from './object-operations.ts';
import type { CarriedOut, Operation, ParameterValues, Surroundings, Value } from './operation.ts';
import { creationOf, namedBy, savedForm } from './saved-form.ts';
import { listsIn, type ObjectKind, pathOf, type SavedObject, schema } from './schema.ts';
import type { Tree } from './tree.ts';

const door = new Door([...objectOperations, ...fillOperations]);

/** An object, and what stands above it. */
export interface FoundObject {
  readonly kind: ObjectKind;
  readonly above: object;
  readonly object: SavedObject;
}

/** Where an object is to be made: at the node `at`, with these parameters of `create` instead of its own. */
interface Wanted {
  readonly at: string;
  readonly params: ParameterValues;
}

/** The path that the object gets there. */
export const pathThere = ({ kind, object }: FoundObject, { at, params }: Wanted): string =>
  `${at}/${kind.node(namedBy(kind, { ...creationOf(kind, object), ...params }))}`;

/** The operations that make an object again there, with all that stands in it. */
export function makingAgain(what: FoundObject, wanted: Wanted): Operation[] {
  const { kind, above, object } = what;
  const [from, to] = [pathOf(kind, above, object), pathThere(what, wanted)];
  const moved = (path: string) => to + path.slice(from.length);
  return [...making(what, moved, { ...wanted, params: { ...creating(what), ...wanted.params } })];
}

function* making(
  { kind, above, object }: FoundObject,
  moved: (path: string) => string,
  there?: Wanted,
): Generator<Operation> {
  const { at, params } = there ?? { at: moved(kind.at(above)), params: creating({ kind, above, object }) };
  if (!cameAlong(kind, above)) yield { path: at, verb: 'create', params };
  const saved = savedForm(kind, object) as Record<string, Value>;
  yield { path: moved(pathOf(kind, above, object)), verb: 'fill', params: { as: kind.as, saved } };
  for (const below of listsIn(kind))
    for (const one of below.members(object)) yield* making({ kind: below, above: object, object: one }, moved);
}

/** The one TPG of a target without TPG nodes comes with the target, which is given what chance made of the TPG. */
const cameAlong = (kind: ObjectKind, above: object): boolean =>
  kind === schema.tpg && (above as Target).only !== undefined;

function creating({ kind, object }: FoundObject): ParameterValues {
  const only = kind === schema.target ? (object as unknown as Target).only : undefined;
  const settled = only && creationOf(schema.tpg, only)['settled'];
  return { ...creationOf(kind, object), ...(settled !== undefined && { settled }) };
}

/** Operations that were carried out as one: what the operation that they are parts of returns of them. */
export type Together = Omit<CarriedOut, 'params'> & { readonly operations: readonly Operation[] };

/** Carries operations out as parts of one, all or none of them. @throws OperatorError; the tree is then as it was */
export async function together(tree: Tree, around: Surroundings, operations: readonly Operation[]): Promise<Together> {
  // Values that an object has already are taken as they are.
  const carrying = new Carrying(door, tree, { ...around, restoring: true });
  const notes: string[] = [];
  try {
    for (const operation of operations) notes.push(...(await carrying.apply(operation)).notes);
  } catch (error) {
    await carrying.undo();
    throw error;
  }
  return { operations: carrying.operations, notes, undo: () => carrying.undo() };
}

/** Values that chance made, of each object that is created. A repetition takes them as they are. */
interface Made {
  readonly made: readonly (Value | undefined)[];
}

/** A copy of the object: values that chance made of the one are not those of the other. @param settled of the time before, if there was one */
export async function copied(
  tree: Tree,
  around: Surroundings,
  operations: readonly Operation[],
  settled: unknown,
): Promise<Together & { readonly settled: { readonly made: Value[] } }> {
  const made = (settled as Made | undefined)?.made;
  let number = -1;
  const fresh = operations.map(({ path, verb, params: { settled: _, saved, ...params } }): Operation => {
    if (verb !== 'create') return { path, verb, params: { ...params, saved: detached(saved as Saved) } };
    number += 1;
    const known = made?.[number] ?? undefined;
    return { path, verb, params: { ...params, ...(known && { settled: known }) } };
  });
  const carried = await together(tree, around, fresh);
  const created = carried.operations.filter(({ verb }) => verb === 'create');
  return { ...carried, settled: { made: created.map(({ params }) => params['settled'] ?? null) } };
}

type Saved = Readonly<Record<string, Value>>;

/** A LUN is a block device of this machine once: its copy is not attached. */
const detached = ({ attach: _, ...saved }: Saved): Saved => saved;

/** Parts of a saved object that could not be restored go along with the object. */
export function takeKept({ kept: { inside } }: Tree, kind: ObjectKind, from: object, to: object): void {
  const lists = inside.get(from);
  if (lists) inside.set(to, lists);
  for (const below of listsIn(kind))
    for (const one of below.members(from)) {
      const next = below.named(to, below.node(one));
      if (next) takeKept({ kept: { inside } } as Tree, below, one, next);
    }
}
