/**
 * The tree as saveconfig.json: LIO's schema, everything that was not understood written back as it
 * stood. It walks the tree and knows no attribute by name.
 */

import type { Kept, Raw, Tree } from '../operations/tree.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { type Auth, authKeys } from '../target/auth.ts';
import { bracketed, type FabricState, type NodeAcl, type Target, type Tpg } from '../target/target.ts';

export interface SavedConfiguration {
  readonly fabric_modules: readonly Raw[];
  readonly storage_objects: readonly Raw[];
  readonly targets: readonly Raw[];
  readonly [unknown: string]: unknown;
}

export function dump(tree: Tree): SavedConfiguration {
  const { kept } = tree;
  return {
    ...kept.top,
    fabric_modules: [...[...tree.fabrics.values()].flatMap(dumpFabric), ...kept.fabricModules],
    storage_objects: [
      ...[...tree.allStorageObjects()].map((one) => dumpStorageObject(one, kept)),
      ...kept.storageObjects,
    ],
    targets: [...[...tree.targets()].map((target) => dumpTarget(target, kept)), ...kept.targets],
  };
}

/**
 * `saved` with one storage object, and the first target that exports it, as they are now; everything else in it stays
 *.
 */
export function merge(saved: SavedConfiguration, tree: Tree, { backstore, name }: StorageObject): SavedConfiguration {
  const now = dump(tree);
  const isIt = (raw: Raw) => raw['plugin'] === backstore.plugin && raw['name'] === name;
  const path = `/backstores/${backstore.plugin}/${name}`;
  const listOf = (value: unknown): readonly Raw[] => (Array.isArray(value) ? value : []);
  const exportsIt = ({ tpgs }: Raw) =>
    listOf(tpgs).some(({ luns }) => listOf(luns).some((lun) => lun['storage_object'] === path));
  const target = now.targets.find(exportsIt);
  const isTarget = ({ fabric, wwn }: Raw) => target && fabric === target['fabric'] && wwn === target['wwn'];
  return {
    ...saved,
    fabric_modules: listOf(saved.fabric_modules),
    storage_objects: [
      ...listOf(saved.storage_objects).filter((raw) => !isIt(raw)),
      ...now.storage_objects.filter(isIt),
    ],
    targets: [...listOf(saved.targets).filter((raw) => !isTarget(raw)), ...(target ? [target] : [])],
  };
}

