/**
 * Makes the tree of a saveconfig.json by the schema: each object is created and then given the rest of what the file says of it, and so
 * are the objects inside of it. Every part that cannot be restored is reported in rtslib's words; the others are restored all the same,
 * and a part that was left out is kept for the next save.
 */

import { listIn } from '../operations/groups.ts';
import type { Surroundings } from '../operations/operation.ts';
import { type Raw, rawOf } from '../operations/raw.ts';
import { namedBy } from '../operations/saved-form.ts';
import { listsIn, type ObjectKind, type SavedObject, schema } from '../operations/schema.ts';
import type { Tree } from '../operations/tree.ts';
import { printableLine } from '../printable.ts';
import { checkElsewhere, together, unclaimed } from './elsewhere.ts';
import { readers } from './reading.ts';
import { Restoration } from './restoration.ts';
import { isPartial, type RestoreFilter } from './restore-filter.ts';
import { checkShape } from './saved-shape.ts';

/**
 * Restores a saved configuration. @throws OperatorError when `saved` is none at all. @returns lines about the parts that could not be
 * restored
 */
export async function restoreTree(
  tree: Tree,
  saved: unknown,
  around: Surroundings,
  filter: RestoreFilter = {},
): Promise<string[]> {
  const { storage_objects: objects, fabric_modules: modules, targets, top, tooDeep } = checkShape(saved);
  const { kept } = tree;
  const partial = isPartial(filter);
  const restoration = new Restoration(tree, around);
  restoration.errors.push(...tooDeep);
  checkElsewhere(top, restoration);
  const keepObject = (raw: Raw) => void kept.storageObjects.push(raw);
  for (const [number, part] of objects.entries()) {
    if (partial && (filter.storageObject === undefined || rawOf(part)['name'] !== filter.storageObject)) continue;
    await restoration.part(part, keepObject, (raw) => restoreTop(restoration, schema.storageObject, raw, number, top));
    if (partial) break;
  }
  if (!partial) {
    const keepModule = (raw: Raw) => void kept.fabricModules.push(raw);
    for (const [number, part] of modules.entries())
      await restoration.part(part, keepModule, (raw) => restoreTop(restoration, schema.fabric, raw, number));
    kept.top = { ...kept.top, ...unclaimed(top, (path) => tree.storageObject(path) !== undefined) };
  }
  const keepTarget = (raw: Raw) => void kept.targets.push(raw);
  for (const [number, part] of targets.entries())
    if (!partial || (filter.target !== undefined && rawOf(part)['wwn'] === filter.target))
      await restoration.part(part, keepTarget, (raw) => restoreTop(restoration, schema.target, raw, number));
  return restoration.errors.map(printableLine);
}

/** Restores an object of a list of the file itself. */
async function restoreTop(restoration: Restoration, kind: ObjectKind, raw: Raw, number: number, top: Raw = {}) {
  const above = readers[kind.name].above?.(restoration, raw, number) ?? 'kept';
  if (above === 'kept') return above;
  return restoreObject(restoration, kind, together(raw, `${kind.at(above)}/${raw['name']}`, top), above);
}

async function restoreObject(restoration: Restoration, kind: ObjectKind, raw: Raw, above: object) {
  const found = readers[kind.name].standing?.(above, raw) ?? (await created(restoration, kind, raw, above));
  if (found === 'kept') return found;
  const object: SavedObject = found;
  return async () => {
    restoration.fill(kind, object, raw);
    for (const below of listsIn(kind)) await restoreList(restoration, kind, below, raw, object);
  };
}

async function created(
  restoration: Restoration,
  kind: ObjectKind,
  raw: Raw,
  above: object,
): Promise<SavedObject | 'kept'> {
  const reader = readers[kind.name];
  const params = await reader.create(restoration, raw, above as never);
  if (params === 'kept') return params;
  const failed = (reason: string) => reader.failed(raw, above as never, reason);
  const made = await restoration.create(kind.at(above), params, failed);
  return kind.named(above, kind.node(namedBy(kind, made)))!;
}

async function restoreList(
  restoration: Restoration,
  kind: ObjectKind,
  below: ReturnType<typeof listsIn>[number],
  raw: Raw,
  object: SavedObject,
): Promise<void> {
  const where = kind.called?.(object) ?? kind.name;
  const keep = restoration.keeping(object, below.list);
  for (const part of listIn(raw, below.list, where, restoration))
    await restoration.part(part, keep, (one) => restoreObject(restoration, below, one, object));
}
