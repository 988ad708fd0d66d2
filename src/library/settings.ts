/** Every setting that there is, by its group: printed from the records (npx vitest run test/library -u). */

/** Attributes of a storage object. */
export interface StorageObjectAttributes {
  /** Answer the ALUA commands. Default: 1. */
  alua_support: 0 | 1;
  /** Bytes in a logical block. Default: 512. */
  block_size: 512 | 1024 | 2048 | 4096;
  /** IEEE company identifier of the NAA designator, six hexadecimal digits. Default: 001405. */
  company_id: string;
  /** Offer EXTENDED COPY (third-party copy). Default: 1. */
  emulate_3pc: 0 | 1;
  /** Offer COMPARE AND WRITE. Default: 1. */
  emulate_caw: 0 | 1;
  /** Accept DPO (disable page out). Default: 1. */
  emulate_dpo: 0 | 1;
  /** Accept FUA on reads. Default: 1. */
  emulate_fua_read: 0 | 1;
  /** Accept FUA on writes. Default: 1. */
  emulate_fua_write: 0 | 1;
  /** Use the backstore name as the INQUIRY product identification. Default: 0. */
  emulate_model_alias: 0 | 1;
  /** Offer reservations. Default: 1. */
  emulate_pr: 0 | 1;
  /** Restricted reordering. Default: 0. */
  emulate_rest_reord: 0;
  /** Offer REPORT SUPPORTED OPERATION CODES. Default: 1. */
  emulate_rsoc: 0 | 1;
  /** Report TASK ABORTED to an initiator whose tasks another one aborted. Default: 1. */
  emulate_tas: 0 | 1;
  /** Thin provisioning: accept UNMAP. Default: 0. */
  emulate_tpu: 0 | 1;
  /** Thin provisioning: accept WRITE SAME with UNMAP. Default: 0. */
  emulate_tpws: 0 | 1;
  /** Unit attention interlock. Default: 0. */
  emulate_ua_intlck_ctrl: number;
  /** Volatile write cache: writes are stable only after a flush or with FUA. Default: 0. */
  emulate_write_cache: 0 | 1;
  /** Reservations look at the ISID. Default: 1. */
  enforce_pr_isids: 0 | 1;
  /** Every registration survives power loss. Default: 0. */
  force_pr_aptpl: 0 | 1;
  /** Block size of the medium. */
  readonly hw_block_size: number;
  /** Longest transfer that initiators are advised to make, in blocks. */
  readonly hw_max_sectors: number;
  /** Protection type of the medium. */
  readonly hw_pi_prot_type: number;
  /** Queue depth of the medium. */
  readonly hw_queue_depth: number;
  /** The medium does not rotate. Default: 0. */
  is_nonrot: 0 | 1;
  /** What management tools keep here: NAME=VALUE, separated by commas. */
  labels: string;
  /** Descriptors in one UNMAP. Default: 1. */
  max_unmap_block_desc_count: number;
  /** Blocks in one UNMAP. Default: 8192. */
  max_unmap_lba_count: number;
  /** Blocks in one WRITE SAME. 0: no limit, and a WRITE SAME of 0 blocks goes to the end. Default: 4096. */
  max_write_same_len: number;
  /** The unit has its medium. 0: commands that need it end with NOT READY. Default: 1. */
  online: 0 | 1;
  /** Best transfer length, in blocks. Default: 16384. */
  optimal_sectors: number;
  /** Support persistent reservations. Default: 1. */
  pgr_support: 0 | 1;
  /** Bytes in a physical block, which writes should be aligned to. 0: what the medium says. Default: 0. */
  physical_block_size: 0 | 512 | 1024 | 2048 | 4096 | 8192 | 16384;
  /** Format protection information. Default: 0. */
  pi_prot_format: 0;
  /** Protection information type. Default: 0. */
  pi_prot_type: 0;
  /** Verify protection information. Default: 0. */
  pi_prot_verify: 0;
  /** INQUIRY product identification. Empty: the name or the kind of the backstore, as emulate_model_alias says. */
  product_id: string;
  /** Queue depth. Default: 128. */
  queue_depth: number;
  /** Refuse every write. Default: 0. */
  read_only: 0 | 1;
  /** The medium can be ejected and loaded by initiators. Default: 0. */
  removable: 0 | 1;
  /** INQUIRY product revision level. Default: 4.0. */
  revision: string;
  /** Identification of a disk that came from tgt. When it is set, VPD 83h is as tgtd gives it. */
  scsi_id: string;
  /** The locally assigned name in the VPD 83h of tgtd: target and LUN, sixteen hexadecimal digits. */
  scsi_local_id: string;
  /** Serial number of a disk that came from tgt. When it is set, VPD 80h is as tgtd gives it. */
  scsi_sn: string;
  /** UNMAP granularity, in blocks. Default: 1. */
  unmap_granularity: number;
  /** First LBA to which the granularity applies. Default: 0. */
  unmap_granularity_alignment: number;
  /** Unmapped blocks read as zeros. Default: 0. */
  unmap_zeroes_data: 0 | 1;
  /** T10 vendor identification. Default: LIO-ORG. */
  vendor_id: string;
}

