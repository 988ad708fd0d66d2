/** Operations inside a TPG: switching it, LUNs, node ACLs, mapped LUNs, groups of settings. Those on portals are in portal-operations.ts. */

import { syntaxError, types } from '../attribute.ts';
import { OperatorError } from '../errors.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { lowestFree } from '../target/access.ts';
import { type Lun, NodeAcl, newLun, type Tpg } from '../target/target.ts';
import { normaliseWwn } from '../target/wwn.ts';
import { accessOperations, accountsSetting, setAccounts } from './access-operations.ts';
import { fenceOperations, fencesSetting, setFencesBy } from './fence-operations.ts';
import { operation, type ParameterValues } from './operation.ts';
import { portalOperations } from './portal-operations.ts';
import { groupOf } from './saved-form.ts';
import { schema } from './schema.ts';
import { removeLun } from './storage-object-operations.ts';

/** SAM-5 4.7.4: flat space addressing reaches 16,383; LIO numbers LUNs up to 65,535. */
const lunMax = 65_535;

const groupParams = { group: 'string', name: 'string', value: 'printable' } as const;

export const tpgOperations = [
  ...portalOperations,
  ...accessOperations,
  ...fenceOperations,
  operation({
    at: 'tpg',
    verb: 'enable',
    doc: 'Lets initiators in.',
    params: {},
    apply: (_tree, { tpg }, params) => switchTpg(tpg, true, params),
  }),
  operation({
    at: 'tpg',
    verb: 'disable',
    doc: 'Lets no initiator in; those that are logged in are sent away.',
    params: {},
    apply: (_tree, { tpg }, params) => switchTpg(tpg, false, params),
  }),
  operation({
    at: 'tpg',
    verb: 'set',
    doc: 'Changes a setting of the TPG.',
    params: groupParams,
    apply(tree, { tpg }, params, around) {
      const { group, name, value } = params;
      if (group === fencesSetting.group && name === fencesSetting.name)
        return { params, undo: setFencesBy(tpg, value, around) };
      const settings = groupOf(schema.tpg, tpg, group);
      if (group === 'auth' && name === accountsSetting)
        return { params, undo: setAccounts(tree.fabric(tpg.target.fabric.name), tpg, value) };
      const undo = settings.set(name, value);
      if (group !== 'attribute' || name !== 'authentication' || !tpg.parameters.of('AuthMethod'))
        return { params, undo };
      const undoMethod = groupOf(schema.tpg, tpg, 'parameter').set('AuthMethod', methodWith(value === '1'));
      const undoBoth = () => {
        undo();
        undoMethod();
      };
      return { params, undo: undoBoth };
    },
  }),
  operation({
    at: 'luns',
    verb: 'create',
    doc: 'Exports a storage object; without a number, under the lowest that is free.',
    params: { storage_object: 'string', lun: 'number?', settled: 'object?' },
    apply(tree, { tpg }, params, around) {
      const storageObject = tree.storageObject(params.storage_object);
      if (!storageObject)
        throw new OperatorError(
          'storage object or path not valid',
          `${params.storage_object} is no storage object; see: ls /backstores`,
        );
      if (around.inCluster) refuseLocal(storageObject);
      if ([...(storageObject.exports as ReadonlySet<Lun>)].some((lun) => lun.tpg === tpg))
        throw new OperatorError(
          `lun for storage object ${storageObject.backstore.plugin}/${storageObject.name} already exists`,
        );
      const index = params.lun ?? lowestFree(tpg.luns);
      if (!Number.isInteger(index) || index < 0 || index > lunMax)
        throw new OperatorError(`LUN must be 0 to ${lunMax}`);
      if (tpg.luns.has(index))
        throw new OperatorError(
          'This LUN already exists in configFS',
          `lun${index} is taken; free: ${lowestFree(tpg.luns)}`,
        );
      const earlier = params.settled as { alias?: string } | undefined;
      const alias = earlier?.alias ?? around.randomHex(10);
      const lun = newLun(tpg, index, storageObject, alias);
      tpg.luns.set(index, lun);
      storageObject.exports.add(lun);
      return {
        params: { storage_object: storageObject.path, lun: index, settled: { alias } },
        undo: () => void removeLun(lun),
      };
    },
  }),
  operation({
    at: 'luns',
    verb: 'delete',
    doc: 'Takes a LUN and its mapped LUNs away.',
    params: { lun: 'number' },
    apply(_tree, { tpg }, params) {
      const lun = lunNumbered(tpg, params.lun);
      refuseAttached(lun);
      return { params, undo: removeLun(lun) };
    },
  }),
  ...(['attach', 'detach'] as const).map((verb) =>
    operation({
      at: 'luns',
      verb,
      doc:
        verb === 'attach'
          ? 'Makes the LUN a block device of this machine, where the fabric can do that.'
          : 'Lets the LUN be a block device no longer; `force` also while somebody uses it.',
      params: { lun: 'number', ...(verb === 'detach' && { force: 'boolean?' as const }) },
      apply(_tree, { tpg }, params) {
        const lun = lunNumbered(tpg, params.lun);
        if (!tpg.target.fabric.isLocal)
          throw new OperatorError(`A LUN of ${tpg.target.fabric.name} is reached by initiators, not attached`);
        const before = lun.attached;
        if (before === (verb === 'attach')) throw new OperatorError(`The LUN is already ${verb}ed.`);
        lun.attached = !before;
        const undo = () => {
          lun.attached = before;
        };
        return { params, undo };
      },
    }),
  ),
  operation({
    at: 'acls',
    verb: 'create',
    doc: 'Admits an initiator, which sees the LUNs that are mapped for it.',
    params: { wwn: 'printable' },
    apply(_tree, { tpg }, params) {
      const wwn = newAclName(tpg, params.wwn);
      tpg.acls.set(wwn, new NodeAcl(tpg, wwn));
      return { params: { wwn }, undo: () => void tpg.acls.delete(wwn) };
    },
  }),
  operation({
    at: 'acls',
    verb: 'delete',
    doc: 'Admits an initiator no longer, and ends its sessions.',
    params: { wwn: 'string' },
    apply(_tree, { tpg }, params) {
      const acl = aclNamed(tpg, params.wwn);
      tpg.acls.delete(acl.wwn);
      return { params: { wwn: acl.wwn }, undo: () => void tpg.acls.set(acl.wwn, acl) };
    },
  }),
  operation({
    at: 'acls',
    verb: 'tag',
    doc: 'Puts the ACL of an initiator into a group, whose settings and mapped LUNs it then has.',
    // The tag '' takes the ACL out of its group.
    params: { wwn: 'string', tag: 'printable' },
    apply(_tree, { tpg }, params) {
      const acl = tpg.acls.get(params.wwn);
      if (!acl) throw new OperatorError(`wwn_or_tag ${params.wwn} not found.`);
      const { tag } = params;
      const leader = [...tpg.acls.values()].find((other) => other !== acl && tag !== '' && other.tag === tag);
      const before = stateOf(acl);
      if (leader && acl.tag !== tag) take(acl, stateOf(leader));
      acl.tag = tag;
      return { params, undo: () => take(acl, before) };
    },
  }),
  operation({
    at: 'acl',
    verb: 'create',
    doc: 'Maps a LUN for the initiator, under a number of its own.',
    params: { mapped_lun: 'number', tpg_lun: 'number', write_protect: 'boolean?', settled: 'object?' },
    apply(_tree, { tpg, acl }, params, around) {
      const index = params.mapped_lun;
      const lun = tpg.luns.get(params.tpg_lun);
      if (!lun)
        throw new OperatorError(
          `LUN ${params.tpg_lun} does not exist in this TPG`,
          `LUNs here: ${[...tpg.luns.keys()].join(', ') || 'none'}`,
        );
      if (!Number.isInteger(index) || index < 0 || index > lunMax)
        throw new OperatorError(`Mapped LUN must be 0 to ${lunMax}`);
      if (acl.mappedLuns.has(index))
        throw new OperatorError('This MappedLUN already exists in configFS', `free: ${lowestFree(acl.mappedLuns)}`);
      const earlier = params.settled as { alias?: string } | undefined;
      const alias = earlier?.alias ?? around.randomHex(10);
      const writeProtect = params.write_protect === true;
      acl.mappedLuns.set(index, { index, lun, writeProtect, alias, unknown: {} });
      return {
        params: { mapped_lun: index, tpg_lun: lun.index, write_protect: writeProtect, settled: { alias } },
        undo: () => void acl.mappedLuns.delete(index),
      };
    },
  }),
  operation({
    at: 'acl',
    verb: 'delete',
    doc: 'Takes a mapped LUN away.',
    params: { mapped_lun: 'number' },
    apply(_tree, { tpg, acl }, params) {
      const index = params.mapped_lun;
      const mapped = acl.mappedLuns.get(index);
      if (!mapped)
        throw new OperatorError(
          `No such MappedLUN in configfs: /sys/kernel/config/target/${tpg.target.fabric.name}/${tpg.target.wwn}/tpgt_${tpg.tag}/acls/${acl.wwn}/lun_${index}`,
          `Mapped LUNs here: ${[...acl.mappedLuns.keys()].join(', ') || 'none'}`,
        );
      acl.mappedLuns.delete(index);
      return { params, undo: () => void acl.mappedLuns.set(index, mapped) };
    },
  }),
  operation({
    at: 'mapped lun',
    verb: 'set',
    doc: 'Lets the initiator write to the LUN, or only read it, while it uses it, too.',
    params: groupParams,
    apply(_tree, { mapped }, params) {
      const { group, name, value } = params;
      if (group !== 'attribute') throw new OperatorError(`Unknown configuration group: ${group}`);
      if (name !== 'write_protect') throw new OperatorError(`Unknown parameter ${name} in group '${group}'.`);
      const wanted = types.onOff.parse(value);
      if (wanted === undefined) throw new OperatorError(`Not setting ${name}! ${syntaxError(types.onOff, value)}`);
      const before = mapped.writeProtect;
      mapped.writeProtect = wanted === 1;
      const undo = () => {
        mapped.writeProtect = before;
      };
      return { params, undo };
    },
  }),
  operation({
    at: 'acl',
    verb: 'set',
    doc: 'Changes a setting of the ACL.',
    params: groupParams,
    apply(_tree, { acl }, params) {
      const { group, name, value } = params;
      return { params, undo: groupOf(schema.nodeAcl, acl, group).set(name, value) };
    },
  }),
];

