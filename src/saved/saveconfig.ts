/** The tree as saveconfig.json, by the schema. All that was not understood is written back as it stood. */

import type { SavedExtent } from '../attribute.ts';
import { elsewhere } from '../operations/groups.ts';
import type { ParameterValues } from '../operations/operation.ts';
import { type Place, placeOf } from '../operations/place.ts';
import { others, type Raw } from '../operations/raw.ts';
import { aluaGroupsKey } from '../operations/saved-alua.ts';
import { savedForm } from '../operations/saved-form.ts';
import { listsIn, type ObjectKind, type SavedObject, schema } from '../operations/schema.ts';
import type { Kept, Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { atOnce, type Sliced } from '../system/slices.ts';
import { apart, withAttributesOf } from './elsewhere.ts';

export interface SavedConfiguration {
  readonly fabric_modules: readonly Raw[];
  readonly storage_objects: readonly Raw[];
  readonly targets: readonly Raw[];
  readonly [unknown: string]: unknown;
}

/** The tree as the file has it. */
export const dumpTree = (tree: Tree): SavedConfiguration => atOnce(dumpSliced(tree));

/** The tree as the file may have it: restored, it is the same tree, and values that every new object has are left out. */
export const dumpBriefly = (tree: Tree): SavedConfiguration => atOnce(dumpSliced(tree, 'changes'));

/** `dumpTree` in slices, of a tree that stays as it is meanwhile. */
export function* dumpSliced(tree: Tree, extent: SavedExtent = 'all'): Sliced<SavedConfiguration> {
  const { kept } = tree;
  const { [elsewhere]: before, ...top } = kept.top;
  const forms: (readonly [string, Raw])[] = [];
  for (const [kind, named] of tree.storageObjects)
    for (const form of yield* formsOf(schema.storageObject, { backstore: tree.backstore(kind), named }, kept, extent))
      forms.push([`/backstores/${kind}/${form['name']}`, form]);
  const { storage_objects, ...others } = apart(forms, before);
  yield;
  const targets: Raw[] = [];
  for (const state of tree.fabrics.values()) targets.push(...(yield* formsOf(schema.target, state, kept, extent)));
  return {
    ...top,
    ...others,
    fabric_modules: [...modulesOf(tree), ...kept.fabricModules],
    storage_objects: [...storage_objects, ...kept.storageObjects],
    targets: [...targets, ...kept.targets],
  };
}

/**
 * The saved form of the place at a path, as `dumpTree` has it: an object with all that stands in it, or the list of those that a node
 * holds, under the key that such a list has in the file. For a target of a fabric without TPG nodes it is that of its TPG.
 * @throws OperatorError `No such path …`
 */
function configurationAt(tree: Tree, path: string): Raw {
  const place = placeOf(tree, path);
  const listed = (kind: ObjectKind, above: object): Raw => ({ [kind.list]: atOnce(formsOf(kind, above, tree.kept)) });
  if (place.kind === 'root') return dumpTree(tree);
  if (place.kind === 'backstore') return listed(schema.storageObject, place);
  if (place.kind === 'alua') return { [aluaGroupsKey]: place.storageObject.aluaGroups };
  if (place.kind === 'alua group') return place.group;
  const collected = Object.values(schema).find(({ collection }) => collection === place.kind);
  if (collected) return listed(collected, (place as Extract<Place, { kind: 'luns' }>).tpg);
  const kind = Object.values(schema).find(({ name }) => name === place.kind)!;
  const form = atOnce(formOf(kind, (place as unknown as Readonly<Record<string, SavedObject>>)[kind.as]!, tree.kept));
  return place.kind === 'fabric' ? { ...form, ...listed(schema.target, place.state) } : form;
}

/**
 * The saved form of a path, or of everything, as a value that operations and answers have: all of it is JSON. @throws OperatorError `No
 * such path …`
 */
export const dumpValue = (tree: Tree, path = '/'): ParameterValues => configurationAt(tree, path) as ParameterValues;

/** `saved` with one storage object, and the first target that exports it, as they are now; everything else in it stays. */
export function mergeObject(saved: SavedConfiguration, tree: Tree, object: StorageObject): SavedConfiguration {
  const now = dumpTree(tree);
  const { backstore, name } = object;
  const { [elsewhere]: _, ...rest } = saved;
  const isIt = (raw: Raw) => raw['plugin'] === backstore.plugin && raw['name'] === name;
  const path = `/backstores/${backstore.plugin}/${name}`;
  const listOf = (value: unknown): readonly Raw[] => (Array.isArray(value) ? value : []);
  const exportsIt = ({ tpgs }: Raw) =>
    listOf(tpgs).some(({ luns }) => listOf(luns).some((lun) => lun['storage_object'] === path));
  const target = now.targets.find(exportsIt);
  const isTarget = ({ fabric, wwn }: Raw) => target && fabric === target['fabric'] && wwn === target['wwn'];
  return {
    ...rest,
    ...withAttributesOf(object.path, now, saved),
    fabric_modules: listOf(saved.fabric_modules),
    storage_objects: [
      ...listOf(saved.storage_objects).filter((raw) => !isIt(raw)),
      ...now.storage_objects.filter(isIt),
    ],
    targets: [...listOf(saved.targets).filter((raw) => !isTarget(raw)), ...(target ? [target] : [])],
  };
}

/** Formats a configuration as rtslib does, byte for byte, by Python's json: two blanks, sorted keys, and ASCII only. */
export function formatSaved(configuration: unknown): string {
  const text = JSON.stringify(sortKeys(configuration), null, 2);
  return `${text.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}

/** Discovery credentials are written also while they are switched off (rtslib loses them). */
function modulesOf(tree: Tree): Raw[] {
  const states = [...tree.fabrics.values()].map((state) => ({ state, form: savedForm(schema.fabric, state) }));
  const says = (form: Raw) => Object.keys(others(form, ['name', 'discovery_enable_auth'])).length > 0;
  const isSaved = ({ state, form }: (typeof states)[number]) => state.discoveryAuthEnabled || says(form);
  return states.filter(isSaved).map(({ form }) => form);
}

function inOrder(kind: ObjectKind, above: object): readonly SavedObject[] {
  const members: SavedObject[] = [...kind.members(above)];
  return kind.order ? members.sort(kind.order) : members;
}

/** The saved form of an object, and of all that stands in it. */
function* formOf(kind: ObjectKind, object: SavedObject, kept: Kept, extent: SavedExtent = 'all'): Sliced<Raw> {
  const form: Record<string, unknown> = savedForm(kind, object, extent);
  for (const below of listsIn(kind))
    form[below.list] = [
      ...(yield* formsOf(below, object, kept, extent)),
      ...(kept.inside.get(object)?.[below.list] ?? []),
    ];
  yield;
  return form;
}

function* formsOf(kind: ObjectKind, above: object, kept: Kept, extent: SavedExtent = 'all'): Sliced<Raw[]> {
  const forms: Raw[] = [];
  for (const object of inOrder(kind, above)) forms.push(yield* formOf(kind, object, kept, extent));
  return forms;
}
