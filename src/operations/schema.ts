/**
 * The schema of the tree: one record for each kind of object, which says where its objects stand, what they are made of,
 * and what can be set. Saving, restoring ("what was not understood is kept"), comparing, undoing, what a path names, and
 * `info` are computed from it. What the file has of an object by itself, key by key: target/fields.ts.
 */

import type { Backstore } from '../backstore/backstore.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
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

/** One kind of object. `O` is its object, `A` the one above it. */
interface KindOf<O, A> {
  /** What a path to one of its objects names (place.ts), and the word by which operations there know it. */
  readonly name: KindName;
  readonly as: string;
  /** The list of the saved file that they stand in: in the saved object above, or in the file itself. */
  readonly list: ListKey;
  /** The word of a path, below the one above, where they are made and deleted. Absent: there itself. */
  readonly collection?: 'acls' | 'luns' | 'portals';
  readonly fields: SavedFields;
  /** What stands under a key that is a reference, or is written in another way; and what `create` is given for it. */
  readonly written?: Readonly<Record<string, (object: O) => unknown>>;
  readonly given?: Readonly<Record<string, (object: O) => string | number>>;
  /** Whether a saved value can be taken. A line: it cannot, for this reason; false: it cannot, and nobody has to know. */
  readonly takes?: Readonly<Record<string, (object: O, saved: unknown) => string | boolean>>;
  /** Keys that LIO writes, and that say nothing here. */
  readonly idle?: readonly string[];
  /** What lines about what is wrong with one call it. */
  readonly called?: (object: O) => string;
  /** The line about a key that nobody knows. Absent: it is kept without a word. */
  readonly strange?: (object: O, key: string) => string;
  parts?(object: O): readonly SavedPart[];
  /** Kinds whose objects stand below one of this kind, in the order in which they are restored. */
  readonly below?: readonly ObjectKind[];
  /** Its objects in one of the kind above, in the order in which they came. */
  members(above: A): Iterable<O>;
  /** Their order in the file, where that is another one. */
  order?(a: O, b: O): number;
  /** What a word of a path names below the one above. */
  named(above: A, word: string): O | undefined;
  /** The path of the node that makes and deletes them. */
  at(above: A): string;
  /** The word of a path that names an object there. */
  node(object: O): string;
  /** The path of an object, where that is not the word below the node. */
  path?(object: O): string;
}

/** One kind of object. Whoever calls it knows which objects are of that kind, and what stands above them. */
export interface ObjectKind extends KindOf<SavedObject, object> {}

/** What the kinds are called. */
export type KindName = 'storage object' | 'fabric' | 'target' | 'tpg' | 'lun' | 'portal' | 'acl' | 'mapped lun';
/** The keys of lists of objects. */
type ListKey = KeptList | 'fabric_modules' | 'storage_objects' | 'targets';

const kindOf = <O extends SavedObject, A>(record: KindOf<O, A>): ObjectKind => record as unknown as ObjectKind;

/** An object that a saved file has. */
export interface SavedObject {
  /** Keys that nobody knows, and what could not be used: written back as they were. */
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
  at: ({ tpg, wwn }) => `${tpg.path}/acls/${wwn}`,
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

/** What it was made of: `create` has taken it. */
const configPart = ({ backstore, config, wwn }: StorageObject): SavedPart => ({
  keys: ['wwn', ...Object.keys(backstore.keys)],
  // rtslib takes no serial number for a device that has its own.
  saved: () => ({ ...(!backstore.passesThrough && { wwn }), ...config }),
  restore: () => ({}),
});

const topLists: readonly ListKey[] = ['fabric_modules', 'storage_objects', 'targets'];

/** The kinds that have a list in the saved form of an object: all that stand below it, but for those with one in the file itself. */
export const listsIn = ({ below = [] }: ObjectKind): readonly (ObjectKind & { readonly list: KeptList })[] =>
  below.filter((one): one is ObjectKind & { readonly list: KeptList } => !topLists.includes(one.list));

/** The path of an object. */
export const pathOf = (kind: ObjectKind, above: object, object: SavedObject): string =>
  kind.path?.(object) ?? `${kind.at(above)}/${kind.node(object)}`;

/** All kinds. */
export const schema = { storageObject, fabric, target, tpg, lun, portal, nodeAcl, mappedLun } as const;
