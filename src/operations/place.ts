/** Finds the object that a tree path names: the schema says what stands below what, and how it is called there. */

import type { Backstore } from '../backstore/backstore.ts';
import { OperatorError } from '../errors.ts';
import type { AluaGroup } from '../scsi/alua-group.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { FabricState, Lun, MappedLun, NodeAcl, Portal, Target, Tpg } from '../target/target.ts';
import { type ObjectKind, schema } from './schema.ts';
import type { Tree } from './tree.ts';

export type Place =
  | { readonly kind: 'root' }
  | { readonly kind: 'backstore'; readonly backstore: Backstore; readonly named: Map<string, StorageObject> }
  | { readonly kind: 'storage object'; readonly storageObject: StorageObject }
  | { readonly kind: 'alua'; readonly storageObject: StorageObject }
  | { readonly kind: 'alua group'; readonly storageObject: StorageObject; readonly group: AluaGroup }
  | { readonly kind: 'fabric'; readonly state: FabricState }
  | { readonly kind: 'target'; readonly state: FabricState; readonly target: Target }
  | { readonly kind: 'tpg'; readonly tpg: Tpg }
  | { readonly kind: 'luns'; readonly tpg: Tpg }
  | { readonly kind: 'lun'; readonly tpg: Tpg; readonly lun: Lun }
  | { readonly kind: 'acls'; readonly tpg: Tpg }
  | { readonly kind: 'acl'; readonly tpg: Tpg; readonly acl: NodeAcl }
  | { readonly kind: 'mapped lun'; readonly acl: NodeAcl; readonly mapped: MappedLun }
  | { readonly kind: 'portals'; readonly tpg: Tpg }
  | { readonly kind: 'portal'; readonly tpg: Tpg; readonly portal: Portal };

/** The kinds of places that a path can name. */
export type PlaceKind = Place['kind'];

/** @throws OperatorError `No such path …` */
export function placeOf(tree: Tree, path: string): Place {
  const place = locate(tree, path.split('/').filter(Boolean));
  if (!place) throw new OperatorError(`No such path ${path}`);
  return place;
}

function locate(tree: Tree, words: string[]): Place | undefined {
  const [first, second = '', third, ...rest] = words;
  if (first === undefined) return { kind: 'root' };
  if (first !== 'backstores') return find(schema.fabric, tree, {}, words);
  const named = tree.storageObjects.get(second);
  const backstore = named && tree.backstore(second);
  if (!named || !backstore) return undefined;
  if (third === undefined) return { kind: 'backstore', backstore, named };
  const [collection, name, ...more] = rest;
  if (collection !== 'alua' || more.length > 0) return find(schema.storageObject, { named }, {}, [third, ...rest]);
  const storageObject = named.get(third);
  if (!storageObject || name === undefined) return storageObject && { kind: 'alua', storageObject };
  const group = storageObject.aluaGroups.find((one) => one.name === name);
  return group && { kind: 'alua group', storageObject, group };
}

/** Finds the place that `words` name below `above`; the first word is the name of an object of `kind`. */
function find(kind: ObjectKind, above: object, around: object, [word = '', ...rest]: string[]): Place | undefined {
  const object = kind.named(above, word);
  return object && inside(kind, object, around, rest);
}

function inside(kind: ObjectKind, object: object, around: object, words: string[]): Place | undefined {
  // The node of a target without TPG nodes is that of its TPG.
  const only = kind === schema.target ? (object as Target).only : undefined;
  if (only) return inside(schema.tpg, only, { target: object }, words);
  const [word, ...rest] = words;
  if (word === undefined) return { kind: kind.name, ...around, [kind.as]: object } as Place;
  const below = kind.below?.find(({ collection }) => collection === undefined || collection === word);
  if (!below) return undefined;
  const mine = { [kind.as]: object };
  if (below.collection === undefined) return find(below, object, mine, words);
  return rest.length === 0 ? ({ kind: below.collection, ...mine } as Place) : find(below, object, mine, rest);
}
