/** The tree as saveconfig.json, by the schema. Everything that was not understood is written back as it stood. */

import { elsewhere } from '../operations/groups.ts';
import type { ParameterValues } from '../operations/operation.ts';
import { others, type Raw } from '../operations/raw.ts';
import { savedForm } from '../operations/saved-form.ts';
import { listsIn, type ObjectKind, type SavedObject, schema } from '../operations/schema.ts';
import type { Kept, Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { apart, withAttributesOf } from './elsewhere.ts';

export interface SavedConfiguration {
  readonly fabric_modules: readonly Raw[];
  readonly storage_objects: readonly Raw[];
  readonly targets: readonly Raw[];
  readonly [unknown: string]: unknown;
}

export function dumpTree(tree: Tree): SavedConfiguration {
  const { kept } = tree;
  const { [elsewhere]: before, ...top } = kept.top;
  const forms = [...tree.storageObjects].flatMap(([kind, named]) =>
    formsOf(schema.storageObject, { backstore: tree.backstore(kind), named }, kept).map(
      (form) => [`/backstores/${kind}/${form['name']}`, form] as const,
    ),
  );
  const { storage_objects, ...others } = apart(forms, before);
  return {
    ...top,
    ...others,
    fabric_modules: [...modulesOf(tree), ...kept.fabricModules],
    storage_objects: [...storage_objects, ...kept.storageObjects],
    targets: [...[...tree.fabrics.values()].flatMap((state) => formsOf(schema.target, state, kept)), ...kept.targets],
  };
}

/** The same as a value that operations and answers have: all of it is JSON. */
export const dumpValue = (tree: Tree): ParameterValues => dumpTree(tree) as Raw as ParameterValues;

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

/** As Python's json writes it, with two blanks, sorted keys and ASCII only: what rtslib writes, byte for byte. */
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

/** The saved forms of objects, and of all that stands in them. */
const formsOf = (kind: ObjectKind, above: object, kept: Kept): Raw[] =>
  inOrder(kind, above).map((object) => ({
    ...savedForm(kind, object),
    ...Object.fromEntries(
      listsIn(kind).map((below) => [
        below.list,
        [...formsOf(below, object, kept), ...(kept.inside.get(object)?.[below.list] ?? [])],
      ]),
    ),
  }));