/** Settings of an ALUA target port group. */
export interface AluaGroupSettings {
  /**
   * The state: 0 Active/optimized, 1 Active/non-optimized, 2 Standby, 3 Unavailable, 4 LBA Dependent, 14 Offline, 15
   * Transitioning. Default: 0.
   */
  alua_access_state: 0 | 1 | 2 | 3 | 4 | 14 | 15;
  /** Who changed the state last: 0 nobody, 1 an initiator, 2 this target. Default: 0. */
  alua_access_status: number;
  /** Who may change the state: 0 nobody, 1 the target, 2 initiators, 3 both. Default: 3. */
  alua_access_type: number;
  /** The state Active/non-optimized can occur. Default: 1. */
  alua_support_active_nonoptimized: 0 | 1;
  /** The state Active/optimized can occur. Default: 1. */
  alua_support_active_optimized: 0 | 1;
  /** The state LBA Dependent can occur. */
  readonly alua_support_lba_dependent: 0 | 1;
  /** The state Offline can occur. Default: 1. */
  alua_support_offline: 0 | 1;
  /** The state Standby can occur. Default: 1. */
  alua_support_standby: 0 | 1;
  /** The state Transitioning can occur. Default: 1. */
  alua_support_transitioning: 0 | 1;
  /** The state Unavailable can occur. Default: 1. */
  alua_support_unavailable: 0 | 1;
  /** Keep the state across restarts. Default: 0. */
  alua_write_metadata: 0 | 1;
  /** How long a change by the target may take, in seconds. Default: 0. */
  implicit_trans_secs: number;
  /** How long commands wait in Active/non-optimized, in milliseconds. Default: 100. */
  nonop_delay_msecs: number;
  /** Initiators should prefer this group. Default: 0. */
  preferred: 0 | 1;
  /** The number of the group. */
  readonly tg_pt_gp_id: number;
  /** How long a change of state takes, in milliseconds: the state is Transitioning meanwhile. Default: 0. */
  trans_delay_msecs: number;
}

/** Attributes of a LUN. */
export interface LunAttributes {
  /** Commands that read or write that are carried out in a second; 0 for as many as come. Default: 0. */
  limit_iops: number;
  /** Commands that read that are carried out in a second; 0 for as many as come. Default: 0. */
  limit_read_iops: number;
  /** Commands that write that are carried out in a second; 0 for as many as come. Default: 0. */
  limit_write_iops: number;
  /**
   * Bytes of what is read and written in a second, as in 100M; 0 for as many as come. One command counts for 10 seconds
   * at most. Default: 0.
   */
  limit_bytes: number;
  /**
   * Bytes of what is read in a second, as in 100M; 0 for as many as come. One command counts for 10 seconds at most.
   * Default: 0.
   */
  limit_read_bytes: number;
  /**
   * Bytes of what is written in a second, as in 100M; 0 for as many as come. One command counts for 10 seconds at most.
   * Default: 0.
   */
  limit_write_bytes: number;
  /** Seconds of the limits that may be used up at once, after a time in which less was asked. Default: 1. */
  limit_burst: number;
}

