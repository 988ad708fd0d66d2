/** CHAP (RFC 7143 12.1.3, RFC 1994): challenges, responses, and the form of their numbers. */

import { createHash, timingSafeEqual } from 'node:crypto';

/** CHAP_A: the algorithms of RFC 7143 12.1.3 and of IANA's registry for iSCSI. */
const algorithms: Readonly<Record<string, { hash: string; digestBytes: number }>> = {
  5: { hash: 'md5', digestBytes: 16 },
  6: { hash: 'sha1', digestBytes: 20 },
  7: { hash: 'sha256', digestBytes: 32 },
  8: { hash: 'sha3-256', digestBytes: 32 },
};

/** RFC 7143 12.1.3: a challenge has at most 1024 bytes. */
const challengeBytesMax = 1024;

export interface Challenge {
  readonly algorithm: string;
  /** CHAP_I, 0 to 255. */
  readonly identifier: number;
  readonly bytes: Uint8Array;
}

/** The first algorithm of the initiator's list that we know. */
export const chooseAlgorithm = (list: string): string | undefined =>
  list.split(',').find((algorithm) => Object.hasOwn(algorithms, algorithm));

/** Bytes of a fresh challenge: as long as the digest. */
export const challengeBytes = (algorithm: string): number => algorithms[algorithm]?.digestBytes ?? 16;

/** Reads a challenge of the initiator; undefined when it is none. */
export function parseChallenge(algorithm: string, identifier: string, bytes: string): Challenge | undefined {
  const value = /^(\d{1,3}|0[xX][0-9a-fA-F]{1,2})$/.test(identifier) ? Number(identifier) : 256;
  const challenge = parseBinary(bytes, challengeBytesMax);
  if (value > 255 || !challenge || challenge.length === 0) return undefined;
  return { algorithm, identifier: value, bytes: challenge };
}

/** The response to a challenge: a digest over identifier, secret, challenge. */
export function chapResponse(challenge: Challenge, secret: string): Uint8Array {
  const algorithm = algorithms[challenge.algorithm];
  if (!algorithm) throw new Error(`CHAP algorithm ${challenge.algorithm}`);
  return createHash(algorithm.hash)
    .update(Uint8Array.of(challenge.identifier))
    .update(secret)
    .update(challenge.bytes)
    .digest();
}

/** Whether `response` answers the challenge, in a time that does not tell how much of it was right. */
export function verifyResponse(challenge: Challenge, secret: string, response: string): boolean {
  const expected = chapResponse(challenge, secret);
  const given = parseBinary(response, expected.length);
  return given !== undefined && given.length === expected.length && timingSafeEqual(given, expected);
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
export function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Whether two values are the same. The time of this comparison may tell where they differ. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Reads `0x…` in hexadecimal or `0b…` in base64 (RFC 7143 6.1: large-binary-value); undefined when it is neither. */
export function parseBinary(text: string, bytesMax: number): Uint8Array | undefined {
  const body = text.slice(2);
  if (body.length > bytesMax * 2 + 4) return undefined;
  let bytes: Uint8Array | undefined;
  if (/^0[xX]([0-9a-fA-F]{2})+$/.test(text)) bytes = Buffer.from(body, 'hex');
  else if (/^0[bB]([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text))
    bytes = Buffer.from(body, 'base64');
  return bytes && bytes.length <= bytesMax ? bytes : undefined;
}

/** Bytes as a hexadecimal text value (RFC 7143 6.1). */
export const printBinary = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;
