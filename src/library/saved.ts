/** What saveconfig.json has: printed from the records (npx vitest run test/library -u). */

import type { AluaGroupSettings, FabricName, FabricSettings, StorageObjectAttributes } from './settings.ts';

/** A storage object as saveconfig.json has it. Which keys it has besides depends on its kind. */
export interface SavedStorageObject {
  name: string;
  plugin: string;
  wwn?: string;
  dev?: string | null;
  readonly?: boolean | null;
  write_back?: boolean | null;
  direct?: boolean | null;
  size?: number | null;
  aio?: boolean | null;
  nullio?: boolean | null;
  config?: string | null;
  hw_max_sectors?: number | null;
  control?: string | null;
  attributes: Partial<StorageObjectAttributes>;
  alua_tpgs: readonly SavedAluaGroup[];
  /** Attributes that LIO does not have; in the whole file they stand in a key of their own. */
  storage_object_attributes?: Partial<StorageObjectAttributes>;
}

/** An ALUA group as saveconfig.json has it. */
export interface SavedAluaGroup extends AluaGroupSettings {
  name: string;
}

/** What saveconfig.json has of one: fabric. */
export interface SavedFabric {
  name: string;
  discovery_accounts?: readonly string[];
  discovery_enable_auth: boolean;
  discovery_userid?: string;
  discovery_password?: string;
  discovery_mutual_userid?: string;
  discovery_mutual_password?: string;
  discovery_old_password?: string;
  discovery_old_until?: string;
  secrets_left_out?: readonly string[];
  accounts?: readonly { userid: string; password: string }[];
}

/** What saveconfig.json has of one: target. */
export interface SavedTarget<F extends FabricName = FabricName> {
  fabric: string;
  wwn: string;
  tpgs: readonly SavedTpg<F>[];
}

/** What saveconfig.json has of one: tpg. */
export interface SavedTpg<F extends FabricName = FabricName> {
  tag: number;
  enable: boolean;
  relative_port_id: number;
  chap_accounts?: readonly string[];
  fences?: readonly string[];
  nexus_wwn?: string;
  attributes?: FabricSettings[F]['tpgAttributes'];
  labels?: string;
  redirect?: string;
  parameters?: FabricSettings[F]['tpgParameters'];
  chap_userid?: string;
  chap_password?: string;
  chap_mutual_userid?: string;
  chap_mutual_password?: string;
  chap_old_password?: string;
  chap_old_until?: string;
  secrets_left_out?: readonly string[];
  access_list?: { addresses: readonly string[]; names: readonly string[] };
  luns: readonly SavedLun[];
  portals: readonly SavedPortal[];
  node_acls: readonly SavedNodeAcl<F>[];
}

/** What saveconfig.json has of one: lun. */
export interface SavedLun {
  storage_object: string;
  index: number;
  alias: string;
  alua_tg_pt_gp_name: string | null;
  attach?: boolean;
  limit_iops?: number;
  limit_read_iops?: number;
  limit_write_iops?: number;
  limit_bytes?: number;
  limit_read_bytes?: number;
  limit_write_bytes?: number;
  limit_burst?: number;
}

/** What saveconfig.json has of one: portal. */
export interface SavedPortal {
  ip_address: string;
  port: number;
  iser: boolean;
  offload: boolean;
  advertised?: string;
  drain?: string;
}

/** What saveconfig.json has of one: acl. */
export interface SavedNodeAcl<F extends FabricName = FabricName> {
  node_wwn: string;
  tag?: string;
  attributes?: FabricSettings[F]['aclAttributes'];
  tcq_depth?: number;
  chap_userid?: string;
  chap_password?: string;
  chap_mutual_userid?: string;
  chap_mutual_password?: string;
  chap_old_password?: string;
  chap_old_until?: string;
  secrets_left_out?: readonly string[];
  mapped_luns: readonly SavedMappedLun[];
}

/** What saveconfig.json has of one: mapped lun. */
export interface SavedMappedLun {
  index: number;
  tpg_lun: number;
  write_protect: boolean;
  alias: string;
}

/** Everything, as saveconfig.json has it. */
export interface Configuration {
  storage_objects: readonly SavedStorageObject[];
  fabric_modules: readonly SavedFabric[];
  targets: readonly SavedTarget[];
  /** By path: what storage objects have and LIO does not. */
  storage_object_attributes?: Readonly<
    Record<string, Partial<StorageObjectAttributes> & Pick<SavedStorageObject, 'direct'>>
  >;
}
