/** CRC32C (Castagnoli, RFC 7143 13.1): tables of 16 bytes for short input, the native library, where there is one, for long. */

import { createRequire } from 'node:module';

/** The polynomial 11EDC6F41h, reflected. */
const polynomial = 0x82f63b78;

/** 16 tables of 256: table k is the effect of a byte that 15 - k bytes follow. */
const tables = new Uint32Array(16 * 256);
for (let byte = 0; byte < 256; byte += 1) {
  let crc = byte;
  for (let step = 0; step < 8; step += 1) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0);
  tables[byte] = crc;
}
for (let at = 256; at < tables.length; at += 1) {
  const before = tables[at - 256]!;
  tables[at] = (before >>> 8) ^ tables[before & 0xff]!;
}

/** Digest of `bytes` from `start` to `end`, as the continuation of `before`: the digest of the bytes that stand before them. */
type Digest = (bytes: Uint8Array, start: number, end: number, before?: number) => number;

/** In JavaScript: 16 bytes a step. */
export const slicedCrc32c: Digest = (bytes, start, end, before = 0) => {
  const t = tables;
  let crc = ~before;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t[3840 + (crc & 0xff)]! ^
      t[3584 + ((crc >>> 8) & 0xff)]! ^
      t[3328 + ((crc >>> 16) & 0xff)]! ^
      t[3072 + (crc >>> 24)]! ^
      t[2816 + bytes[at + 4]!]! ^
      t[2560 + bytes[at + 5]!]! ^
      t[2304 + bytes[at + 6]!]! ^
      t[2048 + bytes[at + 7]!]! ^
      t[1792 + bytes[at + 8]!]! ^
      t[1536 + bytes[at + 9]!]! ^
      t[1280 + bytes[at + 10]!]! ^
      t[1024 + bytes[at + 11]!]! ^
      t[768 + bytes[at + 12]!]! ^
      t[512 + bytes[at + 13]!]! ^
      t[256 + bytes[at + 14]!]! ^
      t[bytes[at + 15]!]!;
  }
  for (; at < end; at += 1) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
};

/** From here on the native call (about 200 ns) is the cheaper one. */
const nativeBytesMin = 512;

const native = loadNative();

function loadNative(): ((bytes: Uint8Array, before: number) => number) | undefined {
  try {
    const library: unknown = createRequire(import.meta.url)('@node-rs/crc32');
    const { crc32c } = library as { crc32c: (bytes: Uint8Array, before: number) => number };
    return crc32c(Buffer.from('6789'), 0x18d12335) === 0xe3069283 ? crc32c : undefined;
  } catch {
    // An optional dependency: without it JavaScript does all.
    return undefined;
  }
}

/** The digest as a number; on the wire it stands least byte first. */
export const crc32c: Digest = (bytes, start, end, before = 0) =>
  native && end - start >= nativeBytesMin
    ? native(bytes.subarray(start, end), before)
    : slicedCrc32c(bytes, start, end, before);
