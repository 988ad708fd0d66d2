// The logical units and logins that libiscsi's tests run against: each column of snapshots/conformance.md is one record.

export interface Profile {
  readonly name: string;
  /** The speciality of the profile, for the reader of the table. */
  readonly doc: string;
  readonly backstore: 'fileio' | 'ramdisk' | 'user:nbd';
  /** Attributes of the storage object. */
  readonly attributes?: string;
  /** The words of the nbdkit that `user:nbd` reaches. */
  readonly nbdkit?: readonly string[];
  /** The suites or tests to run, when not `everyTest`. */
  readonly suites?: readonly string[];
  /** Lines for the TPG: what follows its path. */
  readonly tpg?: readonly string[];
  /** The parts of the URL: `user%password@`, and the words behind its `?`. */
  readonly credentials?: string;
  readonly parameters?: string;
}

/** The size of every medium. */
export const sizeMib = 100;

const chap = [' set attribute authentication=1', ' set auth userid=alice password=one-way-secret'];

const initiator = 'iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test';

/** The tests of a profile, of those that there are (`SCSI.Read10.Simple`). */
export const testsOf = ({ suites }: Pick<Profile, 'suites'>, all: readonly string[]): string[] =>
  all.filter((test) => (suites ? suites.some((one) => `${test}.`.startsWith(`${one}.`)) : test !== slowTest));

/** The test that needs a medium which takes long to overwrite. */
const slowTest = 'SCSI.Sanitize.Reset';

/** Most tests take it for granted that they may write; these do not, and the one that is about this. */
const readingSuites = [
  'SCSI.Inquiry',
  'SCSI.Mandatory',
  'SCSI.ModeSense6',
  'SCSI.Prefetch10',
  'SCSI.Prefetch16',
  'SCSI.PrinReadKeys',
  'SCSI.PrinReportCapabilities',
  'SCSI.Read6',
  'SCSI.Read10',
  'SCSI.Read12',
  'SCSI.Read16',
  'SCSI.ReadCapacity10',
  'SCSI.ReadCapacity16',
  'SCSI.ReadDefectData10',
  'SCSI.ReadDefectData12',
  'SCSI.ReadOnly',
  'SCSI.ReportSupportedOpcodes',
  'SCSI.TestUnitReady',
  'SCSI.Verify10',
  'SCSI.Verify12',
  'SCSI.Verify16',
  'iSCSI.iSCSIcmdsn',
];

export const profiles: readonly Profile[] = [
  { name: 'thick', doc: 'fileio, write cache on', backstore: 'fileio' },
  {
    name: 'thin',
    doc: 'ramdisk, UNMAP and WRITE SAME with UNMAP offered, unmapped blocks read as zeros, no limit on WRITE SAME',
    backstore: 'ramdisk',
    attributes: 'emulate_tpu=1 emulate_tpws=1 unmap_zeroes_data=1 max_write_same_len=0',
  },
  { name: '4k', doc: 'ramdisk, blocks of 4096 bytes', backstore: 'ramdisk', attributes: 'block_size=4096' },
  {
    name: '512e',
    doc: 'thin ramdisk, 8 blocks of 512 bytes in a physical block',
    backstore: 'ramdisk',
    attributes: 'physical_block_size=4096 emulate_tpu=1 emulate_tpws=1',
  },
  {
    name: 'read-only',
    doc: 'thin fileio that takes no writes; the suites that write nothing, and the one that is about this',
    backstore: 'fileio',
    attributes: 'read_only=1 emulate_tpu=1 emulate_tpws=1',
    suites: readingSuites,
  },
  {
    name: 'removable',
    doc: 'thin ramdisk that can be ejected',
    backstore: 'ramdisk',
    attributes: 'removable=1 emulate_tpu=1 emulate_tpws=1',
  },
  {
    name: 'CHAP',
    doc: 'fileio behind one-way CHAP',
    backstore: 'fileio',
    tpg: chap,
    credentials: 'alice%one-way-secret@',
  },
  {
    name: 'mutual',
    doc: 'fileio behind mutual CHAP, header digests',
    backstore: 'fileio',
    tpg: [
      ...chap,
      ' set auth mutual_userid=target mutual_password=the-other-secret',
      ' set parameter HeaderDigest=CRC32C',
    ],
    credentials: 'alice%one-way-secret@',
    parameters: 'target_user=target&target_password=the-other-secret&header_digest=crc32c',
  },
  {
    name: 'slow',
    doc: 'user:nbd over an nbdkit that takes 100 ms for each write; the test that needs a long SANITIZE',
    backstore: 'user:nbd',
    nbdkit: ['--filter=delay', 'memory', `${sizeMib}M`, 'delay-write=100ms'],
    suites: [slowTest],
    // The test sleeps for a minute and answers no ping meanwhile.
    tpg: [`/acls create ${initiator}`, `/acls/${initiator} set attribute nopin_timeout=0`],
  },
];
