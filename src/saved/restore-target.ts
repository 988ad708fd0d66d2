/** A saved target → the tree: its TPGs with their settings, LUNs, portals and ACLs. What cannot be restored: restoration.ts. */

import { OperatorError } from '../errors.ts';
import type { Values } from '../operations/operation.ts';
import type { Raw } from '../operations/tree.ts';
import type { AccessList } from '../target/access-list.ts';
import { authKeys } from '../target/auth.ts';
import type { FabricState, NodeAcl, Target, Tpg } from '../target/target.ts';
import type { Restoration } from './restoration.ts';
import { isRaw, numberOf, others, rawOf, textOf, truthOf } from './saved-shape.ts';

/** Fabrics that rtslib knows and that need hardware or a kernel. */
const kernelFabrics: readonly string[] = [
  'efct',
  'ibmvscsis',
  'qla2xxx',
  'sbp',
  'srpt',
  'tcm_fc',
  'usb_gadget',
  'xen-pvscsi',
];

const chapKeys = authKeys.map((key) => `chap_${key}`);

/** @throws OperatorError with what is wrong */
export async function restoreTarget(restoration: Restoration, raw: Raw, number: number) {
  const { wwn, fabric } = raw;
  if (typeof wwn !== 'string') throw new OperatorError(`'wwn' not defined in target ${number}`);
  if (typeof fabric !== 'string') throw new OperatorError(`target ${wwn} missing 'fabric' field`);
  const state = restoration.tree.fabrics.get(fabric);
  if (!state && kernelFabrics.includes(fabric)) return 'kept';
  if (!state) throw new OperatorError(`Unknown fabric '${fabric}'`);
  const tpgs = restoration.list(raw, 'tpgs', `target ${wwn}`);
  const settled = settledTpg(rawOf(tpgs[0]));
  const made = await restoration.do(
    `/${fabric}`,
    'create',
    { wwn, settled },
    (reason) => `Could not create Target object: ${reason}`,
  );
  const target = state.targets.get(String(made['wwn']))!;
  return async () => {
    target.unknown = others(raw, ['wwn', 'fabric', 'tpgs']);
    const keep = restoration.keeping(target, 'tpgs');
    for (const tpg of tpgs)
      await restoration.part(tpg, keep, async (saved) => {
        const made = await tpgOf(restoration, state, target, saved);
        return () => fillTpg(restoration, made, saved);
      });
  };
}

async function tpgOf(restoration: Restoration, state: FabricState, target: Target, raw: Raw): Promise<Tpg> {
  const only = state.fabric.tpgNodes ? undefined : target.tpgs.get(1);
  if (only) return only;
  const tag = numberOf(raw['tag']);
  const params = await restoration.do(
    `/${state.fabric.name}/${target.wwn}`,
    'create',
    { ...(tag !== undefined && { tag }), settled: settledTpg(raw) },
    (reason) => `Could not create TPG ${textOf(raw['tag'] ?? '')} of ${target.wwn}: ${reason}`,
  );
  return target.tpgs.get(Number(params['tag']))!;
}