/** @throws OperatorError when there is none of that number */
export function lunNumbered({ luns }: Tpg, number: number): Lun {
  const lun = luns.get(number);
  if (!lun) throw new OperatorError('Invalid LUN', `LUNs here: ${[...luns.keys()].join(', ') || 'none'}`);
  return lun;
}

/** @throws OperatorError while this machine has it as a block device */
export function refuseAttached({ attached, index }: Lun): void {
  if (attached) throw new OperatorError(`lun${index} is attached as a block device`, 'Detach it first.');
}

/** @throws OperatorError when the initiator has none */
export function aclNamed({ acls, tag, target: { wwn: targetWwn, fabric } }: Tpg, wwn: string): NodeAcl {
  const acl = acls.get(normaliseWwn(wwn, fabric.wwnTypes));
  if (acl) return acl;
  throw new OperatorError(
    `No such NodeACL in configfs: /sys/kernel/config/target/${fabric.name}/${targetWwn}/tpgt_${tag}/acls/${wwn}`,
    `ACLs here: ${[...acls.keys()].slice(0, 5).join(', ') || 'none'}`,
  );
}

/** The name of an initiator that is to get an ACL. @throws OperatorError for one that is none, or that has one */
export function newAclName({ acls, path, target: { fabric } }: Tpg, given: string): string {
  const wwn = normaliseWwn(given, fabric.wwnTypes);
  if (acls.has(wwn)) throw new OperatorError('This NodeACL already exists in configFS', `${path}/acls/${wwn}`);
  return wwn;
}

