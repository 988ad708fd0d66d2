/** The tree, what stands in it, and what can be done to it: printed from the records (npx vitest run test/library -u). */

import type {
  CreateBlock,
  CreateFileio,
  CreatePscsi,
  CreateRamdisk,
  CreateUserNbd,
  CreateUserQcow,
  CreateUserRbd,
} from './creations.ts';
import type {
  Configuration,
  SavedAluaGroup,
  SavedFabric,
  SavedLun,
  SavedMappedLun,
  SavedNodeAcl,
  SavedPortal,
  SavedStorageObject,
  SavedTarget,
  SavedTpg,
} from './saved.ts';
import type {
  AluaGroupSettings,
  Chap,
  ChapWithAccounts,
  DiscoveryChap,
  IscsiAclAttributes,
  IscsiTpgAttributes,
  IscsiTpgParameters,
  LoopbackTpgAttributes,
  LunAttributes,
  StorageObjectAttributes,
  VhostTpgAttributes,
} from './settings.ts';
import type { Collection, OpenCollection, TreeObject, WholeConfiguration } from './shapes.ts';

/** A volume with an identity: the logical unit that initiators see. */
export interface StorageObjectNode extends TreeObject<SavedStorageObject> {
  readonly name: string;
  /** `create`: Makes a target port group. */
  readonly alua: Collection<AluaGroupNode, { name: string; tag: number }, [name: string]>;
  /** Changes the size, while it is served, too. Without a size: the one that its medium has now. */
  resize(params?: { size?: number; force?: boolean }): Promise<void>;
  /** Changes an attribute. */
  set(group: 'attribute', values: Partial<StorageObjectAttributes>): Promise<void>;
}

/** A target port group of a storage object. */
export interface AluaGroupNode extends TreeObject<SavedAluaGroup> {
  readonly name: string;
  /** Changes a setting of the group. */
  set(group: 'alua', values: Partial<AluaGroupSettings>): Promise<void>;
}

/** A storage object under a number. */
export interface LunNode extends TreeObject<SavedLun> {
  readonly index: number;
  /** Changes a setting of the LUN: its target port group is `alua_tg_pt_gp_name` of the group `alua`. */
  set(group: 'attribute', values: Partial<LunAttributes>): Promise<void>;
  /** Changes a setting of the LUN: its target port group is `alua_tg_pt_gp_name` of the group `alua`. */
  set(group: 'alua', values: Partial<{ alua_tg_pt_gp_name: string }>): Promise<void>;
}

/** An address and a port that a TPG listens on. */
export interface PortalNode extends TreeObject<SavedPortal> {
  readonly address: string;
  readonly port: number;
  /** Sets what initiators are told instead of the address on which it listens, or drains the portal. */
  set(group: 'attribute', values: Partial<{ advertised: string; drain: string }>): Promise<void>;
}

/** A LUN as one initiator sees it. */
export interface MappedLunNode extends TreeObject<SavedMappedLun> {
  readonly index: number;
  /** Lets the initiator write to the LUN, or only read it, while it uses it, too. */
  set(group: 'attribute', values: Partial<{ write_protect: 0 | 1 }>): Promise<void>;
}

/** What else is done at `luns`. */
export interface LunsActions {
  /** Makes the LUN a block device of this machine, where the fabric can do that. */
  attach(params: { lun: number }): Promise<void>;
  /** Lets the LUN be a block device no longer; `force` also while somebody uses it. */
  detach(params: { lun: number; force?: boolean }): Promise<void>;
  /**
   * Gives a LUN another number, or takes it to another TPG. In its own TPG initiators with an ACL go on seeing it under
   * the number that it is mapped under; in another one it is mapped for those that have an ACL there, too.
   */
  move(params: { lun: number; to?: number; tpg?: string }): Promise<void>;
}

/** What else is done at `acls`. */
export interface AclsActions {
  /** Puts the ACL of an initiator into a group, whose settings and mapped LUNs it then has. */
  tag(params: { wwn: string; tag: string }): Promise<void>;
  /**
   * The ACL is for another initiator name; its mapped LUNs, secrets and settings stay. Sessions of the old name end.
   */
  rename(params: { wwn: string; to: string }): Promise<void>;
  /** Admits another initiator with the same mapped LUNs, secrets, settings and tag. */
  copy(params: { wwn: string; to: string }): Promise<void>;
}