async function fillTpg(restoration: Restoration, tpg: Tpg, raw: Raw): Promise<void> {
  const where = `TPG ${tpg.tag}`;
  const attributes = await restoration.attributes(tpg.attributes, allAttributes(tpg, raw), 'attribute');
  const parameters = await restoration.attributes(tpg.parameters, raw['parameters'], 'parameter');
  for (const lun of restoration.list(raw, 'luns', where))
    await restoration.part(lun, restoration.keeping(tpg, 'luns'), (saved) => restoreLun(restoration, tpg, saved));
  for (const portal of restoration.list(raw, 'portals', where))
    await restoration.part(portal, restoration.keeping(tpg, 'portals'), (saved) =>
      restorePortal(restoration, tpg, saved),
    );
  for (const acl of restoration.list(raw, 'node_acls', where))
    await restoration.part(acl, restoration.keeping(tpg, 'node_acls'), (saved) => restoreAcl(restoration, tpg, saved));
  restoration.auth(tpg.auth, raw, 'chap_', `Could not set tpg ${tpg.tag} attribute`);
  tpg.accounts = restoration.list(raw, 'chap_accounts', where).map(textOf);
  if (raw['access_list'] !== undefined && raw['access_list'] !== null)
    tpg.accessList = readAccessList(restoration, raw['access_list'], where);
  const known = [
    ...[
      'chap_accounts',
      'access_list',
      'tag',
      'enable',
      'relative_port_id',
      'nexus_wwn',
      'attributes',
      'parameters',
      'luns',
      'portals',
      'node_acls',
    ],
    ...tpg.attributes.foreignNames,
    ...chapKeys,
  ];
  tpg.unknown = { ...others(raw, known), ...attributes, ...parameters };
  // Who is let in is not guessed.
  tpg.enabled = raw['enable'] === undefined || raw['enable'] === null || truthOf(raw['enable']) === true;
}

/** What cannot be read lets nobody come. */
function readAccessList(restoration: Restoration, saved: unknown, where: string): AccessList {
  if (!isRaw(saved)) restoration.errors.push(`'access_list' of ${where} is no object; it lets nobody come`);
  const list = (key: keyof AccessList) =>
    restoration.list(rawOf(saved), key, `the access list of ${where}`).map(textOf);
  return { addresses: list('addresses'), names: list('names') };
}

async function restoreLun(restoration: Restoration, tpg: Tpg, raw: Raw) {
  const { tree } = restoration;
  const index = numberOf(raw['index']);
  if (index === undefined) throw new OperatorError(`'index' missing from a LUN in TPG ${tpg.tag}`);
  const [, plugin = '', name] = /^\/backstores\/([^/]+)\/([^/]+)$/.exec(textOf(raw['storage_object'])) ?? [];
  if (name === undefined) throw new OperatorError(`Malformed storage object field for LUN ${index}`);
  const storageObject = tree.storageObjectOf(plugin, name);
  if (!storageObject && tree.kept.storageObjects.some((one) => one['plugin'] === plugin && one['name'] === name))
    return 'kept';
  if (!storageObject) throw new OperatorError(`Could not find matching StorageObject for LUN ${index}`);
  const params = { storage_object: storageObject.path, lun: index, ...settledAlias(raw) };
  const failed = (reason: string) => `Creating TPG ${tpg.tag} LUN index ${index} failed: ${reason}`;
  await restoration.do(`${tpg.path}/luns`, 'create', params, failed);
  const lun = tpg.luns.get(index)!;
  return () => {
    const group = raw['alua_tg_pt_gp_name'];
    const isGroup = group === null || storageObject.aluaGroups.some((one) => one['name'] === group);
    if (!isGroup && group !== undefined)
      restoration.errors.push(`Could not set alua_tg_pt_gp_name '${textOf(group)}' of LUN ${index}`);
    const restored = {
      ...lun,
      unknown: others(raw, ['index', 'storage_object', 'alias', 'alua_tg_pt_gp_name', 'attach']),
      aluaGroup: isGroup ? (group as string | null) : lun.aluaGroup,
      attached: raw['attach'] === true && tpg.target.fabric.isLocal === true,
    };
    storageObject.exports.delete(lun);
    tpg.luns.set(index, restored);
    storageObject.exports.add(restored);
  };
}

async function restorePortal(restoration: Restoration, tpg: Tpg, raw: Raw) {
  const { ip_address: address } = raw;
  if (typeof address !== 'string')
    throw new OperatorError(`'ip_address' field missing from a portal in TPG ${tpg.tag}`);
  const port = numberOf(raw['port']);
  if (port === undefined) throw new OperatorError(`'port' field missing from a portal in TPG ${tpg.tag}`);
  await restoration.do(
    `${tpg.path}/portals`,
    'create',
    { ip_address: address, ip_port: port },
    (reason) => `Creating NetworkPortal object ${address}:${port} failed: ${reason}`,
  );
  return () => {
    const last = tpg.portals.length - 1;
    tpg.portals[last] = {
      ...tpg.portals[last]!,
      iser: truthOf(raw['iser']) === true,
      offload: truthOf(raw['offload']) === true,
      unknown: others(raw, ['ip_address', 'port', 'iser', 'offload']),
    };
  };
}

