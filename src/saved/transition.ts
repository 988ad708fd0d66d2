/** What leads from one tree to another, as operations: what must go first, then what must come, then what must change. */

import { isDeepStrictEqual } from 'node:util';
import { Attributes, type AttributeTable } from '../attribute.ts';
import { accountsSetting, printAccessList } from '../operations/access-operations.ts';
import type { Operation, Value, Values } from '../operations/operation.ts';
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
import { type Auth, authKeys } from '../target/auth.ts';
import {
  type FabricState,
  type Lun,
  type MappedLun,
  NodeAcl,
  type Portal,
  type Target,
  Tpg,
} from '../target/target.ts';

/** What must be done in this order; within a step, in the order of the trees. */
const steps = [
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
 * Names and numbers that chance made (aliases, port identifiers, nexus names) are no difference; a serial number that is empty
 * on one side is none either. What saved files held besides, and no operation can set, is left out. An attribute that cannot
 * change while the storage object is exported is changed all the same: that is refused when it is carried out.
 */
export function transition(from: Tree, to: Tree): Difference[] {
  return new Transition(from, to).differences();
}

/** One operation that leads from one tree to another. */
export interface Difference {
  readonly operation: Operation;
  /** Of a setting: what it is in the first one. */
  readonly was?: string;
}

class Transition {
  readonly #from: Tree;
  readonly #to: Tree;
  readonly #steps = new Map<Step, Difference[]>(steps.map((step) => [step, []]));
  /** Storage objects, and LUNs, of the first tree that go. */
  readonly #gone = new Set<StorageObject | Lun>();
  /** ALUA groups that go, by path: their LUNs go back to the default group. */
  readonly #goneGroups = new Set<string>();
  /** Accounts of the fabric at hand that go, for good or to come back with another secret. */
  #goneAccounts: ReadonlySet<string> = new Set();

  constructor(from: Tree, to: Tree) {
    this.#from = from;
    this.#to = to;
  }

  differences(): Difference[] {
    for (const kind of this.#from.storageObjects.keys()) this.#storageObjects(kind);
    for (const [name, state] of this.#from.fabrics) this.#fabric(state, this.#to.fabrics.get(name)!);
    return [...this.#steps.values()].flat();
  }

  #do(step: Step, path: string, verb: string, params: Values, was?: string): void {
    this.#steps.get(step)?.push({ operation: { path, verb, params }, ...(was !== undefined && { was }) });
  }

  #set(step: Step, path: string, group: string, name: string, value: string, was: string): void {
    this.#do(step, path, 'set', { group, name, value }, was);
  }

  #storageObjects(kind: string): void {
    const [before, after] = [this.#from.storageObjects.get(kind)!, this.#to.storageObjects.get(kind)!];
    const path = `/backstores/${kind}`;
    for (const [name, old] of before) {
      const next = after.get(name);
      if (next && (isSameMedium(old, next) || canExchange(old, next) || isResized(old, next))) continue;
      this.#do('storage objects go', path, 'delete', { name });
      this.#gone.add(old);
      for (const lun of old.exports) this.#gone.add(lun as Lun);
    }
    for (const [name, next] of after) {
      const old = present(before.get(name), this.#gone);
      if (old) {
        const settled = { config: next.config } as unknown as Value;
        if (isResized(old, next)) this.#resize(old, next);
        else if (!isSameMedium(old, next)) this.#do('storage objects', path, 'changemedium', { name, settled });
        this.#attributes('storage objects', next.path, 'attribute', old.attributes, next.attributes);
      } else {
        const settled = { config: next.config, attributes: changedAttributes(next) } as unknown as Value;
        this.#do('storage objects', path, 'create', { name, ...(next.wwn && { wwn: next.wwn }), settled });
      }
      this.#aluaGroups(old, next);
    }
  }

  #resize({ path, config }: StorageObject, next: StorageObject): void {
    const [before, size] = [Number(config['size']), Number(next.config['size'])];
    this.#do('storage objects', path, 'resize', { size, ...(size < before && { force: true }) }, String(before));
  }

  #aluaGroups(old: StorageObject | undefined, { path, aluaGroups, backstore }: StorageObject): void {
    const fresh = backstore.passesThrough ? [] : [aluaGroup(defaultAluaGroupName, 0)];
    const before = old?.aluaGroups ?? fresh;
    const isSame = (a: AluaGroup, b: AluaGroup) => a['name'] === b['name'] && a['tg_pt_gp_id'] === b['tg_pt_gp_id'];
    for (const group of before)
      if (!aluaGroups.some((one) => isSame(one, group))) {
        this.#do('ALUA groups go', `${path}/alua`, 'delete', { name: String(group['name']) });
        this.#goneGroups.add(`${path}/alua/${group['name']}`);
      }
    for (const group of aluaGroups) {
      const [name, tag] = [String(group['name']), Number(group['tg_pt_gp_id'])];
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
      // It may have come about when more was allowed than is now.
      ensure('alua_access_type', settingOf(now, 'alua_access_type') | implicitAccess);
      ensure(aluaStates[state]?.supportedBy ?? '', 1);
      ensure('alua_access_state', state);
    }
    for (const name of Object.keys(aluaGroupTable))
      if (!isReadOnly(aluaGroupTable, name)) ensure(name, settingOf(after, name));
  }

  #attributes(
    step: Step,
    path: string,
    group: 'attribute' | 'parameter',
    before: Attributes<AttributeTable>,
    after: Attributes<AttributeTable>,
  ): void {
    for (const name of Object.keys(after.table))
      if (!isReadOnly(after.table, name) && before.values[name] !== after.values[name])
        this.#set(step, path, group, name, after.print(name), before.print(name));
  }

  #auth(step: Step, path: string, group: string, before: Auth, after: Auth): void {
    for (const key of authKeys)
      if (before[key] !== after[key]) this.#set(step, path, group, key, after[key], before[key]);
  }

  #accounts({ accounts: before }: FabricState, { accounts: after, fabric }: FabricState): void {
    this.#goneAccounts = new Set([...before.keys()].filter((userid) => after.get(userid) !== before.get(userid)));
    for (const userid of this.#goneAccounts) this.#do('accounts go', `/${fabric.name}`, 'delete_account', { userid });
    for (const [userid, password] of after)
      if (before.get(userid) !== password)
        this.#do('accounts', `/${fabric.name}`, 'create_account', { userid, password });
  }

  /** The accounts that a TPG or discovery takes; those that go were given up then. */
  #taken(step: Step, path: string, group: string, old: readonly string[], names: readonly string[]): void {
    const left = old.filter((name) => !this.#goneAccounts.has(name)).join();
    if (left !== names.join()) this.#set(step, path, group, accountsSetting, names.join(), left);
  }

  #accessList({ accessList: before }: Tpg, { accessList: after, path }: Tpg): void {
    const [was, is] = [before, after].map((list) => list && printAccessList(list));
    if (isDeepStrictEqual(was, is)) return;
    const printed = was ? Object.values(was).join() || 'nobody' : 'no list';
    this.#do('TPGs', path, is ? 'restrict' : 'unrestrict', is ?? {}, printed);
  }

  #fabric(before: FabricState, after: FabricState): void {
    const path = `/${after.fabric.name}`;
    this.#accounts(before, after);
    this.#auth('discovery', path, 'discovery_auth', before.discoveryAuth, after.discoveryAuth);
    this.#taken('discovery', path, 'discovery_auth', before.discoveryAccounts, after.discoveryAccounts);
    if (before.discoveryAuthEnabled !== after.discoveryAuthEnabled)
      this.#set(
        'discovery',
        path,
        'discovery_auth',
        'enable',
        digit(after.discoveryAuthEnabled),
        digit(before.discoveryAuthEnabled),
      );
    for (const wwn of before.targets.keys())
      if (!after.targets.has(wwn)) this.#do('targets go', path, 'delete', { wwn });
    for (const target of after.targets.values()) this.#target(before.targets.get(target.wwn), target);
  }

  #target(old: Target | undefined, target: Target): void {
    const { fabric, wwn, path } = target;
    const only = fabric.tpgNodes ? undefined : target.tpgs.get(1);
    if (!old) this.#do('targets', `/${fabric.name}`, 'create', { wwn, ...(only && { settled: settledTpg(only) }) });
    for (const tag of old?.tpgs.keys() ?? []) if (!target.tpgs.has(tag)) this.#do('TPGs go', path, 'delete', { tag });
    for (const tpg of target.tpgs.values()) {
      const known = old?.tpgs.get(tpg.tag);
      if (!known && fabric.tpgNodes) this.#do('TPGs', path, 'create', { tag: tpg.tag, settled: settledTpg(tpg) });
      this.#tpg(known ?? freshTpg(tpg), tpg);
    }
  }

  #tpg(old: Tpg, tpg: Tpg): void {
    const { path } = tpg;
    this.#attributes('TPGs', path, 'attribute', old.attributes, tpg.attributes);
    this.#attributes('TPGs', path, 'parameter', withMethod(old, tpg), tpg.parameters);
    this.#auth('TPGs', path, 'auth', old.auth, tpg.auth);
    this.#taken('TPGs', path, 'auth', old.accounts, tpg.accounts);
    this.#accessList(old, tpg);
    if (old.enabled !== tpg.enabled) this.#do('enable', path, tpg.enabled ? 'enable' : 'disable', {});
    for (const portal of old.portals)
      if (!tpg.portals.some((one) => isSamePortal(one, portal)))
        this.#do('portals go', `${path}/portals`, 'delete', portalWords(portal));
    for (const portal of tpg.portals)
      if (!old.portals.some((one) => isSamePortal(one, portal)))
        this.#do('portals', `${path}/portals`, 'create', portalWords(portal));
    this.#luns(old, tpg);
    this.#acls(old, tpg);
  }

  #luns(old: Tpg, tpg: Tpg): void {
    const path = `${tpg.path}/luns`;
    for (const lun of old.luns.values()) {
      const stays = !this.#gone.has(lun) && tpg.luns.get(lun.index)?.storageObject.path === lun.storageObject.path;
      if (lun.attached && !(stays && tpg.luns.get(lun.index)?.attached))
        this.#do('detach', path, 'detach', { lun: lun.index });
      if (stays) continue;
      if (!this.#gone.has(lun)) this.#do('LUNs go', path, 'delete', { lun: lun.index });
      this.#gone.add(lun);
    }
    for (const lun of tpg.luns.values()) {
      const { index, storageObject, alias, aluaGroup: group } = lun;
      const known = present(old.luns.get(index), this.#gone);
      const settled = { alias };
      if (!known) this.#do('LUNs', path, 'create', { storage_object: storageObject.path, lun: index, settled });
      const isMoved = !known || this.#goneGroups.has(`${storageObject.path}/alua/${known.aluaGroup}`);
      const before = isMoved ? (storageObject.aluaGroups[0]?.['name'] ?? null) : known.aluaGroup;
      if (before !== group && group !== null)
        this.#set('LUNs', `${path}/lun${index}`, 'alua', 'alua_tg_pt_gp_name', group, String(before ?? 'None'));
      if (lun.attached && !known?.attached) this.#do('attach', path, 'attach', { lun: index });
    }
  }

  #acls(old: Tpg, tpg: Tpg): void {
    const path = `${tpg.path}/acls`;
    for (const wwn of old.acls.keys()) if (!tpg.acls.has(wwn)) this.#do('ACLs go', path, 'delete', { wwn });
    const isTagged = ({ wwn, tag }: NodeAcl) => tag !== '' && old.acls.get(wwn)?.tag === tag;
    /** Those that are in their group when the next one joins. */
    const tagged = new Set([...tpg.acls.values()].filter(isTagged).map(({ wwn }) => wwn));
    for (const acl of tpg.acls.values()) {
      const { wwn, tag } = acl;
      const known = old.acls.get(wwn);
      if (!known) this.#do('ACLs', path, 'create', { wwn });
      const joins = tag !== '' && known?.tag !== tag;
      const step = joins ? 'tags' : 'ACLs';
      if (known?.tag && known.tag !== tag) this.#do('ACLs', path, 'tag', { wwn, tag: '' });
      if (joins) this.#do(step, path, 'tag', { wwn, tag });
      // Who joins a group takes over what its members have, so it comes when they are as they shall be.
      const leader = joins && [...tpg.acls.values()].find((one) => one.tag === tag && tagged.has(one.wwn));
      const mapped = [...(known?.mappedLuns.values() ?? [])].filter((one) => !this.#gone.has(one.lun));
      if (leader) this.#acl(step, leader, [...leader.mappedLuns.values()], acl);
      else this.#acl(step, known ?? new NodeAcl(tpg, wwn), mapped, acl);
      if (joins) tagged.add(wwn);
    }
  }

  #acl(step: Step, before: NodeAcl, mapped: readonly MappedLun[], acl: NodeAcl): void {
    const path = `${acl.tpg.path}/acls/${acl.wwn}`;
    this.#attributes(step, path, 'attribute', before.attributes, acl.attributes);
    this.#auth(step, path, 'auth', before.auth, acl.auth);
    const isSame = (a: MappedLun, b: MappedLun) =>
      a.index === b.index && a.lun.index === b.lun.index && a.writeProtect === b.writeProtect;
    const after = [...acl.mappedLuns.values()];
    for (const one of mapped)
      if (!after.some((other) => isSame(one, other)))
        this.#do(step === 'ACLs' ? 'mapped LUNs go' : step, path, 'delete', { mapped_lun: one.index });
    for (const { index, lun, writeProtect, alias } of after.filter(
      (one) => !mapped.some((other) => isSame(one, other)),
    ))
      this.#do(step, path, 'create', {
        ...{ mapped_lun: index, tpg_lun: lun.index, write_protect: writeProtect },
        settled: { alias },
      });
  }
}

