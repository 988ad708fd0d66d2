/**
 * The looks of a volume to initiators, without the volume: a gateway that stands by shows the same unit as the one that
 * serves it, and has nothing open.
 */

import { systemError } from '../system/system-error.ts';
import type { Volume } from './backstore.ts';

/** Methods of `Volume` whose presence says something. */
const abilities = ['discard', 'writeZeroes', 'compareAndWrite', 'extentAt', 'resize'] as const;

/** Plain data. */
export interface VolumeShape {
  readonly size: number;
  readonly logicalBlockSize: number;
  readonly physicalBlockSize: number;
  readonly readOnly: boolean;
  readonly discardGranularity: number;
  readonly discardLeavesAnything: boolean;
  readonly rotational: boolean;
  readonly atomicWriteBytesMax: number | null;
  readonly can: readonly string[];
}

/** The shape of an open volume. */
export const shapeOfVolume = (volume: Volume): VolumeShape => ({
  size: volume.size,
  logicalBlockSize: volume.logicalBlockSize,
  physicalBlockSize: volume.physicalBlockSize,
  readOnly: volume.readOnly,
  discardGranularity: volume.discardGranularity,
  discardLeavesAnything: volume.discardLeavesAnything ?? false,
  rotational: volume.rotational,
  atomicWriteBytesMax: volume.atomicWriteBytesMax ?? null,
  can: abilities.filter((one) => volume[one] !== undefined),
});

/** Undefined for what is no shape: it comes from another gateway. */
export function parseShape(found: unknown): VolumeShape | undefined {
  const shape = (found ?? {}) as Partial<Record<keyof VolumeShape, unknown>>;
  const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
  const isBlock = (value: unknown) => value === 512 || value === 4096 || (isCount(value) && Number(value) % 512 === 0);
  const isShape =
    isCount(shape.size) &&
    isBlock(shape.logicalBlockSize) &&
    isBlock(shape.physicalBlockSize) &&
    isCount(shape.discardGranularity) &&
    (shape.atomicWriteBytesMax === null || isCount(shape.atomicWriteBytesMax)) &&
    [shape.readOnly, shape.discardLeavesAnything, shape.rotational].every((one) => typeof one === 'boolean') &&
    Array.isArray(shape.can) &&
    shape.can.every((one) => typeof one === 'string');
  return isShape ? (found as VolumeShape) : undefined;
}

/** A volume that another gateway serves: whatever is asked of it fails. */
export function volumeElsewhere(shape: VolumeShape): Volume {
  const refused = (): Promise<never> => Promise.reject(systemError('ENODEV', 'read'));
  const { atomicWriteBytesMax, discardLeavesAnything, can, ...plain } = shape;
  return {
    ...plain,
    ...(atomicWriteBytesMax !== null && { atomicWriteBytesMax }),
    ...(discardLeavesAnything && { discardLeavesAnything }),
    ...Object.fromEntries(abilities.flatMap((one) => (can.includes(one) ? [[one, refused]] : []))),
    read: refused,
    write: refused,
    flush: refused,
    close: async () => {},
  };
}
