/** The text keys of RFC 7143 13, each one row: its sender, the phases in which it may come, and the rule for its result. */

import { segmentBytesMax, sessionConnectionsMax } from './limits.ts';

/** The parameters that a session and its connection run with. Lengths are bytes. */
export interface NegotiatedParameters {
  HeaderDigest: string;
  DataDigest: string;
  MaxConnections: number;
  InitialR2T: boolean;
  ImmediateData: boolean;
  /** The longest segment that the initiator takes; that of the target is the TPG's. */
  MaxRecvDataSegmentLength: number;
  MaxBurstLength: number;
  FirstBurstLength: number;
  DefaultTime2Wait: number;
  DefaultTime2Retain: number;
  MaxOutstandingR2T: number;
  DataPDUInOrder: boolean;
  DataSequenceInOrder: boolean;
  ErrorRecoveryLevel: number;
  TaskReporting: string;
  iSCSIProtocolLevel: number;
}
export type ParameterName = keyof NegotiatedParameters;

/** The parameters that LIO shows of a session beside its ACL. */
export const sessionParameters = [
  'DataPDUInOrder',
  'DataSequenceInOrder',
  'DefaultTime2Retain',
  'DefaultTime2Wait',
  'ErrorRecoveryLevel',
  'FirstBurstLength',
  'ImmediateData',
  'InitialR2T',
  'MaxBurstLength',
  'MaxConnections',
  'MaxOutstandingR2T',
] as const satisfies readonly ParameterName[];

/** The rule by which both sides' values become one (RFC 7143 6.2.1, 6.2.2). */
type Result = 'lower' | 'higher' | 'or' | 'and' | 'list' | 'declared';

/** One text key, and the rule for its result. */
export interface TextKey {
  readonly result: Result;
  /** The value when neither side offers the key. */
  readonly default: string;
  /** The lowest value, inclusive, of a number. */
  readonly min?: number;
  readonly max?: number;
  /** SW: the value holds for the session and is fixed by its first connection; CO: for one connection. */
  readonly scope: 'SW' | 'CO';
  /** The phases of the key. IO: before full feature phase of any connection; LO: of the leading one; ALL: always. */
  readonly use: 'IO' | 'LO' | 'ALL';
  /** Set for a key that is answered `Irrelevant` in a discovery session. */
  readonly irrelevantInDiscovery?: true;
  /** The parameter that the result must not exceed, wherever both stand in the text. */
  readonly notAbove?: ParameterName;
  /** The target's value in discovery, where there is no TPG. Absent: the default. */
  readonly inDiscovery?: string;
  /** The target's value: a fixed one, or the TPG's parameter of that name. */
  readonly ours: { readonly always: string } | { readonly parameter: string; readonly atMost?: number };
}

const tpg = (parameter: string, atMost?: number) => ({
  ours: atMost === undefined ? { parameter } : { parameter, atMost },
});
const normal = { scope: 'SW', use: 'LO', irrelevantInDiscovery: true } as const;
const length = { min: 512, max: 0xffffff } as const;
const digest = { result: 'list', default: 'None', inDiscovery: 'CRC32C,None', scope: 'CO', use: 'IO' } as const;

/** The keys with a result (RFC 7143 13.1 to 13.24, and 12 for the stage they stand in). */
export const keys: Readonly<Record<ParameterName, TextKey>> = {
  HeaderDigest: { ...digest, ...tpg('HeaderDigest') },
  DataDigest: { ...digest, ...tpg('DataDigest') },
  MaxConnections: {
    ...normal,
    result: 'lower',
    default: '1',
    min: 1,
    max: 65535,
    ...tpg('MaxConnections', sessionConnectionsMax),
  },
  InitialR2T: { ...normal, result: 'or', default: 'Yes', ...tpg('InitialR2T') },
  ImmediateData: { ...normal, result: 'and', default: 'Yes', ...tpg('ImmediateData') },
  MaxRecvDataSegmentLength: {
    result: 'declared',
    default: '8192',
    ...length,
    scope: 'CO',
    use: 'ALL',
    ...tpg('MaxXmitDataSegmentLength', segmentBytesMax),
  },
  MaxBurstLength: { ...normal, result: 'lower', default: '262144', ...length, ...tpg('MaxBurstLength') },
  FirstBurstLength: {
    ...normal,
    result: 'lower',
    default: '65536',
    ...length,
    notAbove: 'MaxBurstLength',
    ...tpg('FirstBurstLength'),
  },
  DefaultTime2Wait: {
    result: 'higher',
    default: '2',
    min: 0,
    max: 3600,
    scope: 'SW',
    use: 'LO',
    ...tpg('DefaultTime2Wait'),
  },
  DefaultTime2Retain: {
    result: 'lower',
    default: '20',
    min: 0,
    max: 3600,
    scope: 'SW',
    use: 'LO',
    ...tpg('DefaultTime2Retain'),
  },
  MaxOutstandingR2T: { ...normal, result: 'lower', default: '1', min: 1, max: 65535, ...tpg('MaxOutstandingR2T') },
  DataPDUInOrder: { ...normal, result: 'or', default: 'Yes', ...tpg('DataPDUInOrder') },
  DataSequenceInOrder: { ...normal, result: 'or', default: 'Yes', ...tpg('DataSequenceInOrder') },
  ErrorRecoveryLevel: {
    result: 'lower',
    default: '0',
    min: 0,
    max: 2,
    scope: 'SW',
    use: 'LO',
    ours: { always: '0' },
  },
  TaskReporting: { ...normal, result: 'list', default: 'RFC3720', ours: { always: 'RFC3720' } },
  iSCSIProtocolLevel: { ...normal, result: 'lower', default: '1', min: 0, max: 31, ours: { always: '1' } },
};