const present = <T extends StorageObject | Lun>(one: T | undefined, gone: ReadonlySet<StorageObject | Lun>) =>
  one && !gone.has(one) ? one : undefined;

const isReadOnly = (table: AttributeTable, name: string): boolean => table[name]?.readOnly === true;

const isSameUnit = (a: StorageObject, b: StorageObject): boolean =>
  a.wwn === b.wwn || a.wwn === '' || b.wwn === '' || a.backstore.passesThrough === true;
const canExchange = (a: StorageObject, b: StorageObject): boolean =>
  isSameUnit(a, b) && a.backstore.exchange !== undefined;
const differing = (a: StorageObject, b: StorageObject): string[] =>
  Object.keys({ ...a.config, ...b.config }).filter((key) => (a.config[key] ?? null) !== (b.config[key] ?? null));
const isSameMedium = (a: StorageObject, b: StorageObject): boolean => isSameUnit(a, b) && differing(a, b).length === 0;
/** The same medium, larger or smaller. */
const isResized = (a: StorageObject, b: StorageObject): boolean =>
  isSameUnit(a, b) && a.backstore.exchange === undefined && differing(a, b).join() === 'size';

const digit = (flag: boolean): string => (flag ? '1' : '0');
const isSamePortal = (a: Portal, b: Portal): boolean => a.address === b.address && a.port === b.port;
const portalWords = ({ address, port }: Portal): Values => ({ ip_address: address, ip_port: port });

/** As it is when it has just been created. */
function freshTpg({ target, tag, relativePortId }: Tpg): Tpg {
  const fresh = new Tpg(target, tag, relativePortId);
  fresh.enabled = !target.fabric.tpgNodes;
  return fresh;
}

/** The parameters once `authentication` is as it shall be, which brings AuthMethod along. */
function withMethod(old: Tpg, tpg: Tpg): Attributes<AttributeTable> {
  if (old.attribute('authentication') === tpg.attribute('authentication') || !old.parameters.of('AuthMethod'))
    return old.parameters;
  const AuthMethod = methodWith(tpg.attribute('authentication') === 1);
  return new Attributes(old.parameters.table, { ...old.parameters.values, AuthMethod });
}

const settledTpg = ({ relativePortId, nexusWwn }: Tpg): Values => ({
  portId: relativePortId,
  ...(nexusWwn && { nexus: nexusWwn }),
});
