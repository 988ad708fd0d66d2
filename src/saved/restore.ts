/**
 * saveconfig.json → the tree: storage objects and fabrics here, targets in restore-target.ts. Every part that cannot be
 * restored is reported in rtslib's words, the rest is restored all the same, and what was left out is kept
 * for the next save.
 */

import { backstores } from '../backstore/index.ts';
import { OperatorError } from '../errors.ts';
import type { Surroundings } from '../operations/operation.ts';
import type { Raw, Tree } from '../operations/tree.ts';
import { printableLine } from '../printable.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { authKeys, checkAccount } from '../target/auth.ts';
import type { FabricState } from '../target/target.ts';
import { Restoration } from './restoration.ts';
import { isPartial, type RestoreFilter } from './restore-filter.ts';
import { restoreTarget } from './restore-target.ts';
import { readAluaGroups } from './saved-alua.ts';
import { checkShape, isRaw, others, rawOf, textOf, truthOf } from './saved-shape.ts';

/** @throws OperatorError when `saved` is no saved configuration at all. @returns what could not be restored, a line each */
export async function restore(
  tree: Tree,
  saved: unknown,
  around: Surroundings,
  filter: RestoreFilter = {},
): Promise<string[]> {
  const { storage_objects: objects, fabric_modules: modules, targets, top, tooDeep } = checkShape(saved);
  const { kept } = tree;
  const partial = isPartial(filter);
  const restoration = new Restoration(tree, around);
  restoration.errors.push(...tooDeep);
  const keepObject = (raw: Raw) => void kept.storageObjects.push(raw);
  for (const [number, part] of objects.entries()) {
    if (partial && (filter.storageObject === undefined || rawOf(part)['name'] !== filter.storageObject)) continue;
    await restoration.part(part, keepObject, (raw) => restoreStorageObject(restoration, raw, number));
    if (partial) break;
  }
  if (!partial) {
    const keepModule = (raw: Raw) => void kept.fabricModules.push(raw);
    for (const [number, part] of modules.entries())
      await restoration.part(part, keepModule, (raw) => restoreFabric(restoration, raw, number));
    kept.top = { ...kept.top, ...top };
  }
  const keepTarget = (raw: Raw) => void kept.targets.push(raw);
  for (const [number, part] of targets.entries())
    if (!partial || (filter.target !== undefined && rawOf(part)['wwn'] === filter.target))
      await restoration.part(part, keepTarget, (raw) => restoreTarget(restoration, raw, number));
  return restoration.errors.map(printableLine);
}

export const couldNotCreate = (name: string, reason: string): string =>
  `Could not create StorageObject ${name}: ${reason}`;

async function restoreStorageObject(restoration: Restoration, raw: Raw, number: number) {
  const { name } = raw;
  if (typeof name !== 'string') throw new OperatorError(`'name' not defined in storage object ${number}`);
  const backstore = backstores.find(
    ({ plugin, handler }) =>
      plugin === raw['plugin'] && (handler === undefined || textOf(raw['config']).startsWith(`${handler}/`)),
  );
  // tcmu-runner has handlers that are not ours.
  if (!backstore && raw['plugin'] === 'user' && typeof raw['config'] === 'string') return 'kept';
  if (!backstore) throw new OperatorError(`'plugin' not defined or invalid in storageobject ${name}`);
  const refused = (why: string) => new OperatorError(couldNotCreate(name, why));
  const config: Record<string, string | number | boolean> = {};
  for (const [key, { type, required }] of Object.entries(backstore.keys)) {
    const value = raw[key];
    if (typeof value === type) config[key] = value as string | number | boolean;
    else if (value !== undefined && value !== null) throw refused(`'${key}' must be a ${type}`);
    else if (required) throw refused(key === 'size' ? 'Path is to a file, size needed' : `'${key}' is missing`);
  }
  const why = backstore.refuse?.(config);
  if (why !== undefined) throw refused(why);
  const path = `/backstores/${backstore.name}`;
  const given = textOf(raw['wwn'] ?? '');
  const isMade = given === '' && !backstore.passesThrough;
  const wwn = isMade ? await restoration.missingSerial([path, name, config['dev'], config['config']].join(' ')) : given;
  const params = { name, wwn, settled: { config, attributes: {} } };
  await restoration.do(path, 'create', params, (reason) => couldNotCreate(name, reason));
  const storageObject = restoration.tree.storageObject(`${path}/${name}`)!;
  storageObject.isSerialMade = isMade;
  return async () => {
    const label = `Storage Object ${backstore.plugin}/${name}: `;
    const strange = others(raw, [...keysOfAll, ...Object.keys(backstore.keys)]);
    storageObject.unknown = strange;
    for (const key of Object.keys(strange))
      restoration.strange(key, `${label}unknown key '${key}' kept in the file, not used`);
    const attributes = await restoration.attributes(storageObject.attributes, raw['attributes'], 'attribute', label);
    storageObject.unknown = { ...strange, ...attributes };
    restoreAluaGroups(restoration, storageObject, raw, label);
  };
}

/** The keys of every kind of storage object. */
const keysOfAll = ['name', 'plugin', 'wwn', 'attributes', 'alua_tpgs', 'exists', 'buffered_mode'] as const;

function restoreAluaGroups(restoration: Restoration, storageObject: StorageObject, raw: Raw, label: string): void {
  if (raw['alua_tpgs'] === undefined || raw['alua_tpgs'] === null) return;
  const saved = restoration.list(raw, 'alua_tpgs', label.slice(0, -2)).filter(isRaw);
  const { groups, refused, errors } = readAluaGroups(saved);
  storageObject.aluaGroups = groups;
  restoration.errors.push(...errors.map((line) => `${label}${line}`));
  refused.forEach(restoration.keeping(storageObject, 'alua_tpgs'));
}

function restoreFabric(restoration: Restoration, raw: Raw, number: number) {
  const { name } = raw;
  if (typeof name !== 'string') throw new OperatorError(`'name' not defined in fabricmodule ${number}`);
  const state = restoration.tree.fabrics.get(name);
  if (!state) return 'kept';
  return () => {
    state.discoveryAuthEnabled = truthOf(raw['discovery_enable_auth']) === true;
    restoration.auth(state.discoveryAuth, raw, 'discovery_', `Could not set fabric ${name} attribute`);
    restoreAccounts(restoration, state, raw);
    const known = ['name', 'discovery_enable_auth', 'accounts', 'discovery_accounts'];
    state.unknown = others(raw, [...known, ...authKeys.map((key) => `discovery_${key}`)]);
  };
}

function restoreAccounts(restoration: Restoration, state: FabricState, raw: Raw): void {
  const where = `fabric ${state.fabric.name}`;
  for (const one of restoration.list(raw, 'accounts', where)) {
    const { userid, password } = rawOf(one);
    const account = { userid: textOf(userid ?? ''), password: textOf(password ?? '') };
    try {
      checkAccount(account);
      state.accounts.set(account.userid, account.password);
    } catch {
      restoration.errors.push(`Could not restore an account of ${where}`);
    }
  }
  state.discoveryAccounts = restoration.list(raw, 'discovery_accounts', where).map(textOf);
}
