/** The objects of a description: the keys of each that mean something to the reader, and the key that tells it from the others of its list. */

import { isRaw, type Raw, textOf } from '../operations/raw.ts';
import { listsIn, type ObjectKind, schema } from '../operations/schema.ts';
import { bracketed } from '../target/target.ts';

/** The lists of a description, and the kinds of objects that stand in them. */
export const topKinds = [schema.storageObject, schema.fabric, schema.target] as const satisfies readonly ObjectKind[];

/** The keys that a description leaves out because they follow from others, by the list that an object stands in. */
const left: Readonly<Record<string, (raw: Raw) => Raw>> = {
  targets: (raw) => ({ fabric: 'iscsi', ...raw, wwn: textOf(raw['wwn']).toLowerCase() }),
  tpgs: (raw) => ({ tag: 1, ...raw }),
  portals: (raw) => ({ port: 3260, ...raw, ip_address: bracketed(textOf(raw['ip_address']).replace(/[[\]]/g, '')) }),
  node_acls: (raw) => ({ ...raw, node_wwn: textOf(raw['node_wwn']).toLowerCase() }),
  mapped_luns: (raw) => ({ tpg_lun: raw['index'], ...raw }),
};

/** An object with the keys that its description leaves out. */
export const understood = (kind: ObjectKind, raw: Raw): Raw => left[kind.list]?.(raw) ?? raw;

/** The objects in a value that may be a list of them. */
export const rawsIn = (value: unknown): Raw[] => (Array.isArray(value) ? value.filter(isRaw) : []);

/** A text that tells an object from the others of its list. */
export const identityOf = (kind: ObjectKind, raw: Raw): string =>
  JSON.stringify([
    ...Object.entries(kind.fields).flatMap(([key, { names }]) => (names === undefined ? [] : [raw[key]])),
    raw['plugin'],
    raw['fabric'],
  ]);

/** Lists whose entries are no objects of the tree, and the key that tells one entry from the others. */
const named = { accounts: 'userid', alua_tpgs: 'name' } as const;

/** The first object that its list has already: the words that lead to it. */
export function repetitionIn(
  value: Raw,
  kinds: readonly ObjectKind[] = topKinds,
  at: readonly (string | number)[] = [],
): readonly (string | number)[] | undefined {
  const repeated = (list: string, identity: (raw: Raw) => string) => {
    const seen = new Set<string>();
    const number = rawsIn(value[list]).findIndex((raw) => seen.size === seen.add(identity(raw)).size);
    return number < 0 ? undefined : [...at, list, number];
  };
  for (const [list, key] of Object.entries(named)) {
    const found = repeated(list, (raw) => textOf(raw[key]));
    if (found) return found;
  }
  for (const kind of kinds) {
    const found = repeated(kind.list, (raw) => identityOf(kind, understood(kind, raw)));
    if (found) return found;
    for (const [number, raw] of rawsIn(value[kind.list]).entries()) {
      const within = repetitionIn(raw, listsIn(kind), [...at, kind.list, number]);
      if (within) return within;
    }
  }
  return undefined;
}
