/** The operations that lead from one tree to another: first those that delete, then those that create, then those that change. */

import { isDeepStrictEqual } from 'node:util';
import type { Attribute } from '../attribute.ts';
import { accountsSetting, printAccessList } from '../operations/access-operations.ts';
import { isReplaceable } from '../operations/medium-operations.ts';
import type { Operation, ParameterValues } from '../operations/operation.ts';
import { creationOf, idOf, nameOf, printedSettings } from '../operations/saved-form.ts';
import { type ObjectKind, pathOf, type SavedObject, schema } from '../operations/schema.ts';
import { changedAttributes } from '../operations/storage-object-operations.ts';
import { methodWith } from '../operations/tpg-operations.ts';
import type { Tree } from '../operations/tree.ts';
import {
  type AluaGroup,
  alteredImplicitly,
  aluaGroup,
  aluaGroupTable,
  aluaStates,
  defaultAluaGroupName,
  implicitAccess,
} from '../scsi/alua-group.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { atOnce, inSlices, type Sliced } from '../system/slices.ts';
import {
  type FabricState,
  freshPortal,
  type Lun,
  type MappedLun,
  NodeAcl,
  newLun,
  type Target,
  Tpg,
} from '../target/target.ts';

/** The steps, in the order in which they must be done; within a step, the order is that of the trees. */
const steps = [
  'names',
  ...[
    'detach',
    'accounts go',
    'mapped LUNs go',
    'LUNs go',
    'ACLs go',
    'portals go',
    'TPGs go',
    'targets go',
    'storage objects go',
    'ALUA groups go',
  ],
  ...[
    'storage objects',
    'ALUA groups',
    'accounts',
    'discovery',
    'targets',
    'TPGs',
    'LUNs',
    'ACLs',
    'tags',
    'portals',
    'attach',
  ],
  'enable',
] as const;
type Step = (typeof steps)[number];

/**
 * The operations that lead from one tree to another. Random names and numbers (aliases, port identifiers, nexus names) are no difference;
 * a serial number that is empty on one side is none either. Parts of saved files that no operation can set are left out. An attribute
 * that cannot change while the storage object is exported is among the differences all the same: it is refused when it is carried out.
 */
export const transition = (from: Tree, to: Tree): Difference[] => atOnce(new Transition(from, to).differences());

/** `transition` in slices, of trees that stay as they are meanwhile. */
export const transitionSliced = (from: Tree, to: Tree): Promise<Difference[]> =>
  inSlices(new Transition(from, to).differences());

/** One operation that leads from one tree to another. */
export interface Difference {
  readonly operation: Operation;
  /** The value of the setting in the first tree. */
  readonly was?: string;
}

class Transition {
  readonly #from: Tree;
  readonly #to: Tree;
  readonly #steps = new Map<Step, Difference[]>(steps.map((step) => [step, []]));
  /** Storage objects, and LUNs, of the first tree that go. */
  readonly #gone = new Set<StorageObject | Lun>();
  /** Storage objects of the first tree that are called otherwise in the second one, and what they are there. */
  readonly #renamed = new Map<StorageObject, StorageObject>();
  /** ALUA groups that go, by path: their LUNs go back to the default group. */
  readonly #goneGroups = new Set<string>();
  /** Accounts of the fabric at hand that go, for good or to come back with another secret. */
  #goneAccounts: ReadonlySet<string> = new Set();

  constructor(from: Tree, to: Tree) {
    this.#from = from;
    this.#to = to;
  }

