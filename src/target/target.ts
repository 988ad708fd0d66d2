/**
 * The objects below a fabric: targets, their portal groups, and in these portals, LUNs, node ACLs and mapped LUNs. Their types are made
 * of the keys of the saved file: fields.ts.
 */

import { Attributes, type AttributeTable } from '../attribute.ts';
import { CommandLimits } from '../scsi/limits.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import { numberBehind } from '../scsi/shared-unit.ts';
import type { AccessList } from './access-list.ts';
import { type Auth, emptyAuth } from './auth.ts';
import type { Fabric } from './fabric.ts';
import {
  type aclFields,
  type fabricFields,
  lunAttributes,
  type lunFields,
  type mappedLunFields,
  type PropertiesOf,
  type portalFields,
  type targetFields,
  type tpgFields,
} from './fields.ts';
import { Ways } from './traffic.ts';

type Unknown = Readonly<Record<string, unknown>>;

/** The place where a tree is served. */
export interface ServingPlace {
  /** The number of this gateway, which is its target port group, among those that share the tree; absent: nobody shares it. */
  gateway?: number | undefined;
}

/** A fabric's part of the tree. */
export interface FabricState extends PropertiesOf<Omit<typeof fabricFields, 'name'>> {
  readonly fabric: Fabric;
  readonly place: ServingPlace;
  readonly targets: Map<string, Target>;
  readonly discoveryAuth: Auth;
  /** The CHAP accounts, name → secret: TPGs and discovery use them by name. */
  readonly accounts: Map<string, string>;
  /** Unknown keys of the fabric's `fabric_modules` entry. */
  unknown: Unknown;
}

/** A fabric without targets. */
export const fabricState = (fabric: Fabric, place: ServingPlace = {}): FabricState => ({
  fabric,
  place,
  targets: new Map(),
  discoveryAuth: emptyAuth(),
  discoveryAuthEnabled: false,
  accounts: new Map(),
  discoveryAccounts: [],
  unknown: {},
});

/** One WWN in a fabric, with its target portal groups. */
export class Target implements Omit<PropertiesOf<typeof targetFields>, 'fabric'> {
  readonly fabric: Fabric;
  readonly wwn: string;
  readonly place: ServingPlace;
  /** The target portal groups by tag. */
  readonly tpgs = new Map<number, Tpg>();
  /** Keys of saveconfig.json that are not ours: written back as they were. */
  unknown: Unknown = {};

  constructor(fabric: Fabric, wwn: string, place: ServingPlace = {}) {
    this.fabric = fabric;
    this.wwn = wwn;
    this.place = place;
  }

  /** The path: `/iscsi/iqn…`. */
  get path(): string {
    return `/${this.fabric.name}/${this.wwn}`;
  }

  /** The one TPG of a fabric without TPG nodes: it was made with the target, and has the target's path. */
  get only(): Tpg | undefined {
    return this.fabric.tpgNodes ? undefined : this.tpgs.get(1);
  }
}

/** Address and port. IPv6 addresses stand without brackets here; `printPortal` adds them. */
export interface Portal extends PropertiesOf<typeof portalFields> {
  unknown: Unknown;
}

/** A portal as it is when it has just been created. */
export const freshPortal = (address: string, port: number): Portal => ({
  address,
  port,
  iser: false,
  offload: false,
  advertised: '',
  drain: '',
  unknown: {},
});

/** Prints a portal: `0.0.0.0:3260`, `[::1]:3260`. */
export const printPortal = (portal: { address: string; port: number }): string =>
  `${bracketed(portal.address)}:${portal.port}`;

/** The portal in the tree. */
export const portalPath = (tpg: Tpg, portal: Portal): string => `${tpg.path}/portals/${printPortal(portal)}`;

/** The path of an ACL in the shell, where ACLs with the same tag are one node. Operations name it by the initiator. */
export const aclNode = ({ tpg, tag, wwn }: NodeAcl): string => `${tpg.path}/acls/${tag || wwn}`;

/** Wishes of a saved file for a portal that this target does not fulfil, since it speaks TCP. Empty where there are none. */
export const keptOf = ({ iser, offload }: Portal): string => (iser ? 'iser' : offload ? 'offload' : '');

/** An address as saveconfig.json and the tree spell it. */
export const bracketed = (address: string): string =>
  address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;

