/** The attributes and parameters of an iSCSI TPG and node ACL under LIO's names: default, range and effect of each. */

import { flag, integer, text, textNumber, types } from '../attribute.ts';
import { refuseRedirection } from './redirection.ts';

const inert = (why: string) => `none: ${why}`;

/** The rule for a list of words: each at most once, at least one. */
const listOf =
  (...words: string[]) =>
  (value: string): string | undefined => {
    const items = value.split(',');
    const good = items.every((item, at) => words.includes(item) && items.indexOf(item) === at);
    return good ? undefined : `takes a list of ${words.join(' and ')}, preferred first.`;
  };

/** RFC 7143 6.1: iSCSI-local-name-value. */
export const isLocalName = (value: string): boolean =>
  Buffer.byteLength(value) <= 255 && !/[\x00-\x1f\x7f]/.test(value);

const yesNo = (declared: { doc: string; default: 'Yes' | 'No'; effect: string }) =>
  text({ ...declared, type: types.yesno });

/** Attributes of a TPG, in targetcli's order. A new TPG of targetcli's has `authentication=0`, whatever the default. */
export const tpgAttributes = {
  authentication: flag({
    doc: 'Require CHAP of every initiator, unless its ACL says otherwise.',
    default: 1,
    effect: 'AuthMethod: None is refused',
  }),
  cache_dynamic_acls: flag({
    doc: 'Keep the ACLs that demo mode makes.',
    default: 0,
    effect: inert('demo mode makes no ACLs here'),
  }),
  default_cmdsn_depth: integer({
    doc: 'Commands that a session may have under way.',
    default: 128,
    min: 1,
    max: 512,
    effect: 'MaxCmdSN - ExpCmdSN + 1 of an idle session',
  }),
  default_erl: integer({
    doc: 'Error recovery level.',
    default: 0,
    max: 2,
    effect: inert('level 0 is the only one offered'),
  }),
  demo_mode_discovery: flag({
    doc: 'Show this TPG also to initiators that may not log in to it.',
    default: 1,
    effect: 'SendTargets answer',
  }),
  demo_mode_write_protect: flag({
    doc: 'LUNs are read-only for initiators without an ACL.',
    default: 1,
    effect: 'MODE SENSE WP; writes of demo-mode initiators end with DATA PROTECT',
  }),
  fabric_prot_type: integer({
    doc: 'Protection type that the fabric emulates.',
    default: 0,
    only: [0, 1, 3],
    effect: inert('no T10 PI here'),
  }),
  generate_node_acls: flag({
    doc: 'Demo mode: admit initiators without an ACL.',
    default: 0,
    effect: 'login and SendTargets',
  }),
  labels: text({
    doc: 'What management tools keep here: NAME=VALUE, separated by commas.',
    default: '',
    foreign: true,
    effect: inert('it is for those tools'),
  }),
  login_keys_workaround: flag({
    doc: 'Bear with initiators that answer keys late.',
    default: 1,
    effect: inert('keys are answered in any order'),
  }),
  login_timeout: integer({
    doc: 'Seconds that a login may take.',
    default: 15,
    min: 5,
    max: 30,
    effect: 'a connection that is not logged in by then is closed',
  }),
  netif_timeout: integer({
    doc: 'Seconds until a dead network interface is noticed.',
    default: 2,
    min: 2,
    max: 15,
    effect: inert('NOP-In pings notice it'),
  }),
  prod_mode_write_protect: flag({
    doc: 'LUNs are read-only for initiators with an ACL.',
    default: 0,
    effect: 'MODE SENSE WP; writes end with DATA PROTECT',
  }),
  redirect: text({
    doc: 'Where initiators are sent that log in: ADDRESS[:PORT]; with ,permanent for good. Sessions that are open stay.',
    default: '',
    foreign: true,
    refuse: refuseRedirection,
    effect: 'login status 0101h or 0102h, with TargetAddress',
  }),
  t10_pi: flag({ doc: 'T10 protection information.', default: 0, effect: inert('no T10 PI here') }),
  tpg_enabled_sendtargets: flag({
    doc: 'Show this TPG only while it is enabled.',
    default: 1,
    effect: 'SendTargets answer',
  }),
} as const;

/**
 * Text parameters of a TPG: its offers in negotiation (RFC 7143 13), in targetcli's order. As in LIO, `MaxXmitDataSegmentLength` is the
 * MaxRecvDataSegmentLength that the target declares, and `MaxRecvDataSegmentLength` the value for an initiator that declares none.
 */
