/** What a tree path names in the engine. */

import type { Backstore } from '../backstore/backstore.ts';
import { OperatorError } from '../errors.ts';
import type { AluaGroup } from '../scsi/alua-group.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';

import type { FabricState, Lun, NodeAcl, Target, Tpg } from '../target/target.ts';
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
  | { readonly kind: 'portals'; readonly tpg: Tpg };

export type PlaceKind = Place['kind'];

/** @throws OperatorError `No such path …` */
export function placeOf(tree: Tree, path: string): Place {
  const place = locate(tree, path.split('/').filter(Boolean));
  if (!place) throw new OperatorError(`No such path ${path}`);
  return place;
}

function locate(tree: Tree, words: string[]): Place | undefined {
  const [first, second, third, ...rest] = words;
  if (first === undefined) return { kind: 'root' };
  if (first === 'backstores') {
    const named = tree.storageObjects.get(second ?? '');
    const backstore = named && tree.backstore(second ?? '');
    if (!named || !backstore) return undefined;
    if (third === undefined) return { kind: 'backstore', backstore, named };
    const storageObject = named.get(third);
    return storageObject && inStorageObject(storageObject, rest);
  }
  const state = tree.fabrics.get(first);
  if (!state || second === undefined) return state && { kind: 'fabric', state };
  const target = state.targets.get(second);
  if (!target) return undefined;
  if (!state.fabric.tpgNodes) {
    const tpg = target.tpgs.get(1);
    return tpg && inTpg(tpg, third === undefined ? [] : [third, ...rest]);
  }
  if (third === undefined) return { kind: 'target', state, target };
  const tag = /^tpg(\d{1,5})$/.exec(third)?.[1];
  const tpg = tag === undefined ? undefined : target.tpgs.get(Number(tag));
  return tpg && inTpg(tpg, rest);
}

function inStorageObject(storageObject: StorageObject, [collection, name, ...more]: string[]): Place | undefined {
  if (collection === undefined) return { kind: 'storage object', storageObject };
  if (collection !== 'alua' || more.length > 0) return undefined;
  if (name === undefined) return { kind: 'alua', storageObject };
  const group = storageObject.aluaGroups.find((one) => one['name'] === name);
  return group && { kind: 'alua group', storageObject, group };
}

function inTpg(tpg: Tpg, words: string[]): Place | undefined {
  const [collection, name, ...more] = words;
  if (collection === undefined) return { kind: 'tpg', tpg };
  if (more.length > 0) return undefined;
  if (collection === 'acls' && name !== undefined) {
    const acl = tpg.acls.get(name);
    return acl && { kind: 'acl', tpg, acl };
  }
  if (collection === 'luns' && name !== undefined) {
    const number = /^lun(\d{1,5})$/.exec(name)?.[1];
    const lun = number === undefined ? undefined : tpg.luns.get(Number(number));
    return lun && { kind: 'lun', tpg, lun };
  }
  if (name !== undefined) return undefined;
  return collection === 'luns' || collection === 'acls' || collection === 'portals'
    ? { kind: collection, tpg }
    : undefined;
}