  *differences(): Sliced<Difference[]> {
    for (const kind of this.#from.storageObjects.keys()) yield* this.#storageObjects(kind);
    for (const [name, state] of this.#from.fabrics) yield* this.#fabric(state, this.#to.fabric(name));
    return [...this.#steps.values()].flat();
  }

  #do(step: Step, path: string, verb: string, params: ParameterValues, was?: string): void {
    this.#steps.get(step)?.push({ operation: { path, verb, params }, ...(was !== undefined && { was }) });
  }

  #set(step: Step, path: string, group: string, name: string, value: string, was: string): void {
    this.#do(step, path, 'set', { group, name, value }, was);
  }

  *#storageObjects(kind: string): Sliced<void> {
    const [before, after] = [this.#from.storageObjectsOf(kind), this.#to.storageObjectsOf(kind)];
    const path = `/backstores/${kind}`;
    this.#names(path, before, after);
    const was = new Map(Array.from(this.#renamed, ([old, next]) => [next, old]));
    for (const [name, old] of before) {
      const next = this.#renamed.get(old) ?? after.get(name);
      if (next && (isSameMedium(old, next) || canExchange(old, next) || isResized(old, next) || isReplaced(old, next)))
        continue;
      this.#do('storage objects go', path, 'delete', { name });
      this.#gone.add(old);
      for (const lun of old.exports) this.#gone.add(lun as Lun);
    }
    for (const [name, next] of after) {
      yield;
      const old = present(was.get(next) ?? before.get(name), this.#gone);
      if (old) {
        const settled = { config: next.config };
        if (isResized(old, next)) this.#resize(old, next);
        else if (!isSameMedium(old, next))
          this.#do('storage objects', path, canExchange(old, next) ? 'changemedium' : 'replace', { name, settled });
        this.#settings('storage objects', schema.storageObject, next.path, old, next);
      } else {
        const settled = { config: next.config, attributes: changedAttributes(next) };
        this.#do('storage objects', path, 'create', { name, ...(next.wwn && { wwn: next.wwn }), settled });
      }
      this.#aluaGroups(old, next);
    }
  }

  /** An object that is there under another name, which nobody had, is renamed: its initiators go on. */
  #names(path: string, before: ReadonlyMap<string, StorageObject>, after: ReadonlyMap<string, StorageObject>): void {
    const fresh = new Map(Array.from(after.values(), (one) => [before.has(one.name) ? '' : one.wwn, one]));
    for (const [name, old] of before) {
      const next = old.wwn === '' || after.has(name) ? undefined : fresh.get(old.wwn);
      if (!next || !fresh.delete(old.wwn) || !(isSameMedium(old, next) || isResized(old, next))) continue;
      this.#renamed.set(old, next);
      this.#do('names', path, 'rename', { name, to: next.name });
    }
  }

  #resize({ config }: StorageObject, next: StorageObject): void {
    const { path } = next;
    const [before, size] = [Number(config['size']), Number(next.config['size'])];
    this.#do('storage objects', path, 'resize', { size, ...(size < before && { force: true }) }, String(before));
  }

  #aluaGroups(old: StorageObject | undefined, { path, aluaGroups, backstore }: StorageObject): void {
    const fresh = backstore.passesThrough ? [] : [aluaGroup(defaultAluaGroupName, 0)];
    const before = old?.aluaGroups ?? fresh;
    const isSame = (a: AluaGroup, b: AluaGroup) => a.name === b.name && a.tg_pt_gp_id === b.tg_pt_gp_id;
    for (const group of before)
      if (!aluaGroups.some((one) => isSame(one, group))) {
        this.#do('ALUA groups go', `${path}/alua`, 'delete', { name: group.name });
        this.#goneGroups.add(`${path}/alua/${group.name}`);
      }
    for (const group of aluaGroups) {
      const [name, tag] = [group.name, group.tg_pt_gp_id];
      const found = before.find((one) => isSame(one, group));
      if (!found) this.#do('ALUA groups', `${path}/alua`, 'create', { name, tag });
      this.#aluaSettings(`${path}/alua/${name}`, found ?? aluaGroup(name, tag), group);
    }
  }

  #aluaSettings(path: string, before: AluaGroup, after: AluaGroup): void {
    let now = before;
    const settingOf = (group: AluaGroup, name: string) =>
      Number(group[name] ?? aluaGroupTable[name as keyof typeof aluaGroupTable].default);
    const ensure = (name: string, value: number) => {
      if (settingOf(now, name) === value) return;
      this.#set('ALUA groups', path, 'alua', name, String(value), String(settingOf(now, name)));
      const also = name === 'alua_access_state' ? { alua_access_status: alteredImplicitly } : {};
      now = { ...now, [name]: value, ...also };
    };
    const state = settingOf(after, 'alua_access_state');
    if (state !== settingOf(before, 'alua_access_state')) {
      // The state may have been set when more was allowed than is now.
      ensure('alua_access_type', settingOf(now, 'alua_access_type') | implicitAccess);
      ensure(aluaStates[state]?.supportedBy ?? '', 1);
      ensure('alua_access_state', state);
    }
    for (const [name, { readOnly }] of Object.entries<Attribute>(aluaGroupTable))
      if (!readOnly) ensure(name, settingOf(after, name));
  }

