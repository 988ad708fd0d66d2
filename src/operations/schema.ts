/**
 * The schema of the tree: one record for each kind of object, which says where its objects stand, of which parts they are made, and which
 * settings they have. Saving, restoring ("what was not understood is kept"), comparing, undoing, the meaning of paths, and `info` are
 * computed from it. The keys that an object has by itself are in target/fields.ts.
 */

import type { Backstore } from '../backstore/backstore.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { printFence, readFence, standingFences } from '../target/fences.ts';
import {
  aclFields,
  fabricFields,
  lunFields,
  mappedLunFields,
  portalFields,
  type SavedFields,
  targetFields,
  tpgFields,
} from '../target/fields.ts';
import {
  bracketed,
  type FabricState,
  type Lun,
  type MappedLun,
  type NodeAcl,
  type Portal,
  printPortal,
  type Target,
  type Tpg,
} from '../target/target.ts';
import { attributeGroup, chapGroup, elsewhere, type SavedPart } from './groups.ts';
import { type Raw, textOf } from './raw.ts';
import { accessListPart, accountsPart } from './saved-access.ts';
import { aluaGroupsPart } from './saved-alua.ts';
import type { KeptList, Tree } from './tree.ts';

/** One kind of object. `O` is the type of its objects, `A` the type of those that they stand in. */
interface KindOf<O, A> {
  /** The name of the place that a path to an object of this kind leads to (place.ts); operations name their place by it. */
  readonly name: KindName;
  readonly as: string;
  /** The list of the saved file that the objects stand in: in the saved object above, or in the file itself. */
  readonly list: ListKey;
  /** The word of a path, below the object above, where objects are made and deleted. Absent: at the object above itself. */
  readonly collection?: 'acls' | 'luns' | 'portals';
  readonly fields: SavedFields;
  /** The values of keys that refer to another object or are written in their own way; `create` is given the same. */
  readonly written?: Readonly<Record<string, (object: O) => unknown>>;
  readonly given?: Readonly<Record<string, (object: O) => string | number>>;
  /** Whether a saved value, or one word of a list, can be used. A line: it cannot, for this reason; false: it cannot, and nobody has to be told. */
  readonly takes?: Readonly<Record<string, (object: O, saved: unknown) => string | boolean>>;
  /** Keys that LIO writes, and that have no meaning here. */
  readonly idle?: readonly string[];
  /** The name by which lines about faults call an object. */
  readonly called?: (object: O) => string;
  /** The line about a key that nobody knows. Absent: the key is kept without a word. */
  readonly strange?: (object: O, key: string) => string;
  parts?(object: O): readonly SavedPart[];
  /** Kinds whose objects stand below one of this kind, in the order in which they are restored. */
  readonly below?: readonly ObjectKind[];
  /** The objects of this kind in an object of the kind above, in the order in which they were created. */
  members(above: A): Iterable<O>;
  /** The order of the objects in the file, where that differs from the order of their creation. */
  order?(a: O, b: O): number;
  /** The object that a word of a path names below the object above. */
  named(above: A, word: string): O | undefined;
  /** The path of the node that makes and deletes objects of this kind. */
  at(above: A): string;
  /** The word of a path that names an object at that node. */
  node(object: O): string;
  /** The path of an object, where that is not the word below the node. */
  path?(object: O): string;
}

/** One kind of object, as callers see it who know which objects are of that kind, and what stands above them. */
export interface ObjectKind extends KindOf<SavedObject, object> {}

/** The names of the kinds. */
export type KindName = 'storage object' | 'fabric' | 'target' | 'tpg' | 'lun' | 'portal' | 'acl' | 'mapped lun';
/** The keys of lists of objects. */
type ListKey = KeptList | 'fabric_modules' | 'storage_objects' | 'targets';

const kindOf = <O extends SavedObject, A>(record: KindOf<O, A>): ObjectKind => record as unknown as ObjectKind;

/** An object that a saved file has. */
export interface SavedObject {
  /** Keys that nobody knows or whose values could not be used: they are written back as they were. */
  unknown: Raw;
}

const byIndex = (a: { index: number }, b: { index: number }) => a.index - b.index;

