/** A volume that fails when told to, with the errors that a disk and a file system give. */

import type { Volume } from '../../src/backstore/backstore.ts';
import { systemError } from '../../src/system/system-error.ts';
import { interceptedVolume, type VolumeCall } from './intercepted-volume.ts';

/** @param fault the system error's code (`EIO`, `ENOSPC`) that this call is to end with, or undefined */
export function faultyVolume(
  inner: Volume,
  fault: (call: VolumeCall, position: number, length: number) => string | undefined,
): Volume {
  return interceptedVolume(inner, (call, position, length) => {
    const code = fault(call, position, length);
    if (code !== undefined) throw systemError(code, call);
  });
}