  /**
   * Settings of an object that differ.
   * @param along the values, by group and name, that the settings have once others were changed
   */
  #settings(
    step: Step,
    kind: ObjectKind,
    path: string,
    before: SavedObject,
    after: SavedObject,
    along: Settings = {},
  ): void {
    const old = printedSettings(kind, before);
    for (const [at, { group, name, value }] of printedSettings(kind, after).entries()) {
      const was = along[group]?.[name] ?? old[at]!.value;
      if (value !== was && value !== null) this.#set(step, path, group, name, value, was ?? 'None');
    }
  }

  /** Objects that go. An object that is made of other parameters goes, and comes anew. */
  #going(step: Step, kind: ObjectKind, at: string, before: Iterable<SavedObject>, after: Iterable<SavedObject>): void {
    for (const one of missing(kind, before, after)) this.#do(step, at, 'delete', nameOf(kind, one));
  }

  /** Objects that come. */
  #coming(step: Step, kind: ObjectKind, at: string, before: Iterable<SavedObject>, after: Iterable<SavedObject>): void {
    for (const one of missing(kind, after, before)) this.#do(step, at, 'create', creationOf(kind, one));
  }

  #accounts({ accounts: before }: FabricState, { accounts: after, fabric }: FabricState): void {
    this.#goneAccounts = new Set([...before.keys()].filter((userid) => after.get(userid) !== before.get(userid)));
    for (const userid of this.#goneAccounts) this.#do('accounts go', `/${fabric.name}`, 'remove_account', { userid });
    for (const [userid, password] of after)
      if (before.get(userid) !== password) this.#do('accounts', `/${fabric.name}`, 'add_account', { userid, password });
  }

  /** The accounts that a TPG or discovery still has once those that go are gone. */
  #left(accounts: readonly string[]): Readonly<Record<string, string>> {
    return { [accountsSetting]: accounts.filter((name) => !this.#goneAccounts.has(name)).join() };
  }

  #accessList({ accessList: before }: Tpg, { accessList: after, path }: Tpg): void {
    const [was, is] = [before, after].map((list) => list && printAccessList(list));
    if (isDeepStrictEqual(was, is)) return;
    const printed = was ? Object.values(was).join() || 'nobody' : 'no list';
    this.#do('TPGs', path, is ? 'restrict' : 'unrestrict', is ?? {}, printed);
  }

  *#fabric(before: FabricState, after: FabricState): Sliced<void> {
    const path = `/${after.fabric.name}`;
    this.#accounts(before, after);
    const along = { discovery_auth: this.#left(before.discoveryAccounts) };
    this.#settings('discovery', schema.fabric, path, before, after, along);
    this.#going('targets go', schema.target, path, before.targets.values(), after.targets.values());
    for (const target of after.targets.values()) yield* this.#target(before.targets.get(target.wwn), target);
  }

  *#target(old: Target | undefined, target: Target): Sliced<void> {
    const { fabric, only, path } = target;
    const settled = only && { settled: creationOf(schema.tpg, only)['settled']! };
    if (!old) this.#do('targets', `/${fabric.name}`, 'create', { ...nameOf(schema.target, target), ...settled });
    if (!only) this.#going('TPGs go', schema.tpg, path, old?.tpgs.values() ?? [], target.tpgs.values());
    for (const tpg of target.tpgs.values()) {
      const known = old?.tpgs.get(tpg.tag);
      if (!known && !only) this.#do('TPGs', path, 'create', creationOf(schema.tpg, tpg));
      yield* this.#tpg(known ?? freshTpg(tpg), tpg);
    }
  }

  *#tpg(old: Tpg, tpg: Tpg): Sliced<void> {
    const { path } = tpg;
    const along = { ...alongWith(old, tpg), auth: this.#left(old.accounts) };
    this.#settings('TPGs', schema.tpg, path, old, tpg, along);
    this.#accessList(old, tpg);
    if (old.enabled !== tpg.enabled) this.#do('enable', path, tpg.enabled ? 'enable' : 'disable', {});
    this.#going('portals go', schema.portal, `${path}/portals`, old.portals, tpg.portals);
    this.#coming('portals', schema.portal, `${path}/portals`, old.portals, tpg.portals);
    for (const portal of tpg.portals) {
      const before = old.portals.find((one) => idOf(schema.portal, one) === idOf(schema.portal, portal));
      const at = pathOf(schema.portal, tpg, portal);
      this.#settings('portals', schema.portal, at, before ?? freshPortal(portal.address, portal.port), portal);
    }
    yield* this.#luns(old, tpg);
    yield* this.#acls(old, tpg);
  }

  #isSameLun(old: Lun, next: Lun): boolean {
    const renamed = this.#renamed.get(old.storageObject);
    return renamed ? renamed === next.storageObject : idOf(schema.lun, next) === idOf(schema.lun, old);
  }

  *#luns(old: Tpg, tpg: Tpg): Sliced<void> {
    const path = schema.lun.at(tpg);
    for (const lun of old.luns.values()) {
      const next = tpg.luns.get(lun.index);
      const stays = !this.#gone.has(lun) && next !== undefined && this.#isSameLun(lun, next);
      if (lun.attached && !(stays && next.attached)) this.#do('detach', path, 'detach', nameOf(schema.lun, lun));
      if (stays) continue;
      if (!this.#gone.has(lun)) this.#do('LUNs go', path, 'delete', nameOf(schema.lun, lun));
      this.#gone.add(lun);
    }
    for (const lun of tpg.luns.values()) {
      yield;
      const { storageObject } = lun;
      const known = present(old.luns.get(lun.index), this.#gone);
      const fresh = newLun(tpg, lun.index, storageObject, lun.alias);
      const at = pathOf(schema.lun, tpg, lun);
      if (!known) this.#do('LUNs', path, 'create', creationOf(schema.lun, lun));
      const isMoved = known && this.#goneGroups.has(`${storageObject.path}/alua/${known.aluaGroup}`);
      const before = isMoved ? { ...known, aluaGroup: fresh.aluaGroup } : (known ?? fresh);
      this.#settings('LUNs', schema.lun, at, before, lun);
      if (lun.attached && !known?.attached) this.#do('attach', path, 'attach', nameOf(schema.lun, lun));
    }
  }

  *#acls(old: Tpg, tpg: Tpg): Sliced<void> {
    const path = schema.nodeAcl.at(tpg);
    this.#going('ACLs go', schema.nodeAcl, path, old.acls.values(), tpg.acls.values());
    const isTagged = ({ wwn, tag }: NodeAcl) => tag !== '' && old.acls.get(wwn)?.tag === tag;
    /** The ACLs that are in their group when the next one joins. */
    const tagged = new Set([...tpg.acls.values()].filter(isTagged).map(({ wwn }) => wwn));
    for (const acl of tpg.acls.values()) {
      yield;
      const { wwn, tag } = acl;
      const known = old.acls.get(wwn);
      if (!known) this.#do('ACLs', path, 'create', creationOf(schema.nodeAcl, acl));
      const joins = tag !== '' && known?.tag !== tag;
      const step = joins ? 'tags' : 'ACLs';
      if (known?.tag && known.tag !== tag) this.#do('ACLs', path, 'tag', { wwn, tag: '' });
      if (joins) this.#do(step, path, 'tag', { wwn, tag });
      // An ACL that joins a group takes over the state of its members, so it joins when they are as they shall be.
      const leader = joins && [...tpg.acls.values()].find((one) => one.tag === tag && tagged.has(one.wwn));
      const mapped = [...(known?.mappedLuns.values() ?? [])].filter((one) => !this.#gone.has(one.lun));
      if (leader) this.#acl(step, leader, [...leader.mappedLuns.values()], acl);
      else this.#acl(step, known ?? new NodeAcl(tpg, wwn), mapped, acl);
      if (joins) tagged.add(wwn);
    }
  }

  #acl(step: Step, before: NodeAcl, mapped: readonly MappedLun[], acl: NodeAcl): void {
    const path = pathOf(schema.nodeAcl, acl.tpg, acl);
    this.#settings(step, schema.nodeAcl, path, before, acl);
    const after = [...acl.mappedLuns.values()];
    this.#going(step === 'ACLs' ? 'mapped LUNs go' : step, schema.mappedLun, path, mapped, after);
    this.#coming(step, schema.mappedLun, path, mapped, after);
    const were = new Map(mapped.map((one) => [idOf(schema.mappedLun, one), one]));
    for (const one of after) {
      const known = were.get(idOf(schema.mappedLun, one));
      if (known) this.#settings(step, schema.mappedLun, pathOf(schema.mappedLun, acl, one), known, one);
    }
  }
}

