/**
 * Access: the rules by which an initiator may log in to a TPG, and the storage object behind each LUN for it. "Why was I refused?" is
 * answered here.
 */

import type { LogicalUnitView, StorageObject, TargetPort } from '../scsi/logical-unit.ts';

import { numberBehind } from '../scsi/shared-unit.ts';
import { isListed } from './access-list.ts';
import { standingFences } from './fences.ts';
import type { FabricState, Lun, MappedLun, NodeAcl, Tpg } from './target.ts';

/** The way in which an initiator was let in. A demo-mode initiator sees the TPG's LUNs themselves. */
export type Admission =
  | { readonly admitted: true; readonly acl: NodeAcl | undefined }
  | { readonly admitted: false; readonly because: string };

/** A rule that is asked before an initiator is let in to a TPG. */
export interface AccessRule {
  readonly name: 'enabled' | 'access list' | 'fence' | 'acl';
  /**
   * The reason, in a line, why the rule does not let the initiator in; undefined when it does.
   * @param initiatorName as normalised: lower case
   * @param address of the initiator, without brackets
   * @param date the clock on the wall, in milliseconds since 1970
   */
  readonly refusal: (tpg: Tpg, initiatorName: string, address: string, date: number) => string | undefined;
}

/** Whether nobody logs in: each TPG has one initiator, its own nexus, which whoever reaches it on this machine is. */
export const hasOwnNexus = ({ target }: Tpg): boolean => target.fabric.features.includes('nexus');

/** Whether an initiator that has no ACL sees the LUNs. */
export const admitsWithoutAcl = (tpg: Tpg): boolean => hasOwnNexus(tpg) || tpg.attribute('generate_node_acls') === 1;

/** The reason why nobody can come in while the TPG is disabled. */
export const whyDisabled = ({ enabled, path }: Tpg): string | undefined =>
  enabled ? undefined : `${path} is disabled`;

/** The rules in the order in which they are asked: the first that refuses decides. */
export const accessRules: readonly AccessRule[] = [
  { name: 'enabled', refusal: whyDisabled },
  { name: 'access list', refusal: (tpg, initiatorName, address) => whyUnlisted(tpg, initiatorName, address) },
  { name: 'fence', refusal: (tpg, initiatorName, _address, date) => whyFenced(tpg, initiatorName, date) },
  {
    name: 'acl',
    refusal: (tpg, initiatorName) =>
      tpg.acls.has(initiatorName) || tpg.attribute('generate_node_acls') === 1
        ? undefined
        : `no ACL for ${initiatorName} in ${tpg.path}, and generate_node_acls=0`,
  },
];

/** Asks every rule. A refusal has the words of `AccessRule.refusal`. */
export function admitInitiator(tpg: Tpg, initiatorName: string, address: string, date: number): Admission {
  for (const { refusal } of accessRules) {
    const because = refusal(tpg, initiatorName, address, date);
    if (because !== undefined) return { admitted: false, because };
  }
  return { admitted: true, acl: tpg.acls.get(initiatorName) };
}

/**
 * The reason why the TPG's access list does not have an initiator, which then does not see the TPG; undefined when it has, or there is
 * none.
 */
export function whyUnlisted({ accessList, path }: Tpg, initiatorName: string, address: string): string | undefined {
  if (!accessList || isListed(accessList, initiatorName, address)) return undefined;
  return `neither ${address} nor ${initiatorName} is in the access list of ${path}`;
}

/** The reason why a fence keeps an initiator out; undefined where there is none, or its time is over. */
export function whyFenced({ fences, path }: Tpg, initiatorName: string, date: number): string | undefined {
  const fence = standingFences(fences, date).find(({ initiator }) => initiator === initiatorName);
  return fence && `${initiatorName} is fenced off from ${path} until ${new Date(fence.until).toISOString()}`;
}

/** The facts on which somebody was let in: a login that goes on, or a session. */
export interface Standing {
  readonly initiatorName: string;
  /** The initiator's addresses, without brackets. */
  readonly addresses: readonly string[];
  readonly tpg: Tpg;
  readonly acl: NodeAcl | undefined;
}

