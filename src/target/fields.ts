/**
 * The keys of the saved file for each kind of object below a fabric: a row for each key. Types of objects are made of these rows; saving,
 * restoring, comparing and `info` go by them. Settings with a name of their own stand in tables of attributes, at the end of this file
 * for those that every fabric has.
 */

import type { AttributeTable } from '../attribute.ts';
import { limitAttributes } from '../scsi/limits.ts';

/** The types of keys' values. The function `readField` of operations/saved-form.ts reads them. */
interface FieldTypes {
  readonly number: number;
  readonly text: string;
  /** A name; null: none. */
  readonly name: string | null;
  readonly flag: boolean;
  /** A list of words, not written while it is empty. */
  readonly words: readonly string[];
  /** Another object. The kind (operations/schema.ts) says how it is written. */
  readonly reference: object;
}

/** One key of a saved object. */
export interface SavedField<T extends keyof FieldTypes = keyof FieldTypes> {
  readonly type: T;
  /** The property that has the value. */
  readonly as: string;
  /** The parameter of `create` that gives the value, and of `delete` that names the object by it. */
  readonly names?: string;
  /** The parameter of `create` that gives the value for good: with another value it is another object. */
  readonly given?: string;
  /** The parameter of `create` that gives the first value; the setting of `setBy` changes it. */
  readonly first?: string;
  /** The key of `settled` that gives the value to `create`; without it the value is random. Two trees that differ in it are the same. */
  readonly chance?: string;
  /** The value with which the key is not written. */
  readonly unless?: FieldTypes[T];
  /** Set for a key that LIO does not have; LIO's tools pass over it where it stands. */
  readonly ours?: true;
  /** The value where a file does not have the key, and where its value is unusable. Absent: the value of a new object. */
  readonly absent?: FieldTypes[T];
  readonly unreadable?: FieldTypes[T];
  /** Set for a key that `info` does not show. */
  readonly quiet?: true;
  /** Set for a state that passes: a description of the configuration neither says it nor takes it away. */
  readonly passing?: true;
  /** The setting that changes the value. Absent: it stays, or verbs of its own change it. */
  readonly setBy?: { readonly group: string; readonly name: string };
}

/** Fields by their keys. */
export type SavedFields = Readonly<Record<string, SavedField>>;

type Fixed = { readonly names: string } | { readonly given: string } | { readonly chance: string };

/** The properties of an object that has these fields. Those that it was made with are readonly. */
export type PropertiesOf<F extends SavedFields> = {
  readonly [K in keyof F as F[K] extends Fixed ? F[K]['as'] : never]: FieldTypes[F[K]['type']];
} & {
  -readonly [K in keyof F as F[K] extends Fixed ? never : F[K]['as']]: FieldTypes[F[K]['type']];
};

/** The fields of a fabric. Its CHAP words for discovery are in auth.ts. */
export const fabricFields = {
  name: { type: 'reference', as: 'fabric', names: 'name' },
  // These accounts may ask for targets, besides the account of the CHAP words.
  discovery_accounts: {
    type: 'words',
    as: 'discoveryAccounts',
    ours: true,
    setBy: { group: 'discovery_auth', name: 'accounts' },
  },
  discovery_enable_auth: {
    type: 'flag',
    as: 'discoveryAuthEnabled',
    absent: false,
    unreadable: false,
    setBy: { group: 'discovery_auth', name: 'enable' },
  },
} as const satisfies SavedFields;

/** The fields of a target. */
export const targetFields = {
  fabric: { type: 'reference', as: 'fabric' },
  wwn: { type: 'text', as: 'wwn', names: 'wwn' },
} as const satisfies SavedFields;

/** The fields of a TPG. */
export const tpgFields = {
  tag: { type: 'number', as: 'tag', names: 'tag' },
  // A TPG whose `enable` cannot be read is disabled: a guess might let somebody in.
  enable: { type: 'flag', as: 'enabled', absent: true, unreadable: false },
  relative_port_id: { type: 'number', as: 'relativePortId', chance: 'portId', ours: true, quiet: true },
  // Initiators without an ACL may use these accounts of the fabric, besides the account of the CHAP words.
  chap_accounts: { type: 'words', as: 'accounts', ours: true, setBy: { group: 'auth', name: 'accounts' } },
  // Initiators that are refused until a time: fences.ts.
  fences: { type: 'words', as: 'fences', ours: true, passing: true, setBy: { group: 'access', name: 'fences' } },
  nexus_wwn: { type: 'text', as: 'nexusWwn', chance: 'nexus', unless: '', ours: true, quiet: true },
} as const satisfies SavedFields;

/** The fields of a portal. */
export const portalFields = {
  ip_address: { type: 'text', as: 'address', names: 'ip_address' },
  port: { type: 'number', as: 'port', names: 'ip_port' },
  iser: { type: 'flag', as: 'iser', absent: false, unreadable: false },
  offload: { type: 'flag', as: 'offload', absent: false, unreadable: false },
  // Initiators are told this ADDRESS or ADDRESS:PORT instead of the one that the portal listens on.
  advertised: {
    type: 'text',
    as: 'advertised',
    unless: '',
    ours: true,
    setBy: { group: 'attribute', name: 'advertised' },
  },
  // New logins are refused (`refuse`) or sent to this ADDRESS or ADDRESS:PORT, and who came through it is asked to leave.
  drain: {
    type: 'text',
    as: 'drain',
    unless: '',
    ours: true,
    passing: true,
    setBy: { group: 'attribute', name: 'drain' },
  },
} as const satisfies SavedFields;

/** The fields of a LUN. */
export const lunFields = {
  storage_object: { type: 'reference', as: 'storageObject', given: 'storage_object' },
  index: { type: 'number', as: 'index', names: 'lun' },
  // LIO's alias of a LUN has 10 hexadecimal digits.
  alias: { type: 'text', as: 'alias', chance: 'alias' },
  // The name is that of the target port group, of the storage object, that the LUN is in; none where the kind has none.
  alua_tg_pt_gp_name: { type: 'name', as: 'aluaGroup', setBy: { group: 'alua', name: 'alua_tg_pt_gp_name' } },
  // The LUN shall be a block device of this machine, where the fabric can do that.
  attach: { type: 'flag', as: 'attached', ours: true, unless: false, quiet: true },
} as const satisfies SavedFields;

/** The fields of a node ACL. */
export const aclFields = {
  node_wwn: { type: 'text', as: 'wwn', names: 'wwn', quiet: true },
  // The tag names the group that the ACL belongs to.
  tag: { type: 'text', as: 'tag', unless: '' },
} as const satisfies SavedFields;

/** The fields of a mapped LUN. */
export const mappedLunFields = {
  index: { type: 'number', as: 'index', names: 'mapped_lun' },
  tpg_lun: { type: 'reference', as: 'lun', given: 'tpg_lun' },
  // A value that cannot be read as "no" means "yes", so that a protected LUN stays protected.
  write_protect: {
    type: 'flag',
    as: 'writeProtect',
    first: 'write_protect',
    absent: false,
    unreadable: true,
    setBy: { group: 'attribute', name: 'write_protect' },
  },
  alias: { type: 'text', as: 'alias', chance: 'alias' },
} as const satisfies SavedFields;

/** Attributes of a LUN, whatever its fabric. LIO has none. */
export const lunAttributes = { ...limitAttributes } as const satisfies AttributeTable;
