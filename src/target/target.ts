/** What stands below a fabric: targets, their portal groups, and in these portals, LUNs, node ACLs and mapped LUNs. */

import { Attributes, type AttributeTable } from '../attribute.ts';
import type { StorageObject } from '../scsi/logical-unit.ts';
import type { AccessList } from './access-list.ts';
import { type Auth, emptyAuth } from './auth.ts';
import type { Fabric } from './fabric.ts';
import type { Ways } from './traffic.ts';

type Unknown = Readonly<Record<string, unknown>>;

/** A fabric's part of the tree. */
export interface FabricState {
  readonly fabric: Fabric;
  readonly targets: Map<string, Target>;
  readonly discoveryAuth: Auth;
  discoveryAuthEnabled: boolean;
  /** CHAP accounts, name → secret: TPGs and discovery take them by name. */
  readonly accounts: Map<string, string>;
  /** The accounts that may ask for targets, besides that of `discoveryAuth`. */
  discoveryAccounts: readonly string[];
  /** Unknown keys of its `fabric_modules` entry. */
  unknown: Readonly<Record<string, unknown>>;
}

export const fabricState = (fabric: Fabric): FabricState => ({
  fabric,
  targets: new Map(),
  discoveryAuth: emptyAuth(),
  discoveryAuthEnabled: false,
  accounts: new Map(),
  discoveryAccounts: [],
  unknown: {},
});

/** One WWN in a fabric, with its target portal groups. */
export class Target {
  readonly fabric: Fabric;
  readonly wwn: string;
  /** By tag. */
  readonly tpgs = new Map<number, Tpg>();
  /** Keys of saveconfig.json that are not ours: written back as they were. */
  unknown: Readonly<Record<string, unknown>>;

  constructor(fabric: Fabric, wwn: string, unknown: Readonly<Record<string, unknown>> = {}) {
    this.fabric = fabric;
    this.wwn = wwn;
    this.unknown = unknown;
  }

  /** `/iscsi/iqn…` */
  get path(): string {
    return `/${this.fabric.name}/${this.wwn}`;
  }
}

/** Address and port. IPv6 addresses stand without brackets here; `printPortal` adds them. */
export interface Portal {
  readonly address: string;
  readonly port: number;
  readonly iser: boolean;
  readonly offload: boolean;
  readonly unknown: Unknown;
}

/** `0.0.0.0:3260`, `[::1]:3260` */
export const printPortal = (portal: { address: string; port: number }): string =>
  `${bracketed(portal.address)}:${portal.port}`;

/** An address as saveconfig.json and the tree spell it. */
export const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

export interface Lun {
  readonly tpg: Tpg;
  readonly index: number;
  readonly storageObject: StorageObject;
  /** 10 hexadecimal digits, LIO's name for it; kept in the file. */
  readonly alias: string;
  /** The storage object's target port group that it is in; null where the kind has none. */
  aluaGroup: string | null;
  /** It shall be a block device of this machine, where the fabric can do that. */
  attached?: boolean;
  readonly ways: Ways;
  readonly unknown: Unknown;
}

/** A LUN as one initiator sees it. */
export interface MappedLun {
  readonly index: number;
  readonly lun: Lun;
  readonly writeProtect: boolean;
  readonly alias: string;
  readonly unknown: Unknown;
}

/** One initiator name allowed in a TPG. */
export class NodeAcl {
  readonly tpg: Tpg;
  readonly wwn: string;
  readonly attributes: Attributes<AttributeTable>;
  readonly auth: Auth = emptyAuth();
  /** Name of the group that it belongs to, '' when none. */
  tag = '';
  /** By the number that the initiator uses. */
  readonly mappedLuns = new Map<number, MappedLun>();
  unknown: Unknown;

  constructor(tpg: Tpg, wwn: string, unknown: Unknown = {}) {
    this.tpg = tpg;
    this.wwn = wwn;
    this.attributes = new Attributes(tpg.target.fabric.aclAttributes);
    this.unknown = unknown;
  }
}

export class Tpg {
  readonly target: Target;
  readonly tag: number;
  /** SCSI relative target port identifier, 1 to 65535: given once, unique in the process, never reused for another TPG. */
  readonly relativePortId: number;
  enabled = false;
  readonly attributes: Attributes<AttributeTable>;
  readonly parameters: Attributes<AttributeTable>;
  readonly auth: Auth = emptyAuth();
  /** The accounts of the fabric that initiators without an ACL may use, besides that of `auth`. */
  accounts: readonly string[] = [];
  /** Who may come to it at all; undefined: everybody. */
  accessList: AccessList | undefined;
  readonly luns = new Map<number, Lun>();
  readonly acls = new Map<string, NodeAcl>();
  readonly portals: Portal[] = [];
  /** Initiator WWN of fabrics that have a nexus of their own (loopback); '' elsewhere. */
  nexusWwn = '';
  unknown: Unknown;

  constructor(target: Target, tag: number, relativePortId: number, unknown: Unknown = {}) {
    this.target = target;
    this.tag = tag;
    this.relativePortId = relativePortId;
    this.attributes = new Attributes(target.fabric.tpgAttributes);
    this.parameters = new Attributes(target.fabric.tpgParameters);
    this.unknown = unknown;
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

  /** `/iscsi/iqn…/tpg1`, or the target's path where the fabric has no TPG nodes. */
  get path(): string {
    const { path, fabric } = this.target;
    return fabric.tpgNodes ? `${path}/tpg${this.tag}` : path;
  }
}