/** Tpg Attributes of iscsi. */
export interface IscsiTpgAttributes {
  /** Require CHAP of every initiator, unless its ACL says otherwise. Default: 1. */
  authentication: 0 | 1;
  /** Keep the ACLs that demo mode makes. Default: 0. */
  cache_dynamic_acls: 0 | 1;
  /** Commands that a session may have under way. Default: 128. */
  default_cmdsn_depth: number;
  /** Error recovery level. Default: 0. */
  default_erl: number;
  /** Show this TPG also to initiators that may not log in to it. Default: 1. */
  demo_mode_discovery: 0 | 1;
  /** LUNs are read-only for initiators without an ACL. Default: 1. */
  demo_mode_write_protect: 0 | 1;
  /** Protection type that the fabric emulates. Default: 0. */
  fabric_prot_type: 0 | 1 | 3;
  /** Demo mode: admit initiators without an ACL. Default: 0. */
  generate_node_acls: 0 | 1;
  /** What management tools keep here: NAME=VALUE, separated by commas. */
  labels: string;
  /** Bear with initiators that answer keys late. Default: 1. */
  login_keys_workaround: 0 | 1;
  /** Seconds that a login may take. Default: 15. */
  login_timeout: number;
  /** Seconds until a dead network interface is noticed. Default: 2. */
  netif_timeout: number;
  /** LUNs are read-only for initiators with an ACL. Default: 0. */
  prod_mode_write_protect: 0 | 1;
  /** Where initiators are sent that log in: ADDRESS[:PORT]; with ,permanent for good. Sessions that are open stay. */
  redirect: string;
  /** T10 protection information. Default: 0. */
  t10_pi: 0 | 1;
  /** Show this TPG only while it is enabled. Default: 1. */
  tpg_enabled_sendtargets: 0 | 1;
}

/** Tpg Parameters of iscsi. */
export interface IscsiTpgParameters {
  /** Authentication methods offered; authentication=1 takes None away. Default: CHAP,None. */
  AuthMethod: string;
  /** Digests offered for the data of a PDU. Default: CRC32C,None. */
  DataDigest: string;
  /** Data PDUs come in order within a sequence. Default: Yes. */
  DataPDUInOrder: 'Yes' | 'No';
  /** Data sequences come in order. Default: Yes. */
  DataSequenceInOrder: 'Yes' | 'No';
  /** Seconds that tasks of a lost connection are kept. Default: 20. */
  DefaultTime2Retain: string;
  /** Seconds that an initiator waits before it comes back. Default: 2. */
  DefaultTime2Wait: string;
  /** Error recovery level. Default: 0. */
  ErrorRecoveryLevel: string;
  /** Bytes of a command that may come unasked. Default: 65536. */
  FirstBurstLength: string;
  /** Digests offered for the header of a PDU. Default: CRC32C,None. */
  HeaderDigest: string;
  /** Marker interval, obsolete. Default: Reject. */
  IFMarkInt: string;
  /** Markers to the initiator, obsolete. Default: No. */
  IFMarker: 'Yes' | 'No';
  /** Data may come in the command itself. Default: Yes. */
  ImmediateData: 'Yes' | 'No';
  /** Data beyond the command waits for an R2T. Default: Yes. */
  InitialR2T: 'Yes' | 'No';
  /** Bytes in a Data-In or solicited Data-Out sequence. Default: 262144. */
  MaxBurstLength: string;
  /** Connections in a session. Default: 1. */
  MaxConnections: string;
  /** R2Ts that a command may have outstanding. Default: 1. */
  MaxOutstandingR2T: string;
  /** Data segment bytes that an initiator takes when it does not say. Default: 8192. */
  MaxRecvDataSegmentLength: string;
  /** Data segment bytes that the target takes. Default: 262144. */
  MaxXmitDataSegmentLength: string;
  /** Marker interval, obsolete. Default: Reject. */
  OFMarkInt: string;
  /** Markers to the target, obsolete. Default: No. */
  OFMarker: 'Yes' | 'No';
  /** A name for people. Default: LIO Target. */
  TargetAlias: string;
}

