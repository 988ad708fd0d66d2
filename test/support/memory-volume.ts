/** A volume for tests: one plain buffer that a test can look into, and a list of what was done to it. */

import type { Volume } from '../../src/backstore/backstore.ts';

export interface MemoryVolume extends Volume {
  /** The medium itself. */
  readonly bytes: Uint8Array;
  /** Every call that was not refused, in order: `write 0+512 durable`, `flush`, `discard 4096+512` … */
  readonly calls: string[];
}

/**
 * @param size bytes
 * @param differing what is to differ: geometry, or a capability that this volume shall lack (`discard: undefined`)
 */
export function memoryVolume(
  size: number,
  differing: { [K in keyof Volume]?: Volume[K] | undefined } = {},
): MemoryVolume {
  const bytes = new Uint8Array(size);
  const calls: string[] = [];
  let closed = false;
  const note = (call: string, position: number, length: number) => {
    if (closed) throw new Error(`${call} after close`);
    if (position < 0 || position + length > size) throw new Error(`${call} beyond the end: ${position}+${length}`);
    calls.push(length > 0 ? `${call} ${position}+${length}` : call);
  };
  const volume: MemoryVolume = {
    bytes,
    calls,
    size,
    logicalBlockSize: 512,
    physicalBlockSize: 512,
    readOnly: false,
    discardGranularity: 512,
    rotational: false,
    readNow(into, position) {
      note('read', position, into.length);
      into.set(bytes.subarray(position, position + into.length));
      return true;
    },
    writeNow(from, position, durable) {
      if (durable) return false;
      note('write', position, from.length);
      bytes.set(from, position);
      return true;
    },
    async read(into, position) {
      note('read', position, into.length);
      into.set(bytes.subarray(position, position + into.length));
    },
    async write(from, position, durable) {
      note('write', position, from.length);
      if (durable) calls.push(`${calls.pop()} durable`);
      bytes.set(from, position);
    },
    async flush() {
      note('flush', 0, 0);
    },
    async discard(position, length) {
      note('discard', position, length);
      bytes.fill(0, position, position + length);
    },
    async writeZeroes(position, length, mayDiscard) {
      note(mayDiscard ? 'zeroes discarding' : 'zeroes', position, length);
      bytes.fill(0, position, position + length);
    },
    async extentAt(position, limit) {
      note('extent', position, 0);
      const holds = (at: number) => bytes.subarray(at, Math.min(at + 512, limit)).some((byte) => byte !== 0);
      const allocated = holds(position);
      let end = position + 512;
      while (end < limit && holds(end) === allocated) end += 512;
      return { allocated, end: Math.min(end, limit) };
    },
    async close() {
      note('close', 0, 0);
      closed = true;
    },
  };
  Object.assign(volume, differing);
  for (const [name, value] of Object.entries(differing)) if (value === undefined) Reflect.deleteProperty(volume, name);
  return volume;
}