/** The objects of `some` to which no object of `others` is equal. */
function missing(kind: ObjectKind, some: Iterable<SavedObject>, others: Iterable<SavedObject>): SavedObject[] {
  const ids = new Set(Array.from(others, (one) => idOf(kind, one)));
  return [...some].filter((one) => !ids.has(idOf(kind, one)));
}

/** Group → name → value. */
type Settings = Readonly<Record<string, Readonly<Record<string, string>>>>;

const present = <T extends StorageObject | Lun>(one: T | undefined, gone: ReadonlySet<StorageObject | Lun>) =>
  one && !gone.has(one) ? one : undefined;

const isSameUnit = (a: StorageObject, b: StorageObject): boolean =>
  a.wwn === b.wwn || a.wwn === '' || b.wwn === '' || a.backstore.passesThrough === true;
const canExchange = (a: StorageObject, b: StorageObject): boolean =>
  isSameUnit(a, b) && a.backstore.exchange !== undefined;
/** Another medium for the same unit, told by its serial number. */
const isReplaced = (a: StorageObject, b: StorageObject): boolean =>
  a.wwn !== '' && a.wwn === b.wwn && isReplaceable(a) && isReplaceable(b);
const differing = (a: StorageObject, b: StorageObject): string[] =>
  Object.keys({ ...a.config, ...b.config }).filter((key) => (a.config[key] ?? null) !== (b.config[key] ?? null));
const isSameMedium = (a: StorageObject, b: StorageObject): boolean => isSameUnit(a, b) && differing(a, b).length === 0;
/** Whether two storage objects have the same medium in different sizes. */
const isResized = (a: StorageObject, b: StorageObject): boolean =>
  isSameUnit(a, b) && a.backstore.exchange === undefined && differing(a, b).join() === 'size';

/** A TPG as it is when it has just been created. */
function freshTpg({ target, tag, relativePortId }: Tpg): Tpg {
  const fresh = new Tpg(target, tag, relativePortId);
  fresh.enabled = !target.fabric.tpgNodes;
  return fresh;
}

/** The settings that another setting brings along: `authentication` sets AuthMethod. */
function alongWith(old: Tpg, tpg: Tpg): Settings {
  if (old.attribute('authentication') === tpg.attribute('authentication') || !old.parameters.of('AuthMethod'))
    return {};
  return { parameter: { AuthMethod: methodWith(tpg.attribute('authentication') === 1) } };
}