/** The reason why access would not give the same answer again, or undefined. A caller that uses an earlier answer asks this first. */
export function whyAccessEnded(
  { targets }: FabricState,
  { initiatorName, addresses, tpg, acl }: Standing,
  date: number,
): string | undefined {
  if (targets.get(tpg.target.wwn)?.tpgs.get(tpg.tag) !== tpg) return `${tpg.path} was deleted`;
  for (const address of addresses.length > 0 ? addresses : ['']) {
    const admission = admitInitiator(tpg, initiatorName, address, date);
    if (!admission.admitted) return admission.because;
    if (admission.acl !== acl) return `the ACL of ${initiatorName} was made or deleted`;
  }
  return undefined;
}

/** The numbers that the initiator sees, ascending. */
export function lunsOf(tpg: Tpg, acl: NodeAcl | undefined): number[] {
  return [...(acl ? acl.mappedLuns : tpg.luns).keys()].sort((a, b) => a - b);
}

/** The LUN that an initiator reaches under `number`. */
export const lunBehind = (tpg: Tpg, acl: NodeAcl | undefined, number: number): Lun | undefined =>
  acl ? acl.mappedLuns.get(number)?.lun : tpg.luns.get(number);

/** The storage object and the rights behind `number` for the initiator that `acl` (undefined: demo mode) admitted. */
export function viewOf(tpg: Tpg, acl: NodeAcl | undefined, number: number): LogicalUnitView | undefined {
  if (!acl) {
    const lun = tpg.luns.get(number);
    return lun && view(lun, tpg.attribute('demo_mode_write_protect') === 1);
  }
  const mapped = acl.mappedLuns.get(number);
  return mapped && view(mapped.lun, mapped.writeProtect || tpg.attribute('prod_mode_write_protect') === 1);
}

function view(lun: Lun, writeProtected: boolean): LogicalUnitView {
  return {
    storageObject: lun.storageObject,
    writeProtected,
    port: portOfLun(lun),
    ...(lun.limits.isSet && { limits: lun.limits }),
  };
}

/** The number of the target port group that a LUN is in; 0, the default group, where it is in none. */
function portGroupOf({ storageObject, aluaGroup }: Lun): number {
  if (storageObject.shared) return storageObject.shared.own;
  const group = storageObject.aluaGroups.find(({ name }) => name === aluaGroup);
  return group?.tg_pt_gp_id ?? 0;
}

/** The target ports through which a storage object is exported (SPC-4 7.8.14), whoever uses them. */
export const portsOf = ({ exports, shared }: StorageObject): TargetPort[] =>
  [...(exports as Set<Lun>)].flatMap((lun) =>
    shared ? shared.groups.map((group) => portOfLun(lun, group.tg_pt_gp_id)) : [portOfLun(lun)],
  );

/** The port through which a LUN is reached; of a unit that gateways share, behind the gateway of a group. */
function portOfLun(lun: Lun, portGroup = portGroupOf(lun)): TargetPort {
  const { tpg, storageObject } = lun;
  return { ...portOf(tpg, storageObject.shared ? portGroup : undefined), portGroup };
}

/** The protocol identifier of iSCSI (SPC-4 7.6.1). */
const iscsiProtocol = 5;

/** The SCSI target port that a TPG is. @param gateway behind which; this one by default */
export function portOf(tpg: Tpg, gateway = tpg.target.place.gateway): TargetPort {
  const { wwn, fabric } = tpg.target;
  const tag = numberBehind(tpg.tag, gateway);
  return {
    targetName: wwn,
    // RFC 7143 4.4.1: iSCSI target name, ",t,0x" and the portal group tag in four hexadecimal digits.
    portName: fabric.protocol === iscsiProtocol ? `${wwn},t,0x${tag.toString(16).padStart(4, '0')}` : wwn,
    relativePortId: numberBehind(tpg.relativePortId, gateway),
    protocol: fabric.protocol,
    portGroup: 0,
  };
}

/** The lowest number that is free in `used`. */
export function lowestFree(used: ReadonlyMap<number, unknown>, from = 0): number {
  let number = from;
  while (used.has(number)) number += 1;
  return number;
}

/** The mapped LUNs, in every ACL of its TPG, that stand for `lun`. */
export function mappingsOf(lun: Lun): { acl: NodeAcl; mapped: MappedLun }[] {
  return [...lun.tpg.acls.values()].flatMap((acl) =>
    [...acl.mappedLuns.values()].filter((mapped) => mapped.lun === lun).map((mapped) => ({ acl, mapped })),
  );
}