/** Acl Attributes of iscsi. */
export interface IscsiAclAttributes {
  /** Require CHAP: 1 yes, 0 no, -1 as the TPG says. Default: -1. */
  authentication: number;
  /** Seconds that requested data may stand still, times dataout_timeout_retries. Default: 3. */
  dataout_timeout: number;
  /** How many dataout_timeout are waited. Default: 5. */
  dataout_timeout_retries: number;
  /** Error recovery level. Default: 0. */
  default_erl: number;
  /** Seconds to wait for the answer to a ping. Default: 30. */
  nopin_response_timeout: number;
  /** Seconds of silence after which the initiator is pinged; 0 never. Default: 15. */
  nopin_timeout: number;
  /** Data-In PDUs in random order. Default: 0. */
  random_datain_pdu_offsets: 0 | 1;
  /** Data-In sequences in random order. Default: 0. */
  random_datain_seq_offsets: 0 | 1;
  /** R2Ts in random order. Default: 0. */
  random_r2t_offsets: 0 | 1;
  /** Commands that a session of this initiator may have under way; 0: default_cmdsn_depth of the TPG. Default: 0. */
  tcq_depth: number;
}

/** Tpg Attributes of loopback. */
export interface LoopbackTpgAttributes {
  /** Protection information type. Default: 0. */
  fabric_prot_type: 0;
}

/** Tpg Parameters of loopback. */
export type LoopbackTpgParameters = Readonly<Record<never, never>>;

/** Acl Attributes of loopback. */
export type LoopbackAclAttributes = Readonly<Record<never, never>>;

/** Tpg Attributes of vhost. */
export interface VhostTpgAttributes {
  /** Protection information type. Default: 0. */
  fabric_prot_type: 0;
}

/** Tpg Parameters of vhost. */
export type VhostTpgParameters = Readonly<Record<never, never>>;

/** Acl Attributes of vhost. */
export type VhostAclAttributes = Readonly<Record<never, never>>;

/** CHAP words. */
export interface Chap {
  /** CHAP name that an initiator must give. */
  userid: string;
  /** CHAP secret that an initiator must know. */
  password: string;
  /** CHAP name that the target gives to the initiator. */
  mutual_userid: string;
  /** CHAP secret by which the target proves itself to the initiator. */
  mutual_password: string;
  /** The secret before `password`, taken as well until `old_until`. */
  old_password: string;
  /** The end of `old_password`: a time in ISO 8601, or `told` for until somebody ends it. */
  old_until: string;
}

/** CHAP words, and accounts besides. */
export interface ChapWithAccounts extends Chap {
  /** Accounts of the fabric that are taken besides, separated by commas. */
  accounts: string;
}

/** CHAP words of discovery. */
export interface DiscoveryChap extends ChapWithAccounts {
  /** Whether discovery asks for them. */
  enable: boolean;
}

/** The settings of each fabric. */
export interface FabricSettings {
  iscsi: {
    tpgAttributes: IscsiTpgAttributes;
    tpgParameters: IscsiTpgParameters;
    aclAttributes: IscsiAclAttributes;
  };
  loopback: {
    tpgAttributes: LoopbackTpgAttributes;
    tpgParameters: LoopbackTpgParameters;
    aclAttributes: LoopbackAclAttributes;
  };
  vhost: {
    tpgAttributes: VhostTpgAttributes;
    tpgParameters: VhostTpgParameters;
    aclAttributes: VhostAclAttributes;
  };
}

/** The fabrics there are. */
export type FabricName = keyof FabricSettings;