/** What else is done at `portals`. */
export interface PortalsActions {
  /**
   * Listens on another address or port, or for another TPG, with the same settings. Sessions that came in through it
   * end.
   */
  move(params: {
    ip_address: string;
    ip_port: number;
    to_address?: string;
    to_port?: number;
    tpg?: string;
  }): Promise<void>;
}

/** What else is done where storage objects are made. */
export interface BackstoreActions<C> {
  /**
   * Gives a storage object another name. Initiators do not notice: serial number, NAA name and INQUIRY data stay, and
   * where the name was the product identification, product_id keeps it.
   */
  rename(params: { name: string; to: string }): Promise<void>;
  /**
   * Puts another medium into a storage object, which keeps its name, serial number, attributes and LUNs; initiators are
   * told. What the old medium holds is not copied.
   */
  replace(params: { name: string; force?: boolean } & Partial<Omit<C, 'name' | 'wwn' | 'write_back'>>): Promise<void>;
}

/** What else is done where they are made of a text that may be another one. */
export interface MediumActions {
  /** Puts another medium into a storage object; initiators are told. */
  changemedium(params: { name: string; size?: number; cfgstring?: string }): Promise<void>;
}

/** The kinds of backstore. */
export interface Backstores {
  /** A volume on a block device: a disk, a partition, an LVM volume … */
  readonly block: Collection<StorageObjectNode, CreateBlock, [name: string]> & BackstoreActions<CreateBlock>;
  /** A volume in a file. */
  readonly fileio: Collection<StorageObjectNode, CreateFileio, [name: string]> & BackstoreActions<CreateFileio>;
  /** A SCSI device of this machine, whose own answers initiators get. */
  readonly pscsi: Collection<StorageObjectNode, CreatePscsi, [name: string]> & BackstoreActions<CreatePscsi>;
  /** A volume in memory. Its contents are lost when the target stops. */
  readonly ramdisk: Collection<StorageObjectNode, CreateRamdisk, [name: string]> & BackstoreActions<CreateRamdisk>;
  /** An export of an NBD server. */
  readonly 'user:nbd': Collection<StorageObjectNode, CreateUserNbd, [name: string]> &
    BackstoreActions<CreateUserNbd> &
    MediumActions;
  /** A qcow2 image, by qemu-storage-daemon. */
  readonly 'user:qcow': Collection<StorageObjectNode, CreateUserQcow, [name: string]> &
    BackstoreActions<CreateUserQcow> &
    MediumActions;
  /** An image of a Ceph cluster, by librbd. */
  readonly 'user:rbd': Collection<StorageObjectNode, CreateUserRbd, [name: string]> &
    BackstoreActions<CreateUserRbd> &
    MediumActions;
}

/** iSCSI: block storage over TCP. */
export interface IscsiFabric {
  /** Where it stands. */
  readonly path: string;
  /** What it has, as `saveconfig.json` has it, and its targets. */
  read(): Promise<SavedFabric & { targets: readonly SavedTarget<'iscsi'>[] }>;
  /** `create`: Makes a target; without a name, one is made up. */
  readonly targets: OpenCollection<IscsiTargetNode, { wwn?: string }, [wwn: string]>;
  /** Makes a CHAP account, which TPGs and discovery take by its name. */
  add_account(params: { userid: string; password: string }): Promise<void>;
  /** Removes a CHAP account, from all that take it, too. */
  remove_account(params: { userid: string }): Promise<void>;
  /** Gives a target another name; all that it has stays. Sessions end: initiators know it by its name. */
  rename(params: { wwn: string; to: string }): Promise<void>;
  /**
   * Makes another target with the same TPGs, portals, LUNs, ACLs and settings. Both export the same storage objects.
   */
  copy(params: { wwn: string; to: string }): Promise<void>;
  /** Changes the CHAP words of discovery, or switches it on and off by `enable`. */
  set(group: 'discovery_auth', values: Partial<DiscoveryChap>): Promise<void>;
}

/** A target of iscsi. */
export interface IscsiTargetNode extends TreeObject<SavedTarget<'iscsi'>> {
  readonly wwn: string;
  /** `create`: Makes a TPG, disabled; without a tag, with the lowest that is free. */
  readonly tpgs: OpenCollection<IscsiTpgNode, { tag?: number }, [tag: number]>;
}