async function restoreAcl(restoration: Restoration, tpg: Tpg, raw: Raw) {
  const wwn = raw['node_wwn'];
  if (typeof wwn !== 'string') throw new OperatorError("'node_wwn' missing in node_acl");
  const made = await restoration.do(
    `${tpg.path}/acls`,
    'create',
    { wwn },
    (reason) => `Error when creating NodeACL for ${wwn}: ${reason}`,
  );
  const acl = tpg.acls.get(String(made['wwn']))!;
  return async () => {
    const strange = await restoration.attributes(acl.attributes, allAttributes(acl, raw), 'attribute');
    for (const mapped of restoration.list(raw, 'mapped_luns', `ACL ${wwn}`))
      await restoration.part(mapped, restoration.keeping(acl, 'mapped_luns'), (saved) =>
        restoreMappedLun(restoration, tpg, acl, saved),
      );
    restoration.auth(acl.auth, raw, 'chap_', `Could not set nodeacl ${wwn} attribute`);
    if (typeof raw['tag'] === 'string') acl.tag = raw['tag'];
    const known = ['node_wwn', 'attributes', 'mapped_luns', 'tag', ...acl.attributes.foreignNames, ...chapKeys];
    acl.unknown = { ...others(raw, known), ...strange };
  };
}

async function restoreMappedLun(restoration: Restoration, tpg: Tpg, acl: NodeAcl, raw: Raw) {
  const [index, tpgLun] = [numberOf(raw['index']), numberOf(raw['tpg_lun'])];
  if (tpgLun === undefined) throw new OperatorError("'tpg_lun' not in a mapped_lun");
  if (index === undefined) throw new OperatorError("'index' not in a mapped_lun");
  const keptLuns = restoration.tree.kept.inside.get(tpg)?.luns ?? [];
  if (!tpg.luns.has(tpgLun) && keptLuns.some((lun) => restoration.isNotForUs(lun) && numberOf(lun['index']) === tpgLun))
    return 'kept';
  if (!tpg.luns.has(tpgLun))
    throw new OperatorError(`Could not find matching TPG LUN ${tpgLun} for MappedLUN ${index}`);
  // One that cannot be read as no is a yes: what was protected stays so.
  const writeProtect = raw['write_protect'] ?? false;
  await restoration.do(
    `${tpg.path}/acls/${acl.wwn}`,
    'create',
    { mapped_lun: index, tpg_lun: tpgLun, write_protect: truthOf(writeProtect) !== false, ...settledAlias(raw) },
    () => `Creating MappedLUN object ${index} failed`,
  );
  return () => {
    const mapped = acl.mappedLuns.get(index)!;
    acl.mappedLuns.set(index, { ...mapped, unknown: others(raw, ['index', 'tpg_lun', 'write_protect', 'alias']) });
  };
}

/** The attributes in their group, and those that stand beside it. */
function allAttributes({ attributes }: Tpg | NodeAcl, raw: Raw): unknown {
  const saved = raw['attributes'] ?? {};
  const beside = attributes.foreignNames.filter((name) => Object.hasOwn(raw, name)).map((name) => [name, raw[name]]);
  return isRaw(saved) ? { ...saved, ...Object.fromEntries(beside) } : saved;
}

function settledTpg(raw: Raw): Values {
  const { relative_port_id: portId, nexus_wwn: nexus } = raw;
  return { ...(typeof portId === 'number' && { portId }), ...(typeof nexus === 'string' && { nexus }) };
}

const settledAlias = ({ alias }: Raw): Values => (typeof alias === 'string' ? { settled: { alias } } : {});
