/** Makes operations of an imported configuration. */

import { printAccessList } from '../operations/access-operations.ts';
import { labelsOf, printLabels, setAttribute } from '../operations/labels.ts';
import type { Operation } from '../operations/operation.ts';
import type { Tree } from '../operations/tree.ts';
import { identityOf } from '../system/stat.ts';
import { portalWords } from '../tgt/portal-requests.ts';
import { makeUnit, UnitsThere } from '../tgt/unit-making.ts';
import type { Imported, ImportedTarget, ImportedUnit, LeftOut } from './imported.ts';

const fabric = '/iscsi';

export interface Plan {
  readonly operations: readonly Operation[];
  readonly left: readonly LeftOut[];
}

/** The operations of a configuration. Objects that are in the tree already stay as they are. */
export function planOf(tree: Tree, imported: Imported): Plan {
  const plan = new Planning(tree);
  plan.all(imported);
  const left = [...imported.left, ...plan.left].sort((a, b) =>
    a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1,
  );
  const known = new Set<string>();
  const isFirst = ({ line, what, file }: LeftOut) => {
    const before = known.size;
    return known.add(JSON.stringify([file, line, what])).size > before;
  };
  return { operations: plan.operations, left: left.filter(isFirst) };
}

class Planning {
  readonly operations: Operation[] = [];
  readonly left: LeftOut[] = [];
  readonly #tree: Tree;
  readonly #there: UnitsThere;
  /** The accounts that the operations so far have made, or found. */
  readonly #accounts: Map<string, string>;
  /** Storage objects by their file or device, as they are made. */
  readonly #units = new Map<string, string>();

  /** The numbers of tgt that targets in the tree have. */
  readonly #numbers: ReadonlySet<number>;

  constructor(tree: Tree) {
    this.#tree = tree;
    this.#there = new UnitsThere(tree);
    this.#numbers = new Set(Array.from(tree.tpgs(), (tpg) => Number(labelsOf(tpg).get('tid') ?? 0)));
    this.#accounts = new Map(tree.fabric('iscsi').accounts);
  }

  all({ targets, discovery }: Imported): void {
    for (const target of targets) this.#target(target);
    const { accounts, outgoing } = discovery;
    const at = { file: '', line: 0 };
    const set = (name: string, value: string) =>
      this.operations.push({ path: fabric, verb: 'set', params: { group: 'discovery_auth', name, value } });
    for (const account of accounts) this.#account(account, at);
    if (accounts.length > 0) {
      set('accounts', accounts.map(({ userid }) => userid).join());
      set('enable', '1');
    }
    if (outgoing) {
      set('mutual_userid', outgoing.userid);
      set('mutual_password', outgoing.password);
    }
  }

  #target(target: ImportedTarget): void {
    const { wwn, tid, accounts, outgoing, parameters, accessList, portals, enabled } = target;
    if (this.#tree.fabric('iscsi').targets.has(wwn)) {
      this.left.push({ ...target, what: `target ${wwn} is there already` });
      return;
    }
    const path = `${fabric}/${wwn}/tpg1`;
    const auth = (name: string, value: string): Operation => ({
      path,
      verb: 'set',
      params: { group: 'auth', name, value },
    });
    const known = accounts.filter((account) => this.#account(account, target));
    const lowest = new Map<string | undefined, number>();
    for (const { lun, store } of target.units) lowest.set(store.path, Math.min(lun, lowest.get(store.path) ?? lun));
    const units = target.units.flatMap((unit) => this.#unit(unit, target, lowest));
    this.operations.push(
      { path: fabric, verb: 'create', params: { wwn } },
      { path: `${fabric}/${wwn}`, verb: 'create', params: { tag: 1 } },
      // An account that exists with another secret was still meant to protect the target: then nobody may come, rather than everybody.
      setAttribute(path, 'authentication', accounts.length > 0 ? 1 : 0),
      setAttribute(path, 'generate_node_acls', 1),
      setAttribute(path, 'demo_mode_write_protect', 0),
      // Another target keeps its number; the disks of this one have the identity of the number all the same.
      ...(tid === undefined || this.#numbers.has(tid)
        ? []
        : [setAttribute(path, 'labels', printLabels([['tid', String(tid)]]))]),
      ...Object.entries(parameters).map(([name, value]) => ({
        path,
        verb: 'set',
        params: { group: 'parameter', name, value },
      })),
      ...(known.length > 0 ? [auth('accounts', known.map(({ userid }) => userid).join())] : []),
      ...(outgoing ? [auth('mutual_userid', outgoing.userid), auth('mutual_password', outgoing.password)] : []),
      ...(accessList ? [{ path, verb: 'restrict', params: printAccessList(accessList) }] : []),
      ...units.map(({ lun, path: storage_object }) => ({
        path: `${path}/luns`,
        verb: 'create',
        params: { storage_object, lun },
      })),
      ...portals.map((portal) => ({ path: `${path}/portals`, verb: 'create', params: portalWords(portal) })),
      ...(enabled ? [{ path, verb: 'enable', params: {} }] : []),
    );
  }

  /** Makes an account. @returns whether it can be used */
  #account({ userid, password }: { userid: string; password: string }, at: { file: string; line: number }): boolean {
    const there = this.#accounts.get(userid);
    if (there === password) return true;
    if (there !== undefined) {
      this.left.push({ ...at, what: `account ${userid} is there already, with another secret` });
      return false;
    }
    this.#accounts.set(userid, password);
    this.operations.push({ path: fabric, verb: 'add_account', params: { userid, password } });
    return true;
  }

  /** @param lowest the lowest LUN of the target by the path of its medium */
  #unit(
    unit: ImportedUnit,
    { tid }: ImportedTarget,
    lowest: ReadonlyMap<string | undefined, number>,
  ): { lun: number; path: string }[] {
    const { lun, store, attributes } = unit;
    const medium = store.found ? identityOf(store.found) : `${unit.file} ${unit.line}`;
    const isTwice = store.found && lun > (lowest.get(store.path) ?? lun);
    if (isTwice) {
      this.left.push({ ...unit, what: `LUN ${lun}: ${store.path} is another LUN of this target already` });
      return [];
    }
    const shared = this.#units.get(medium) ?? this.#there.on(store)[0]?.path;
    if (shared) return [{ lun, path: shared }];
    const made = makeUnit(this.#there, store, tid ?? this.#units.size + 1, lun, tid !== undefined);
    this.operations.push(
      ...made.operations,
      ...Object.entries(attributes).map(([name, value]) => setAttribute(made.path, name, value)),
    );
    this.#units.set(medium, made.path);
    return [{ lun, path: made.path }];
  }
}