/** `lun7` → the object of number 7. A number has at most five digits. */
function numbered<O>(objects: ReadonlyMap<number, O>, prefix: string, word: string): O | undefined {
  const digits = word.startsWith(prefix) ? word.slice(prefix.length) : '';
  return /^\d{1,5}$/.test(digits) ? objects.get(Number(digits)) : undefined;
}

const mappedLun = kindOf<MappedLun, NodeAcl>({
  name: 'mapped lun',
  as: 'mapped',
  list: 'mapped_luns',
  fields: mappedLunFields,
  written: { tpg_lun: ({ lun }) => lun.index },
  given: { tpg_lun: ({ lun }) => lun.index },
  members: ({ mappedLuns }) => mappedLuns.values(),
  order: byIndex,
  named: ({ mappedLuns }, word) => numbered(mappedLuns, 'mapped_lun', word),
  at: ({ path }) => path,
  node: ({ index }) => `mapped_lun${index}`,
});

const nodeAcl = kindOf<NodeAcl, Tpg>({
  name: 'acl',
  as: 'acl',
  list: 'node_acls',
  collection: 'acls',
  fields: aclFields,
  called: ({ wwn }) => `ACL ${wwn}`,
  parts: ({ wwn, attributes, auth, tpg: { target } }) => [
    attributeGroup('attribute', attributes, { under: 'attributes', ours: 'beside' }),
    chapGroup('auth', auth, target.fabric, 'chap_', `Could not set nodeacl ${wwn} attribute`),
  ],
  below: [mappedLun],
  members: ({ acls }) => acls.values(),
  named: ({ acls }, word) => acls.get(word),
  at: ({ path }) => `${path}/acls`,
  node: ({ wwn }) => wwn,
});

const portal = kindOf<Portal, Tpg>({
  name: 'portal',
  as: 'portal',
  list: 'portals',
  collection: 'portals',
  fields: portalFields,
  written: { ip_address: ({ address }) => bracketed(address) },
  members: ({ portals }) => portals,
  named: ({ portals }, word) => portals.find((one) => printPortal(one) === word),
  at: ({ path }) => `${path}/portals`,
  node: printPortal,
});

const lun = kindOf<Lun, Tpg>({
  name: 'lun',
  as: 'lun',
  list: 'luns',
  collection: 'luns',
  fields: lunFields,
  // rtslib names the plugin here, also for user backstores.
  written: { storage_object: ({ storageObject: { backstore, name } }) => `/backstores/${backstore.plugin}/${name}` },
  given: { storage_object: ({ storageObject }) => storageObject.path },
  takes: {
    alua_tg_pt_gp_name: ({ index, storageObject }, group) =>
      group === null || storageObject.aluaGroups.some(({ name }) => name === group)
        ? true
        : `Could not set alua_tg_pt_gp_name '${textOf(group)}' of LUN ${index}`,
    attach: ({ tpg: { target } }) => target.fabric.isLocal === true,
  },
  parts: ({ attributes }) => [attributeGroup('attribute', attributes, { ours: 'beside' })],
  members: ({ luns }) => luns.values(),
  order: byIndex,
  named: ({ luns }, word) => numbered(luns, 'lun', word),
  at: ({ path }) => `${path}/luns`,
  node: ({ index }) => `lun${index}`,
});

const tpg = kindOf<Tpg, Target>({
  name: 'tpg',
  as: 'tpg',
  list: 'tpgs',
  fields: tpgFields,
  // A fence whose time is over is none.
  written: { fences: ({ fences }) => standingFences(fences, Date.now()).map(printFence) },
  takes: {
    fences({ tag }, word) {
      const fence = textOf(word);
      if (!Number.isNaN(readFence(fence).until)) return true;
      return `'${fence}' in 'fences' of TPG ${tag} is no fence, as iqn.…=2026-11-30T14:30:00Z; it keeps nobody out`;
    },
  },
  called: ({ tag }) => `TPG ${tag}`,
  parts: (one) => [
    attributeGroup('attribute', one.attributes, { under: 'attributes', ours: 'beside' }),
    attributeGroup('parameter', one.parameters, { under: 'parameters', ours: 'beside' }),
    chapGroup('auth', one.auth, one.target.fabric, 'chap_', `Could not set tpg ${one.tag} attribute`),
    accessListPart(one),
  ],
  below: [lun, portal, nodeAcl],
  members: ({ tpgs }) => tpgs.values(),
  order: (a, b) => a.tag - b.tag,
  named: ({ tpgs }, word) => numbered(tpgs, 'tpg', word),
  at: ({ path }) => path,
  node: ({ tag }) => `tpg${tag}`,
  path: ({ path }) => path,
});