/** A storage object under a number. */
export interface Lun extends PropertiesOf<Omit<typeof lunFields, 'storage_object'>> {
  readonly tpg: Tpg;
  readonly storageObject: StorageObject;
  readonly attributes: Attributes<typeof lunAttributes>;
  /** The limits that the LUN's attributes set. */
  readonly limits: CommandLimits;
  readonly ways: Ways;
  unknown: Unknown;
}

/** A LUN as it is when it has just been created, in the storage object's first ALUA group. */
export function newLun(tpg: Tpg, index: number, storageObject: StorageObject, alias: string): Lun {
  const limits = new CommandLimits();
  const attributes: Lun['attributes'] = new Attributes(lunAttributes, {}, () => limits.set(attributes.values));
  return {
    tpg,
    index,
    storageObject,
    alias,
    aluaGroup: storageObject.aluaGroups[0]?.name ?? null,
    attached: false,
    attributes,
    limits,
    ways: new Ways(),
    unknown: {},
  };
}

/** A LUN as one initiator sees it. */
export interface MappedLun extends PropertiesOf<Omit<typeof mappedLunFields, 'tpg_lun'>> {
  readonly lun: Lun;
  unknown: Unknown;
}

/** One initiator name allowed in a TPG. */
export class NodeAcl implements PropertiesOf<typeof aclFields> {
  readonly tpg: Tpg;
  readonly wwn: string;
  readonly attributes: Attributes<AttributeTable>;
  readonly auth: Auth = emptyAuth();
  /** The name of the group that the ACL belongs to, '' when none. */
  tag = '';
  /** The mapped LUNs by the number that the initiator uses. */
  readonly mappedLuns = new Map<number, MappedLun>();
  unknown: Unknown = {};

  constructor(tpg: Tpg, wwn: string) {
    this.tpg = tpg;
    this.wwn = wwn;
    this.attributes = new Attributes(tpg.target.fabric.aclAttributes);
  }

  /** The path by which operations name it: `/iscsi/…/tpg1/acls/iqn.…`. */
  get path(): string {
    return `${this.tpg.path}/acls/${this.wwn}`;
  }
}

/** A target portal group. */
export class Tpg implements PropertiesOf<typeof tpgFields> {
  readonly target: Target;
  readonly tag: number;
  /** The SCSI relative target port identifier, 1 to 65535: given once, unique in the process, never reused for another TPG. */
  readonly relativePortId: number;
  enabled = false;
  readonly attributes: Attributes<AttributeTable>;
  readonly parameters: Attributes<AttributeTable>;
  readonly auth: Auth = emptyAuth();
  /** The accounts of the fabric that initiators without an ACL may use, besides that of `auth`. */
  accounts: readonly string[] = [];
  /** The initiators that may come to the TPG at all; undefined: everybody. */
  accessList: AccessList | undefined;
  /** The initiators that are refused until a time, a word each: fences.ts. */
  fences: readonly string[] = [];
  readonly luns = new Map<number, Lun>();
  readonly acls = new Map<string, NodeAcl>();
  readonly portals: Portal[] = [];
  /** The initiator WWN of fabrics that have a nexus of their own (loopback); '' elsewhere. */
  nexusWwn = '';
  unknown: Unknown = {};

  constructor(target: Target, tag: number, relativePortId: number) {
    this.target = target;
    this.tag = tag;
    this.relativePortId = relativePortId;
    this.attributes = new Attributes(target.fabric.tpgAttributes);
    this.parameters = new Attributes(target.fabric.tpgParameters);
  }

  /** The tag that initiators see: portals of one tag are those of one gateway (RFC 7143 4.4.1). */
  get portalGroupTag(): number {
    return numberBehind(this.tag, this.target.place.gateway);
  }

  /** An attribute as a number, 0 where the fabric has none of that name. */
  attribute(name: string): number {
    const value = this.attributes.values[name] as number | undefined;
    return value ?? 0;
  }

  /** An iSCSI text parameter (`MaxBurstLength` …), '' where the fabric has none of that name. */
  parameter(name: string): string {
    const value = this.parameters.values[name] as string | undefined;
    return value ?? '';
  }

  /** The path: `/iscsi/iqn…/tpg1`, or the target's path where the fabric has no TPG nodes. */
  get path(): string {
    const { path, fabric } = this.target;
    return fabric.tpgNodes ? `${path}/tpg${this.tag}` : path;
  }
}
