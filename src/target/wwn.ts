/** World wide names: the form and the spelling of each type, and the making of new names. */

import { OperatorError } from '../errors.ts';
import { printableLine } from '../printable.ts';

export type WwnType = 'iqn' | 'naa' | 'eui' | 'ib' | 'free';

const bare = (text: string, prefix: string): string =>
  text
    .replace(/^0x/, '')
    .replace(new RegExp(`^${prefix}\\.`), '')
    .replace(/[:-]/g, '');

interface WwnRule {
  normalise(text: string): string;
  valid: RegExp;
}

const rules: Record<WwnType, WwnRule> = {
  // RFC 7143 4.2.7.4 allows fewer characters than LIO; LIO's rule decides, so that its files load.
  iqn: { normalise: (text) => text, valid: /^iqn\.[0-9]{4}-[0-1][0-9]\.[^\s_.]*\.[^\s_]*$/ },
  naa: { normalise: (text) => `naa.${bare(text, 'naa')}`, valid: /^naa\.[125cde][0-9a-f]{15}$/ },
  eui: { normalise: (text) => `eui.${bare(text, 'eui')}`, valid: /^eui\.[0-9a-f]{16}$/ },
  ib: { normalise: (text) => `ib.${bare(text, 'ib')}`, valid: /^ib\.[0-9a-f]{32}$/ },
  free: { normalise: (text) => text, valid: /^\S+$/ },
};

/** RFC 7143 4.2.7.1: an iSCSI name is at most 223 bytes. */
const nameBytesMax = 223;
/** The length of an input with blanks around it, or separators in it, beyond which it is refused unread. */
const inputLengthMax = 1024;

/**
 * Spells a name as the first type that it matches does.
 * @throws OperatorError `WWN not valid as: iqn, naa, eui`
 */
export function normaliseWwn(input: string, wwnTypes: readonly WwnType[]): string {
  const text = input.length <= inputLengthMax ? input.trim().toLowerCase() : '';
  for (const type of wwnTypes) {
    const wwn = rules[type].normalise(text);
    if (Buffer.byteLength(wwn) <= nameBytesMax && rules[type].valid.test(wwn)) return wwn;
  }
  throw new OperatorError(
    `WWN not valid as: ${wwnTypes.join(', ')}`,
    [...strangeSign(text), `For example: ${wwnTypes.map((t) => examples[t]).join(' or ')}`].join('\n'),
  );
}

/** The signs of a text that RFC 7143 4.2.7.2 does not allow in a name. */
const strangeSign = (text: string): string[] => {
  const [sign] = /[^a-z0-9.:-]/u.exec(text) ?? [];
  return sign === undefined
    ? []
    : [`${sign === ' ' ? 'A blank' : printableLine(sign)} cannot be in it: letters, digits and - . : can.`];
};

const examples: Record<WwnType, string> = {
  iqn: 'iqn.2003-01.org.example:disk0',
  naa: 'naa.5001405c81b9d906',
  eui: 'eui.0014051234567890',
  ib: 'ib.fe800000000000000002c903000e8acd',
  free: 'any-name',
};

/** The facts and random digits that a new name is made of. */
export interface WwnSource {
  hostName: string;
  /** The architecture of the machine: `x86_64` … */
  machine: string;
  /** `digits` random hexadecimal digits. */
  randomHex(digits: number): string;
}

/** A new name of a type. */
export function generateWwn(type: WwnType, source: WwnSource): string {
  if (type === 'naa') return `naa.5001405${source.randomHex(9)}`;
  if (type === 'eui') return `eui.001405${source.randomHex(10)}`;
  if (type !== 'iqn') throw new OperatorError('Fabric cannot generate WWN but it was not given');
  return iqnOf(source, `sn.${source.randomHex(12)}`);
}

/** A name of this machine in LIO's form, with the given end. */
export function iqnOf({ hostName, machine }: Pick<WwnSource, 'hostName' | 'machine'>, end: string): string {
  const word = (text: string) => text.toLowerCase().replace(/[^a-z0-9-]/g, '');
  const host = word(hostName.split('.')[0] ?? '') || 'localhost';
  return `iqn.2003-01.org.linux-iscsi.${host}.${word(machine)}:${end}`;
}