/** Refuses a LUN on a medium that other gateways of the cluster do not reach. @throws OperatorError */
export function refuseLocal({ backstore, config, path }: StorageObject): void {
  if (backstore.sharing?.(config) === 'fences') return;
  throw new OperatorError(
    `${path} is storage of one machine, and in a cluster every gateway has every LUN.`,
    'What gateways serve together stands on Ceph: /backstores/user:rbd create …',
  );
}

/** LIO sets AuthMethod with `authentication`: requiring CHAP takes None out of the offer, and no longer requiring it puts None back. */
export const methodWith = (authentication: boolean): string => (authentication ? 'CHAP' : 'CHAP,None');

/** The state that ACLs of a group share. */
const stateOf = ({ tag, auth, attributes, mappedLuns }: NodeAcl) => ({
  tag,
  auth: { ...auth },
  values: { ...attributes.values },
  mappedLuns: [...mappedLuns.values()],
});

function take(acl: NodeAcl, { tag, auth, values, mappedLuns }: ReturnType<typeof stateOf>): void {
  acl.tag = tag;
  Object.assign(acl.auth, auth);
  Object.assign(acl.attributes.values, values);
  acl.mappedLuns.clear();
  for (const mapped of mappedLuns) acl.mappedLuns.set(mapped.index, { ...mapped });
}

function switchTpg(tpg: Tpg, enabled: boolean, params: ParameterValues) {
  if (tpg.enabled === enabled) throw new OperatorError(`The TPGT is already ${enabled ? 'enabled' : 'disabled'}.`);
  tpg.enabled = enabled;
  const undo = () => {
    tpg.enabled = !enabled;
  };
  return { params, undo };
}
