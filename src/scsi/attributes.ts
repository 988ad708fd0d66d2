/** The attributes of a disk storage object, as LIO names them: default, range, and where an initiator sees the effect. */

import { flag, integer, text } from '../attribute.ts';
import { textBytesMax } from './text-naa.ts';

const LIMIT = 'VPD B0h';
const inert = (why: string) => `none: ${why}`;
/** ASCII DATA fields are graphic characters (SPC-4 4.3.1). */
const identification = (name: string, bytes: number) => (value: string) =>
  new RegExp(`^[\\x20-\\x7e]{0,${bytes}}$`).test(value) ? undefined : `${name} has at most ${bytes} ASCII characters.`;

/** Order is targetcli's (alphabetical). Defaults are fileio's; a backstore says where its own differ. */
export const diskAttributes = {
  alua_support: flag({ doc: 'Answer the ALUA commands.', default: 1, notWhileExported: true, effect: 'INQUIRY TPGS' }),
  block_size: integer({
    doc: 'Bytes in a logical block.',
    default: 512,
    only: [512, 1024, 2048, 4096],
    notWhileExported: true,
    effect: 'READ CAPACITY; every LBA',
  }),
  company_id: text({
    doc: 'IEEE company identifier of the NAA designator, six hexadecimal digits.',
    default: '001405',
    foreign: true,
    notWhileExported: true,
    effect: 'VPD 83h',
    refuse: (value: string) => (/^[0-9a-fA-F]{6}$/.test(value) ? undefined : 'has six hexadecimal digits.'),
  }),
  emulate_3pc: flag({
    doc: 'Offer EXTENDED COPY (third-party copy).',
    default: 1,
    effect: 'INQUIRY 3PC; EXTENDED COPY',
  }),
  emulate_caw: flag({ doc: 'Offer COMPARE AND WRITE.', default: 1, effect: 'VPD B0h; COMPARE AND WRITE' }),
  emulate_dpo: flag({
    doc: 'Accept DPO (disable page out).',
    default: 1,
    effect: inert('DPO is accepted where FUA is, the two having one bit in MODE SENSE'),
  }),
  emulate_fua_read: flag({
    doc: 'Accept FUA on reads.',
    default: 1,
    effect: inert('a read always returns what was written last'),
  }),
  emulate_fua_write: flag({
    doc: 'Accept FUA on writes.',
    default: 1,
    effect: 'MODE SENSE DPOFUA; FUA writes reach the medium',
  }),
  emulate_model_alias: flag({
    doc: 'Use the backstore name as the INQUIRY product identification.',
    default: 0,
    notWhileExported: true,
    effect: 'INQUIRY product identification',
  }),
  emulate_pr: flag({
    doc: 'Offer reservations.',
    default: 1,
    notWhileExported: true,
    effect: 'PERSISTENT RESERVE; RESERVE',
  }),
  emulate_rest_reord: integer({ doc: 'Restricted reordering.', default: 0, only: [0], effect: 'Control mode page' }),
  emulate_rsoc: flag({
    doc: 'Offer REPORT SUPPORTED OPERATION CODES.',
    default: 1,
    // Linux has it from 6.4 on.
    newer: true,
    effect: 'MAINTENANCE IN',
  }),
  emulate_tas: flag({
    doc: 'Report TASK ABORTED to an initiator whose tasks another one aborted.',
    default: 1,
    notWhileExported: true,
    effect: 'Control mode page TAS',
  }),
  emulate_tpu: flag({ doc: 'Thin provisioning: accept UNMAP.', default: 0, effect: 'VPD B2h LBPU; UNMAP' }),
  emulate_tpws: flag({ doc: 'Thin provisioning: accept WRITE SAME with UNMAP.', default: 0, effect: 'VPD B2h LBPWS' }),
  emulate_ua_intlck_ctrl: integer({
    doc: 'Unit attention interlock.',
    default: 0,
    max: 2,
    notWhileExported: true,
    effect: 'Control mode page UA_INTLCK_CTRL',
  }),
  emulate_write_cache: flag({
    doc: 'Volatile write cache: writes are stable only after a flush or with FUA.',
    default: 0,
    effect: 'Caching mode page WCE; without it every write reaches the medium before it is answered',
  }),
  enforce_pr_isids: flag({ doc: 'Reservations look at the ISID.', default: 1, effect: 'PERSISTENT RESERVE' }),
  force_pr_aptpl: flag({
    doc: 'Every registration survives power loss.',
    default: 0,
    notWhileExported: true,
    effect: 'PERSISTENT RESERVE',
  }),
  hw_block_size: integer({ doc: 'Block size of the medium.', default: 512, readOnly: true, effect: inert('a report') }),
  hw_max_sectors: integer({
    doc: 'Longest transfer that initiators are advised to make, in blocks.',
    default: 16384,
    readOnly: true,
    effect: LIMIT,
  }),
  hw_pi_prot_type: integer({
    doc: 'Protection type of the medium.',
    default: 0,
    readOnly: true,
    effect: inert('no medium here has one'),
  }),
  hw_queue_depth: integer({
    doc: 'Queue depth of the medium.',
    default: 128,
    readOnly: true,
    effect: inert('a report'),
  }),
  is_nonrot: flag({ doc: 'The medium does not rotate.', default: 0, effect: 'VPD B1h rotation rate' }),
  labels: text({
    doc: 'What management tools keep here: NAME=VALUE, separated by commas.',
    default: '',
    foreign: true,
    effect: inert('it is for those tools'),
  }),
  max_unmap_block_desc_count: integer({ doc: 'Descriptors in one UNMAP.', default: 1, effect: LIMIT }),
  max_unmap_lba_count: integer({ doc: 'Blocks in one UNMAP.', default: 8192, effect: LIMIT }),
  max_write_same_len: integer({
    doc: 'Blocks in one WRITE SAME. 0: no limit, and a WRITE SAME of 0 blocks goes to the end.',
    default: 4096,
    effect: LIMIT,
  }),
  online: flag({
    doc: 'The unit has its medium. 0: commands that need it end with NOT READY.',
    default: 1,
    foreign: true,
    effect: 'TEST UNIT READY and all that needs the medium: MEDIUM NOT PRESENT',
  }),
  optimal_sectors: integer({
    doc: 'Best transfer length, in blocks.',
    default: 16384,
    notAbove: 'hw_max_sectors',
    notWhileExported: true,
    effect: LIMIT,
  }),
  pgr_support: flag({
    doc: 'Support persistent reservations.',
    default: 1,
    notWhileExported: true,
    effect: 'PERSISTENT RESERVE',
  }),
  physical_block_size: integer({
    doc: 'Bytes in a physical block, which writes should be aligned to. 0: what the medium says.',
    default: 0,
    only: [0, 512, 1024, 2048, 4096, 8192, 16384],
    foreign: true,
    notWhileExported: true,
    effect: 'READ CAPACITY(16) LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT; VPD B0h granularity',
  }),
  pi_prot_format: integer({
    doc: 'Format protection information.',
    default: 0,
    only: [0],
    effect: inert('no T10 PI here'),
  }),
  pi_prot_type: integer({
    doc: 'Protection information type.',
    default: 0,
    only: [0],
    effect: inert('no T10 PI here'),
  }),
  pi_prot_verify: integer({
    doc: 'Verify protection information.',
    default: 0,
    only: [0],
    effect: inert('no T10 PI here'),
  }),
  product_id: text({
    doc: 'INQUIRY product identification. Empty: the name or the kind of the backstore, as emulate_model_alias says.',
    default: '',
    foreign: true,
    notWhileExported: true,
    effect: 'INQUIRY; VPD 83h',
    refuse: identification('A product identification', 16),
  }),
  queue_depth: integer({
    doc: 'Queue depth.',
    default: 128,
    min: 1,
    notAbove: 'hw_queue_depth',
    notWhileExported: true,
    effect: inert('the session window governs'),
  }),
  read_only: flag({
    doc: 'Refuse every write.',
    default: 0,
    foreign: true,
    notWhileExported: true,
    effect: 'MODE SENSE WP; writes end with WRITE PROTECTED',
  }),
  removable: flag({
    doc: 'The medium can be ejected and loaded by initiators.',
    default: 0,
    foreign: true,
    notWhileExported: true,
    effect: 'INQUIRY RMB; START STOP UNIT LOEJ; PREVENT ALLOW MEDIUM REMOVAL',
  }),
  revision: text({
    doc: 'INQUIRY product revision level.',
    default: '4.0',
    foreign: true,
    notWhileExported: true,
    effect: 'INQUIRY',
    refuse: identification('A revision', 4),
  }),
  scsi_id: text({
    doc: 'Identification of a disk that came from tgt. When it is set, VPD 83h is as tgtd gives it.',
    default: '',
    foreign: true,
    effect: 'VPD 83h',
    refuse: identification('A SCSI ID', textBytesMax),
  }),
  scsi_local_id: text({
    doc: 'The locally assigned name in the VPD 83h of tgtd: target and LUN, sixteen hexadecimal digits.',
    default: '',
    foreign: true,
    effect: 'VPD 83h',
    refuse: (value: string) => (/^([0-9a-fA-F]{16})?$/.test(value) ? undefined : 'has sixteen hexadecimal digits.'),
  }),
  scsi_sn: text({
    doc: 'Serial number of a disk that came from tgt. When it is set, VPD 80h is as tgtd gives it.',
    default: '',
    foreign: true,
    effect: 'VPD 80h',
    refuse: identification('A serial number', textBytesMax),
  }),
  unmap_granularity: integer({ doc: 'UNMAP granularity, in blocks.', default: 1, effect: LIMIT }),
  unmap_granularity_alignment: integer({
    doc: 'First LBA to which the granularity applies.',
    default: 0,
    effect: LIMIT,
  }),
  unmap_zeroes_data: flag({
    doc: 'Unmapped blocks read as zeros.',
    default: 0,
    notWhileExported: true,
    effect: 'READ CAPACITY(16) LBPRZ; VPD B2h',
  }),
  vendor_id: text({
    doc: 'T10 vendor identification.',
    default: 'LIO-ORG',
    foreign: true,
    notWhileExported: true,
    effect: 'INQUIRY; VPD 83h',
    refuse: identification('A vendor identification', 8),
  }),
} as const;

/** The attributes of a storage object, by name. */
export type DiskAttributes = typeof diskAttributes;
