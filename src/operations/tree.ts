/** The whole tree of objects: storage objects and fabrics, and the parts of a saved file that were not understood. */

import type { Backstore } from '../backstore/backstore.ts';
import { backstores } from '../backstore/index.ts';
import { fabrics } from '../fabric/index.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { Auth } from '../target/auth.ts';
import { aclNode, type FabricState, fabricState, type ServingPlace, type Target, type Tpg } from '../target/target.ts';
import type { Raw } from './raw.ts';

function known<T>(all: ReadonlyMap<string, T>, name: string): T {
  const found = all.get(name);
  if (found === undefined) throw new Error(`the tree has no ${name}`);
  return found;
}

export class Tree {
  readonly place: ServingPlace = {};
  /** Kind → name → storage object, in the order of creation. */
  readonly storageObjects: ReadonlyMap<string, Map<string, StorageObject>> = new Map(
    backstores.map((backstore) => [backstore.name, new Map<string, StorageObject>()]),
  );
  readonly fabrics: ReadonlyMap<string, FabricState> = new Map(
    fabrics.map((fabric) => [fabric.name, fabricState(fabric, this.place)]),
  );
  /** The parts of the saved file that could not be restored, as they stood there: they go back there with every save. */
  readonly kept: Kept = emptyKept();
  #lastPortId = 0;
  #portIdsWrapped = false;

  /** A relative target port identifier (SPC-4 6.6.2: 1 to 65535) that no TPG has had in this process. */
  nextPortId(wanted?: number): number {
    if (wanted !== undefined && wanted >= 1 && wanted <= 0xffff && !this.#isPortId(wanted)) {
      this.#lastPortId = Math.max(this.#lastPortId, wanted);
      return wanted;
    }
    do {
      this.#portIdsWrapped ||= this.#lastPortId === 0xffff;
      this.#lastPortId = (this.#lastPortId % 0xffff) + 1;
    } while (this.#isPortId(this.#lastPortId, this.#lastPortId - 1));
    return this.#lastPortId;
  }

  /** Whether a TPG has this identifier. One above the last that was given is free, and no TPG has to be asked. */
  #isPortId(id: number, last = this.#lastPortId): boolean {
    return (id <= last || this.#portIdsWrapped) && Array.from(this.tpgs()).some((tpg) => tpg.relativePortId === id);
  }

  backstore(kind: string): Backstore | undefined {
    return backstores.find((backstore) => backstore.name === kind);
  }

  /** The state of a fabric. @throws Error where there is no such fabric */
  fabric(name: string): FabricState {
    return known(this.fabrics, name);
  }

  /** The storage objects of a kind, by name. @throws Error where there is no such kind */
  storageObjectsOf(kind: string): Map<string, StorageObject> {
    return known(this.storageObjects, kind);
  }

  /** Every target of every fabric. */
  *targets(): Generator<Target> {
    for (const state of this.fabrics.values()) yield* state.targets.values();
  }

  *tpgs(): Generator<Tpg> {
    for (const target of this.targets()) yield* target.tpgs.values();
  }

  /** The places where CHAP words can be set: discovery, TPGs and ACLs, each with the line that shows the words. */
  *auths(): Generator<{ readonly path: string; readonly auth: Auth; readonly shownBy: string }> {
    for (const { fabric, discoveryAuth: auth } of this.fabrics.values())
      yield { path: `/${fabric.name} discovery_auth`, auth, shownBy: `/${fabric.name} get discovery_auth` };
    for (const { path, auth, acls } of this.tpgs()) {
      yield { path, auth, shownBy: `${path} get auth` };
      for (const acl of acls.values()) yield { path: acl.path, auth: acl.auth, shownBy: `${aclNode(acl)} get auth` };
    }
  }

  *allStorageObjects(): Generator<StorageObject> {
    for (const named of this.storageObjects.values()) yield* named.values();
  }

  /** Pairs of storage objects that have the same name for initiators, which would take the two for one disk. */
  *sharedSerials(): Generator<readonly [StorageObject, StorageObject]> {
    const first = new Map<string, StorageObject>();
    for (const storageObject of this.allStorageObjects()) {
      if (storageObject.backstore.passesThrough || storageObject.wwn === '') continue;
      const other = first.get(storageObject.naa);
      if (other) yield [other, storageObject];
      else first.set(storageObject.naa, storageObject);
    }
  }

  /** The storage object that a saved file names by plugin and name. Several kinds may share a plugin; a kind's own name is understood, too. */
  storageObjectOf(plugin: string, name: string): StorageObject | undefined {
    for (const kind of backstores) {
      const found =
        kind.plugin === plugin || kind.name === plugin ? this.storageObjects.get(kind.name)?.get(name) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  /** The storage object at a path: `/backstores/fileio/disk0`. */
  storageObject(path: string): StorageObject | undefined {
    const match = /^\/backstores\/([^/]+)\/([^/]+)\/?$/.exec(path);
    return match ? this.storageObjects.get(match[1] ?? '')?.get(match[2] ?? '') : undefined;
  }
}

/** Parts of a saved file that became no object, by the place where they stood. */
export interface Kept {
  /** Unknown top-level keys. */
  top: Record<string, unknown>;
  fabricModules: Raw[];
  storageObjects: Raw[];
  targets: Raw[];
  /** Lists by the target, TPG or ACL that they stood in. */
  inside: WeakMap<object, Partial<Record<KeptList, Raw[]>>>;
}

/** The lists of saved objects in which something may be kept. */
export type KeptList = 'tpgs' | 'luns' | 'portals' | 'node_acls' | 'mapped_luns';

/** Makes an empty `Kept`. */
export const emptyKept = (): Kept => ({
  top: {},
  fabricModules: [],
  storageObjects: [],
  targets: [],
  inside: new WeakMap(),
});
