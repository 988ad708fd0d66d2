/**
 * Thresholds of a thin logical unit: what is left of its medium, and what it takes, in threshold sets; and who is told when
 * either crosses what an initiator asked to be told of (SBC-5 4.7.3.7).
 */

import { offersUnmap, offersWriteSameUnmap } from './provisioning.ts';
import type { StorageObject } from './storage-object.ts';

/** 2 MiB: 32 bits of them count the largest volume whose bytes JavaScript can (SBC-5 6.6.7). */
export const thresholdSetBytes = 2 * 1024 * 1024;

/** The unit is thin, and its volume can say what space there is. */
export const offersThresholds = (lu: StorageObject): boolean =>
  (offersUnmap(lu) || offersWriteSameUnmap(lu)) && lu.volume?.space !== undefined;

/** THRESHOLD EXPONENT: logical blocks in a threshold set, as a power of two (SBC-5 6.6.7). */
export const thresholdExponent = (lu: StorageObject): number =>
  offersThresholds(lu) ? Math.log2(thresholdSetBytes / lu.blockSize) : 0;