const target = kindOf<Target, FabricState>({
  name: 'target',
  as: 'target',
  list: 'targets',
  fields: targetFields,
  called: ({ wwn }) => `target ${wwn}`,
  written: { fabric: ({ fabric }) => fabric.name },
  below: [tpg],
  members: ({ targets }) => targets.values(),
  named: ({ targets }, word) => targets.get(word),
  at: ({ fabric }) => `/${fabric.name}`,
  node: ({ wwn }) => wwn,
});

const fabric = kindOf<FabricState, Tree>({
  name: 'fabric',
  as: 'state',
  list: 'fabric_modules',
  fields: fabricFields,
  called: (state) => `fabric ${state.fabric.name}`,
  written: { name: (state) => state.fabric.name },
  parts: (state) => [
    chapGroup(
      'discovery_auth',
      state.discoveryAuth,
      state.fabric,
      'discovery_',
      `Could not set fabric ${state.fabric.name} attribute`,
    ),
    accountsPart(state),
  ],
  below: [target],
  members: ({ fabrics }) => fabrics.values(),
  named: ({ fabrics }, word) => fabrics.get(word),
  at: () => '',
  node: (state) => state.fabric.name,
});

/** One kind of backstore, with its storage objects by name. */
export interface KindOfBackstore {
  readonly backstore: Backstore;
  readonly named: Map<string, StorageObject>;
}

const labelOf = ({ backstore, name }: StorageObject): string => `Storage Object ${backstore.plugin}/${name}: `;

const storageObject = kindOf<StorageObject, KindOfBackstore>({
  name: 'storage object',
  as: 'storageObject',
  list: 'storage_objects',
  fields: {
    name: { type: 'text', as: 'name', names: 'name' },
    plugin: { type: 'reference', as: 'backstore' },
  },
  written: { plugin: ({ backstore }) => backstore.plugin },
  idle: ['exists', 'buffered_mode'],
  strange: (one, key) => `${labelOf(one)}unknown key '${key}' kept in the file, not used`,
  parts: (one) => [
    configPart(one),
    attributeGroup('attribute', one.attributes, { under: 'attributes', ours: elsewhere }, labelOf(one)),
    aluaGroupsPart(one, labelOf(one)),
  ],
  members: ({ named }) => named.values(),
  named: ({ named }, word) => named.get(word),
  at: ({ backstore }) => `/backstores/${backstore.name}`,
  node: ({ name }) => name,
});

/** The parameters that a storage object was made of, as `create` took them. */
const configPart = ({ backstore, config, wwn }: StorageObject): SavedPart => ({
  keys: ['wwn', ...Object.keys(backstore.keys)],
  // rtslib takes no serial number for a device that has its own.
  saved: () => ({ ...(!backstore.passesThrough && { wwn }), ...config }),
  restore: () => ({}),
});

const topLists: readonly ListKey[] = ['fabric_modules', 'storage_objects', 'targets'];

/** The kinds that have a list in the saved form of an object: all kinds below it, but for those with a list in the file itself. */
export const listsIn = ({ below = [] }: ObjectKind): readonly (ObjectKind & { readonly list: KeptList })[] =>
  below.filter((one): one is ObjectKind & { readonly list: KeptList } => !topLists.includes(one.list));

/** The path of an object. */
export const pathOf = (kind: ObjectKind, above: object, object: SavedObject): string =>
  kind.path?.(object) ?? `${kind.at(above)}/${kind.node(object)}`;

/** All kinds. */
export const schema = { storageObject, fabric, target, tpg, lun, portal, nodeAcl, mappedLun } as const;
