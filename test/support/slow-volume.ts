/** A volume whose calls wait until the test lets them go: order and overlap without clocks. */

import type { Volume } from '../../src/backstore/backstore.ts';
import { interceptedVolume, type VolumeCall } from './intercepted-volume.ts';

export interface SlowVolume {
  readonly volume: Volume;
  /** Calls that wait, oldest first: `read 0+512`. */
  readonly waiting: readonly string[];
  /** Lets the call at `index` of `waiting` (the oldest) go on. */
  release(index?: number): void;
  /** Lets everything go that waits now. */
  releaseAll(): void;
}

export function slowVolume(inner: Volume): SlowVolume {
  const waiting: string[] = [];
  const releases: (() => void)[] = [];
  const hold = (call: VolumeCall, position: number, length: number) =>
    new Promise<void>((resolve) => {
      waiting.push(length > 0 ? `${call} ${position}+${length}` : call);
      releases.push(resolve);
    });
  const release = (index = 0) => {
    waiting.splice(index, 1);
    releases.splice(index, 1)[0]?.();
  };
  return {
    volume: interceptedVolume(inner, hold),
    waiting,
    release,
    releaseAll: () => {
      while (releases.length > 0) release();
    },
  };
}