export const tpgParameters = {
  AuthMethod: text({
    doc: 'Authentication methods offered; authentication=1 takes None away.',
    default: 'CHAP,None',
    refuse: listOf('CHAP', 'None'),
    effect: 'AuthMethod',
  }),
  DataDigest: text({
    doc: 'Digests offered for the data of a PDU.',
    default: 'CRC32C,None',
    refuse: listOf('CRC32C', 'None'),
    effect: 'DataDigest',
  }),
  DataPDUInOrder: yesNo({
    doc: 'Data PDUs come in order within a sequence.',
    default: 'Yes',
    effect: 'DataPDUInOrder; with No on both sides, Data-Out may come in any order (Data-In goes in order)',
  }),
  DataSequenceInOrder: yesNo({
    doc: 'Data sequences come in order.',
    default: 'Yes',
    effect: 'DataSequenceInOrder (they are sent and asked for in order all the same)',
  }),
  DefaultTime2Retain: textNumber({
    doc: 'Seconds that tasks of a lost connection are kept.',
    default: '20',
    min: 0,
    max: 3600,
    effect: 'DefaultTime2Retain (at level 0 no task outlives its connection)',
  }),
  DefaultTime2Wait: textNumber({
    doc: 'Seconds that an initiator waits before it comes back.',
    default: '2',
    min: 0,
    max: 3600,
    effect: 'DefaultTime2Wait',
  }),
  ErrorRecoveryLevel: textNumber({
    doc: 'Error recovery level.',
    default: '0',
    min: 0,
    max: 2,
    effect: inert('level 0 is the only one offered'),
  }),
  FirstBurstLength: textNumber({
    doc: 'Bytes of a command that may come unasked.',
    default: '65536',
    min: 512,
    max: 16777215,
    effect: 'FirstBurstLength',
  }),
  HeaderDigest: text({
    doc: 'Digests offered for the header of a PDU.',
    default: 'CRC32C,None',
    refuse: listOf('CRC32C', 'None'),
    effect: 'HeaderDigest',
  }),
  IFMarkInt: text({ doc: 'Marker interval, obsolete.', default: 'Reject', effect: inert('RFC 7143 has no markers') }),
  IFMarker: yesNo({
    doc: 'Markers to the initiator, obsolete.',
    default: 'No',
    effect: inert('RFC 7143 has no markers'),
  }),
  ImmediateData: text({
    doc: 'Data may come in the command itself.',
    default: 'Yes',
    only: ['Yes', 'No'],
    effect: 'ImmediateData',
  }),
  InitialR2T: yesNo({ doc: 'Data beyond the command waits for an R2T.', default: 'Yes', effect: 'InitialR2T' }),
  MaxBurstLength: textNumber({
    doc: 'Bytes in a Data-In or solicited Data-Out sequence.',
    default: '262144',
    min: 512,
    max: 16777215,
    effect: 'MaxBurstLength',
  }),
  MaxConnections: textNumber({
    doc: 'Connections in a session.',
    default: '1',
    min: 1,
    max: 65535,
    effect: 'MaxConnections (at most 8)',
  }),
  MaxOutstandingR2T: textNumber({
    doc: 'R2Ts that a command may have outstanding.',
    default: '1',
    min: 1,
    max: 65535,
    effect: 'MaxOutstandingR2T',
  }),
  MaxRecvDataSegmentLength: textNumber({
    doc: 'Data segment bytes that an initiator takes when it does not say.',
    default: '8192',
    min: 512,
    max: 16777215,
    effect: inert('an initiator that declares none takes 8192 bytes'),
  }),
  MaxXmitDataSegmentLength: textNumber({
    doc: 'Data segment bytes that the target takes.',
    default: '262144',
    min: 512,
    max: 16777215,
    effect: 'MaxRecvDataSegmentLength declared at login (at most 262144)',
  }),
  OFMarkInt: text({ doc: 'Marker interval, obsolete.', default: 'Reject', effect: inert('RFC 7143 has no markers') }),
  OFMarker: yesNo({ doc: 'Markers to the target, obsolete.', default: 'No', effect: inert('RFC 7143 has no markers') }),
  TargetAlias: text({
    doc: 'A name for people.',
    default: 'LIO Target',
    refuse: (value: string) =>
      isLocalName(value) ? undefined : 'has at most 255 bytes, none of them a control character.',
    effect: 'TargetAlias at login',
  }),
} as const;

/** Attributes of a node ACL, in targetcli's order, and `tcq_depth`, which rtslib has as a property of the ACL; demo-mode initiators are served by the defaults. */
export const aclAttributes = {
  authentication: integer({
    doc: 'Require CHAP: 1 yes, 0 no, -1 as the TPG says.',
    default: -1,
    min: -1,
    max: 1,
    effect: 'AuthMethod: None is refused',
  }),
  dataout_timeout: integer({
    doc: 'Seconds that requested data may stand still, times dataout_timeout_retries.',
    default: 3,
    min: 2,
    max: 60,
    effect: 'the connection is closed',
  }),
  dataout_timeout_retries: integer({
    doc: 'How many dataout_timeout are waited.',
    default: 5,
    min: 1,
    max: 15,
    effect: 'the connection is closed',
  }),
  default_erl: integer({
    doc: 'Error recovery level.',
    default: 0,
    max: 2,
    effect: inert('level 0 is the only one offered'),
  }),
  nopin_response_timeout: integer({
    doc: 'Seconds to wait for the answer to a ping.',
    default: 30,
    min: 3,
    max: 60,
    effect: 'the connection is closed',
  }),
  nopin_timeout: integer({
    doc: 'Seconds of silence after which the initiator is pinged; 0 never.',
    default: 15,
    max: 60,
    refuse: (value: number) => (value === 1 || value === 2 ? 'must be 0 or between 3 and 60.' : undefined),
    effect: 'NOP-In',
  }),
  random_datain_pdu_offsets: flag({
    doc: 'Data-In PDUs in random order.',
    default: 0,
    effect: inert('data goes in order'),
  }),
  random_datain_seq_offsets: flag({
    doc: 'Data-In sequences in random order.',
    default: 0,
    effect: inert('data goes in order'),
  }),
  random_r2t_offsets: flag({ doc: 'R2Ts in random order.', default: 0, effect: inert('data is asked for in order') }),
  tcq_depth: integer({
    doc: 'Commands that a session of this initiator may have under way; 0: default_cmdsn_depth of the TPG.',
    default: 0,
    max: 512,
    foreign: true,
    effect: 'MaxCmdSN - ExpCmdSN + 1 of an idle session',
  }),
} as const;
