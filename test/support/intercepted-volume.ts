/** A volume in front of another one: something happens before each asynchronous call. The base of the faulty and the slow. */

import type { Volume } from '../../src/backstore/backstore.ts';

export type VolumeCall = 'read' | 'write' | 'flush' | 'discard' | 'writeZeroes' | 'extentAt' | 'close';
export type BeforeCall = (call: VolumeCall, position: number, length: number) => Promise<void> | void;

/** `inner` without its immediate calls, so that every one passes `before`. What `inner` lacks stays absent. */
export function interceptedVolume(inner: Volume, before: BeforeCall): Volume {
  const { size, logicalBlockSize, physicalBlockSize, readOnly, discardGranularity, rotational } = inner;
  return {
    size,
    logicalBlockSize,
    physicalBlockSize,
    readOnly,
    discardGranularity,
    rotational,
    async read(into, position) {
      await before('read', position, into.length);
      await inner.read(into, position);
    },
    async write(from, position, durable) {
      await before('write', position, from.length);
      await inner.write(from, position, durable);
    },
    async flush() {
      await before('flush', 0, 0);
      await inner.flush();
    },
    ...(inner.discard && {
      async discard(position: number, length: number) {
        await before('discard', position, length);
        await inner.discard?.(position, length);
      },
    }),
    ...(inner.writeZeroes && {
      async writeZeroes(position: number, length: number, mayDiscard: boolean) {
        await before('writeZeroes', position, length);
        await inner.writeZeroes?.(position, length, mayDiscard);
      },
    }),
    ...(inner.extentAt && {
      async extentAt(position: number, limit: number) {
        await before('extentAt', position, limit - position);
        return (await inner.extentAt?.(position, limit)) ?? { allocated: true, end: limit };
      },
    }),
    async close() {
      await before('close', 0, 0);
      await inner.close();
    },
  };
}