/** As Python's json writes it, with two blanks, sorted keys and ASCII only: what rtslib writes, byte for byte. */
export function format(configuration: unknown): string {
  const text = JSON.stringify(sortKeys(configuration), null, 2);
  return `${text.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}

/** Discovery credentials are written also while they are switched off (rtslib loses them). */
function dumpFabric(state: FabricState): Raw[] {
  const { accounts, discoveryAccounts } = state;
  // Accounts are not LIO's; rtslib passes over their keys.
  const credentials = {
    ...dumpAuth('discovery_', state.discoveryAuth),
    ...(accounts.size > 0 && { accounts: [...accounts].sort().map(([userid, password]) => ({ userid, password })) }),
    ...(discoveryAccounts.length > 0 && { discovery_accounts: discoveryAccounts }),
  };
  if (!state.discoveryAuthEnabled && Object.keys({ ...credentials, ...state.unknown }).length === 0) return [];
  return [
    { ...state.unknown, name: state.fabric.name, discovery_enable_auth: state.discoveryAuthEnabled, ...credentials },
  ];
}

const dumpAuth = (prefix: string, auth: Auth): Raw =>
  Object.fromEntries(authKeys.filter((key) => auth[key] !== '').map((key) => [prefix + key, auth[key]]));

/** Attributes of ours, and those of the file that we do not have. */
const withUnknown = (unknown: Raw, key: string, known: Raw): Raw => ({
  ...(unknown[key] as Raw | undefined),
  ...known,
});

function dumpStorageObject(storageObject: StorageObject, kept: Kept): Raw {
  const { unknown, backstore, name, wwn, config, attributes, aluaGroups } = storageObject;
  return {
    ...unknown,
    name,
    plugin: backstore.plugin,
    // rtslib takes no serial number for a device that has its own.
    ...(!backstore.passesThrough && { wwn }),
    ...config,
    attributes: withUnknown(unknown, 'attributes', { ...attributes.saved(), ...attributes.savedForeign() }),
    alua_tpgs: [...aluaGroups, ...(kept.inside.get(storageObject)?.alua_tpgs ?? [])],
  };
}

const byIndex = (a: { index: number }, b: { index: number }) => a.index - b.index;

function dumpTarget(target: Target, kept: Kept): Raw {
  return {
    ...target.unknown,
    fabric: target.fabric.name,
    wwn: target.wwn,
    tpgs: [
      ...[...target.tpgs.values()].sort((a, b) => a.tag - b.tag).map((tpg) => dumpTpg(tpg, kept)),
      ...(kept.inside.get(target)?.tpgs ?? []),
    ],
  };
}

function dumpTpg(tpg: Tpg, kept: Kept): Raw {
  const { unknown, target, attributes, parameters } = tpg;
  const inside = kept.inside.get(tpg);
  const luns = [...tpg.luns.values()].sort(byIndex).map((lun) => ({
    ...lun.unknown,
    index: lun.index,
    // rtslib names the plugin here, also for user backstores.
    storage_object: `/backstores/${lun.storageObject.backstore.plugin}/${lun.storageObject.name}`,
    alias: lun.alias,
    alua_tg_pt_gp_name: lun.aluaGroup,
    // Not LIO's key; rtslib passes over it.
    ...(lun.attached && { attach: true }),
  }));
  const portals = tpg.portals.map((portal) => ({
    ...portal.unknown,
    ip_address: bracketed(portal.address),
    port: portal.port,
    iser: portal.iser,
    offload: portal.offload,
  }));
  return {
    ...unknown,
    tag: tpg.tag,
    enable: tpg.enabled,
    // Not LIO's key; rtslib passes over it.
    relative_port_id: tpg.relativePortId,
    ...(tpg.nexusWwn && { nexus_wwn: tpg.nexusWwn }),
    attributes: withUnknown(unknown, 'attributes', attributes.saved()),
    ...attributes.savedForeign(),
    ...(Object.keys(target.fabric.tpgParameters).length > 0 && {
      parameters: withUnknown(unknown, 'parameters', parameters.saved()),
    }),
    luns: [...luns, ...(inside?.luns ?? [])],
    portals: [...portals, ...(inside?.portals ?? [])],
    node_acls: [...[...tpg.acls.values()].map((acl) => dumpAcl(acl, kept)), ...(inside?.node_acls ?? [])],
    ...dumpAuth('chap_', tpg.auth),
    // Not LIO's keys; rtslib passes over them.
    ...(tpg.accounts.length > 0 && { chap_accounts: tpg.accounts }),
    ...(tpg.accessList && { access_list: tpg.accessList }),
  };
}

function dumpAcl(acl: NodeAcl, kept: Kept): Raw {
  const mapped = [...acl.mappedLuns.values()].sort(byIndex).map(({ index, lun, writeProtect, alias, unknown }) => ({
    ...unknown,
    index,
    tpg_lun: lun.index,
    write_protect: writeProtect,
    alias,
  }));
  return {
    ...acl.unknown,
    node_wwn: acl.wwn,
    attributes: withUnknown(acl.unknown, 'attributes', acl.attributes.saved()),
    ...acl.attributes.savedForeign(),
    mapped_luns: [...mapped, ...(kept.inside.get(acl)?.mapped_luns ?? [])],
    ...(acl.tag && { tag: acl.tag }),
    ...dumpAuth('chap_', acl.auth),
  };
}