/** A TPG of iscsi. */
export interface IscsiTpgNode extends TreeObject<SavedTpg<'iscsi'>> {
  readonly tag: number;
  /** `create`: Exports a storage object; without a number, under the lowest that is free. */
  readonly luns: Collection<LunNode, { storage_object: string | StorageObjectNode; lun?: number }, [lun: number]> &
    LunsActions;
  /** `create`: Listens on an address and a port. */
  readonly portals: Collection<
    PortalNode,
    { ip_address: string; ip_port?: number },
    [ip_address: string, ip_port: number]
  > &
    PortalsActions;
  /** `create`: Admits an initiator, which sees the LUNs that are mapped for it. */
  readonly acls: Collection<IscsiAclNode, { wwn: string }, [wwn: string]> & AclsActions;
  /** Begins the access list of the TPG, or replaces it: nobody else sees it and may come to it. */
  restrict(params?: { addresses?: string; names?: string }): Promise<void>;
  /** Ends the access list: whoever ACLs or demo mode admit may come. */
  unrestrict(): Promise<void>;
  /** Refuses an initiator until a time, whatever else lets it in; its sessions end. */
  fence(params: { wwn: string; until: string }): Promise<void>;
  /** Takes a fence off before its time: the initiator may log in again. */
  unfence(params: { wwn: string }): Promise<void>;
  /** Lets initiators in. */
  enable(): Promise<void>;
  /** Lets no initiator in; those that are logged in are sent away. */
  disable(): Promise<void>;
  /** Changes a setting of the TPG. */
  set(group: 'attribute', values: Partial<IscsiTpgAttributes>): Promise<void>;
  /** Changes a setting of the TPG. */
  set(group: 'parameter', values: Partial<IscsiTpgParameters>): Promise<void>;
  /** Changes a setting of the TPG. */
  set(group: 'auth', values: Partial<ChapWithAccounts>): Promise<void>;
}

/** An initiator that a TPG of iscsi admits. */
export interface IscsiAclNode extends TreeObject<SavedNodeAcl<'iscsi'>> {
  readonly wwn: string;
  /** `create`: Maps a LUN for the initiator, under a number of its own. */
  readonly mappedLuns: Collection<
    MappedLunNode,
    { mapped_lun: number; tpg_lun: number | LunNode; write_protect?: boolean },
    [mapped_lun: number]
  >;
  /** Changes a setting of the ACL. */
  set(group: 'attribute', values: Partial<IscsiAclAttributes>): Promise<void>;
  /** Changes a setting of the ACL. */
  set(group: 'auth', values: Partial<Chap>): Promise<void>;
}

/** Loopback: LUNs for this machine, without a network. */
export interface LoopbackFabric {
  /** Where it stands. */
  readonly path: string;
  /** What it has, as `saveconfig.json` has it, and its targets. */
  read(): Promise<SavedFabric & { targets: readonly SavedTarget<'loopback'>[] }>;
  /** `create`: Makes a target; without a name, one is made up. */
  readonly targets: OpenCollection<LoopbackTargetNode, { wwn?: string }, [wwn: string]>;
  /** Makes a CHAP account, which TPGs and discovery take by its name. */
  add_account(params: { userid: string; password: string }): Promise<void>;
  /** Removes a CHAP account, from all that take it, too. */
  remove_account(params: { userid: string }): Promise<void>;
  /** Gives a target another name; all that it has stays. Sessions end: initiators know it by its name. */
  rename(params: { wwn: string; to: string }): Promise<void>;
  /**
   * Makes another target with the same TPGs, portals, LUNs, ACLs and settings. Both export the same storage objects.
   */
  copy(params: { wwn: string; to: string }): Promise<void>;
}

/** A target of loopback, which is its one TPG as well. */
export interface LoopbackTargetNode extends TreeObject<SavedTpg<'loopback'>> {
  readonly wwn: string;
  /** `create`: Exports a storage object; without a number, under the lowest that is free. */
  readonly luns: Collection<LunNode, { storage_object: string | StorageObjectNode; lun?: number }, [lun: number]> &
    LunsActions;
  /** Begins the access list of the TPG, or replaces it: nobody else sees it and may come to it. */
  restrict(params?: { addresses?: string; names?: string }): Promise<void>;
  /** Ends the access list: whoever ACLs or demo mode admit may come. */
  unrestrict(): Promise<void>;
  /** Refuses an initiator until a time, whatever else lets it in; its sessions end. */
  fence(params: { wwn: string; until: string }): Promise<void>;
  /** Takes a fence off before its time: the initiator may log in again. */
  unfence(params: { wwn: string }): Promise<void>;
  /** Lets initiators in. */
  enable(): Promise<void>;
  /** Lets no initiator in; those that are logged in are sent away. */
  disable(): Promise<void>;
  /** Changes a setting of the TPG. */
  set(group: 'attribute', values: Partial<LoopbackTpgAttributes>): Promise<void>;
}

