/**
 * The access list of a TPG: addresses, networks and initiator names, by tgt's rule. One match in either part is enough. An initiator that
 * is not on the list does not see the TPG; one that is has to be admitted as everybody (access.ts).
 */

import { isIPv4, isIPv6 } from 'node:net';

/** An access list. A TPG without a list lets everybody come, an empty list nobody. */
export interface AccessList {
  /** Rules for addresses: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`, `ALL`. A rule of any other form matches nobody. */
  readonly addresses: readonly string[];
  readonly names: readonly string[];
}

/** The word that stands for every address. */
export const everyAddress = 'ALL';

/** Whether an initiator is on the list. @param address of the initiator, without brackets; '' where it is not known */
export function isListed({ addresses, names }: AccessList, initiatorName: string, address: string): boolean {
  if (names.some((name) => name.toLowerCase() === initiatorName)) return true;
  if (addresses.includes(everyAddress)) return true;
  const bytes = addresses.length > 0 ? bytesOf(address) : undefined;
  return bytes !== undefined && addresses.some((rule) => covers(rule, bytes));
}

/** The reason, in a line, why a rule for addresses would match nobody; undefined for a good one. */
export function addressRuleProblem(rule: string): string | undefined {
  if (rule === everyAddress) return undefined;
  const network = networkOf(rule);
  if (!network) return `'${rule}' is no IPv4 or IPv6 address, no network (192.0.2.0/24, 2001:db8::/32), and not ALL.`;
  const { bytes, bits } = network;
  const stray = bytes.some((byte, at) => (byte & ~maskOf(bits, at)) !== 0);
  return stray ? `'${rule}' has bits beyond its prefix of ${bits}: it would match nobody.` : undefined;
}

function covers(rule: string, address: readonly number[]): boolean {
  const network = networkOf(rule);
  return (
    network?.bytes.length === address.length &&
    network.bytes.every((byte, at) => byte === (address[at]! & maskOf(network.bits, at)))
  );
}

/** The bits of byte `at` that a prefix of `bits` has. */
const maskOf = (bits: number, at: number): number => (0xff00 >> Math.min(8, Math.max(0, bits - at * 8))) & 0xff;

function networkOf(rule: string): { bytes: number[]; bits: number } | undefined {
  const [, address = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(rule) ?? [];
  const bytes = bytesOf(address);
  if (!bytes) return undefined;
  const bits = prefix === undefined ? bytes.length * 8 : Number(prefix);
  return bits <= bytes.length * 8 ? { bytes, bits } : undefined;
}

/** RFC 4291 2.5.5.2: ten bytes of zeros and two of ones stand before an IPv4 address. */
const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The 4 or 16 bytes of an address; 4 also of an IPv4 address that is mapped into IPv6. A zone (`%eth0`) is left out. */
function bytesOf(address: string): number[] | undefined {
  const plain = address.replace(/%.*$/, '');
  if (isIPv4(plain)) return plain.split('.').map(Number);
  if (!isIPv6(plain)) return undefined;
  const [head = '', tail] = plain.split('::', 2).map(groupBytes);
  const [front, back] = [head || [], tail || []];
  const bytes = [...front, ...new Array(16 - front.length - back.length).fill(0), ...back];
  return mapped.every((byte, at) => bytes[at] === byte) ? bytes.slice(12) : bytes;
}

const groupBytes = (text: string): number[] =>
  text
    .split(':')
    .filter(Boolean)
    .flatMap((group) =>
      group.includes('.')
        ? group.split('.').map(Number)
        : [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff],
    );
