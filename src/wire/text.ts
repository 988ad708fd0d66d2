/** `key=value` text, each pair ended by a NUL (RFC 7143 6.1): bytes ↔ pairs, with limits. */

/** A key and its value. */
export type Pair = readonly [key: string, value: string];

/** RFC 7143 6.1: a key has at most 63 bytes. */
const keyBytesMax = 63;

/** Why bytes are no key=value text. */
export type TextFault = 'too many pairs' | 'not ended' | 'no key=value' | 'key too long' | 'not text';

/** No control characters, neither those of ASCII nor the C1 set: names are shown on terminals. */
const text = /^[\x20-\x7e\xa0-\uffff]*$/;

/** Whether this can be the value of a key, in either direction. */
export const isText = (value: string): boolean => text.test(value);

/** RFC 7143 6.1, and the `#` of registered extension keys (13.22). */
const keyName = /^[A-Za-z0-9.\-+@_#]+$/;

/**
 * The pairs in their order. Extra NULs between and after pairs are borne with, since initiators pad with them.
 * @returns the fault when there is one
 */
export function parseText(bytes: Uint8Array, pairsMax: number): Pair[] | TextFault {
  if (bytes.length > 0 && bytes[bytes.length - 1] !== 0) return 'not ended';
  const pairs: Pair[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(0, start);
    if (end > start) {
      if (pairs.length === pairsMax) return 'too many pairs';
      const pair = parsePair(bytes.subarray(start, end));
      if (typeof pair === 'string') return pair;
      pairs.push(pair);
    }
    start = end + 1;
  }
  return pairs;
}

function parsePair(bytes: Uint8Array): Pair | TextFault {
  const equals = bytes.indexOf(0x3d);
  if (equals < 1) return 'no key=value';
  if (equals > keyBytesMax) return 'key too long';
  const pair = new TextDecoder().decode(bytes);
  const at = pair.indexOf('=');
  const key = pair.slice(0, at);
  const value = pair.slice(at + 1);
  return keyName.test(key) && isText(value) ? [key, value] : 'not text';
}

/** Pairs as they are sent. */
export const printText = (pairs: readonly Pair[]): Uint8Array =>
  new TextEncoder().encode(pairs.map(([key, value]) => `${key}=${value}\0`).join(''));