/** vhost: LUNs for virtual machines on this machine. */
export interface VhostFabric {
  /** Where it stands. */
  readonly path: string;
  /** What it has, as `saveconfig.json` has it, and its targets. */
  read(): Promise<SavedFabric & { targets: readonly SavedTarget<'vhost'>[] }>;
  /** `create`: Makes a target; without a name, one is made up. */
  readonly targets: OpenCollection<VhostTargetNode, { wwn?: string }, [wwn: string]>;
  /** Makes a CHAP account, which TPGs and discovery take by its name. */
  add_account(params: { userid: string; password: string }): Promise<void>;
  /** Removes a CHAP account, from all that take it, too. */
  remove_account(params: { userid: string }): Promise<void>;
  /** Gives a target another name; all that it has stays. Sessions end: initiators know it by its name. */
  rename(params: { wwn: string; to: string }): Promise<void>;
  /**
   * Makes another target with the same TPGs, portals, LUNs, ACLs and settings. Both export the same storage objects.
   */
  copy(params: { wwn: string; to: string }): Promise<void>;
}

/** A target of vhost. */
export interface VhostTargetNode extends TreeObject<SavedTarget<'vhost'>> {
  readonly wwn: string;
  /** `create`: Makes a TPG, disabled; without a tag, with the lowest that is free. */
  readonly tpgs: OpenCollection<VhostTpgNode, { tag?: number }, [tag: number]>;
}

/** A TPG of vhost. */
export interface VhostTpgNode extends TreeObject<SavedTpg<'vhost'>> {
  readonly tag: number;
  /** `create`: Exports a storage object; without a number, under the lowest that is free. */
  readonly luns: Collection<LunNode, { storage_object: string | StorageObjectNode; lun?: number }, [lun: number]> &
    LunsActions;
  /** `create`: Admits an initiator, which sees the LUNs that are mapped for it. */
  readonly acls: Collection<VhostAclNode, { wwn: string }, [wwn: string]> & AclsActions;
  /** Begins the access list of the TPG, or replaces it: nobody else sees it and may come to it. */
  restrict(params?: { addresses?: string; names?: string }): Promise<void>;
  /** Ends the access list: whoever ACLs or demo mode admit may come. */
  unrestrict(): Promise<void>;
  /** Refuses an initiator until a time, whatever else lets it in; its sessions end. */
  fence(params: { wwn: string; until: string }): Promise<void>;
  /** Takes a fence off before its time: the initiator may log in again. */
  unfence(params: { wwn: string }): Promise<void>;
  /** Lets initiators in. */
  enable(): Promise<void>;
  /** Lets no initiator in; those that are logged in are sent away. */
  disable(): Promise<void>;
  /** Changes a setting of the TPG. */
  set(group: 'attribute', values: Partial<VhostTpgAttributes>): Promise<void>;
}

/** An initiator that a TPG of vhost admits. */
export interface VhostAclNode extends TreeObject<SavedNodeAcl<'vhost'>> {
  readonly wwn: string;
  /** `create`: Maps a LUN for the initiator, under a number of its own. */
  readonly mappedLuns: Collection<
    MappedLunNode,
    { mapped_lun: number; tpg_lun: number | LunNode; write_protect?: boolean },
    [mapped_lun: number]
  >;
}

/** The tree of a configuration. */
export interface Tcli extends WholeConfiguration<Configuration> {
  readonly backstores: Backstores;
  readonly iscsi: IscsiFabric;
  readonly loopback: LoopbackFabric;
  readonly vhost: VhostFabric;
  /** Loads a saved configuration, or a part of it. */
  restoreconfig(params: {
    configuration: Configuration | object;
    clear_existing?: boolean;
    target?: string;
    storage_object?: string;
    new_serials?: boolean;
  }): Promise<void>;
  /** Removes every storage object and every target. */
  clearconfig(): Promise<void>;
}