/** Keys by which an initiator declares something and negotiates nothing, and whether they may also come after login. */
export const declarations: ReadonlyMap<string, TextKey['use']> = new Map([
  ['InitiatorName', 'IO'],
  ['InitiatorAlias', 'ALL'],
  ['TargetName', 'IO'],
  ['SessionType', 'LO'],
  // RFC 7143 13.26: the key is read, and not answered.
  ['X#NodeArchitecture', 'ALL'],
]);

/** The declarations of the target: an initiator that does not understand one may say so. */
export const ourDeclarations: ReadonlySet<string> = new Set([
  'TargetAlias',
  'TargetPortalGroupTag',
  'MaxRecvDataSegmentLength',
]);

/** Keys of the security stage (RFC 7143 12). */
export const isSecurityKey = (name: string): boolean => name === 'AuthMethod' || /^(CHAP|KRB|SRP)_/.test(name);

const targetKeys = ['TargetAlias', 'TargetAddress', 'TargetPortalGroupTag', 'SendTargets'];
const markers = ['IFMarker', 'OFMarker', 'IFMarkInt', 'OFMarkInt'];

/**
 * Whether the standard has the key, but not where it was offered: a target's own key, a key of another stage, or a marker that RFC 7143
 * 13.25 took away. Such a key is answered with Reject, never with NotUnderstood (RFC 7143 6.2).
 */
export const isMisplaced = (name: string): boolean =>
  targetKeys.includes(name) || markers.includes(name) || isSecurityKey(name);

/** Whether the key has a result that a session runs with. */
export const isParameter = (name: string): name is ParameterName => Object.hasOwn(keys, name);

/** The parameters of a session before any negotiation. */
export const defaultParameters = (): NegotiatedParameters =>
  Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, meaning(key, key.default)])) as never;

/** Reads a number in decimal or hexadecimal (RFC 7143 6.1: numerical-value); undefined when it is none or out of range. */
function parseNumber(text: string, min: number, max: number): number | undefined {
  if (!/^(\d{1,10}|0[xX][0-9a-fA-F]{1,8})$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

type Meaning = number | boolean | string;

/** The value that a text means for the key, or undefined when the key cannot have it. */
function meaning(key: TextKey, text: string): Meaning | undefined {
  switch (key.result) {
    case 'or':
    case 'and':
      return text === 'Yes' ? true : text === 'No' ? false : undefined;
    case 'list':
      return text;
    default:
      return parseNumber(text, key.min ?? 0, key.max ?? 0xffffffff);
  }
}

/** Our own value of `key` as text. @param parameter the TPG's parameters by name; '' where there is none */
export function ourValue(key: TextKey, parameter: (name: string) => string): string {
  if ('always' in key.ours) return key.ours.always;
  const text = parameter(key.ours.parameter) || key.inDiscovery || key.default;
  return key.ours.atMost === undefined ? text : String(Math.min(Number(text), key.ours.atMost));
}

/** The result of an offer: the answer, and the value that holds from then on; `Reject` leaves the value as it was (RFC 7143 6.2). */
export interface KeyOutcome {
  readonly answer: string;
  readonly value?: number | boolean | string;
}

/** Answers an offer. @param offer the initiator's value @param ours as `ourValue` says */
export function negotiateKey(key: TextKey, offer: string, ours: string): KeyOutcome {
  if (key.result === 'list') {
    const choice = offer.split(',').find((one) => ours.split(',').includes(one));
    return choice === undefined ? { answer: 'Reject' } : { answer: choice, value: choice };
  }
  const theirs = meaning(key, offer);
  const mine = meaning(key, ours);
  if (theirs === undefined || mine === undefined) return { answer: 'Reject' };
  if (key.result === 'declared') return { answer: ours, value: theirs };
  const value = combined(key.result, theirs, mine);
  return { answer: typeof value === 'boolean' ? (value ? 'Yes' : 'No') : String(value), value };
}

/** The result of two values that both sides understand. */
function combined(result: Exclude<Result, 'list' | 'declared'>, theirs: Meaning, mine: Meaning): number | boolean {
  switch (result) {
    case 'lower':
      return Math.min(Number(theirs), Number(mine));
    case 'higher':
      return Math.max(Number(theirs), Number(mine));
    case 'or':
      return theirs === true || mine === true;
    case 'and':
      return theirs === true && mine === true;
  }
}
