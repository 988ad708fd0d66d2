/** Opens a file as the medium of a volume, for this program alone. */

import { closeSync, constants, fstatSync, openSync, realpathSync } from 'node:fs';
import { OperatorError, reasonOf, systemErrorCode } from '../errors.ts';
import {
  canAllocate,
  canPunchHoles,
  canSeekExtents,
  extentAt,
  punchHole,
  spaceOf,
  zeroRange,
} from '../system/allocation.ts';
import { fileOf } from '../system/descriptor.ts';
import { lockOpenFile } from '../system/lock.ts';
import { isInMemory } from '../system/page-cache.ts';
import { processesWithOpen } from '../system/process.ts';
import { blockDeviceNumbered } from './block-device.ts';
import { DirectFile } from './direct-file.ts';
import { fileSnapshots } from './file-snapshots.ts';
import { FileVolume, type Medium } from './file-volume.ts';

/** Opens the file. @param size bytes that it has to have at least @throws OperatorError */
export function openFileVolume(path: string, size: number, isDirect: boolean): FileVolume {
  const fd = openForWriting(path, size);
  let direct: DirectFile | undefined;
  try {
    if (!lockOpenFile(fd)) throw lockedByAnother(path);
    const found = fstatSync(fd);
    if (!found.isFile()) throw new OperatorError(`Path ${path} exists but is not a file`);
    if (found.size < size) throw shrunk(path, size, found.size);
    if (isDirect) {
      if (isInMemory(fd)) throw new OperatorError(`${path} lies in memory`, 'There direct=true has no meaning.');
      direct = DirectFile.open(fd, path, false);
      direct.check(path, size);
    }
    // The same inode is opened again, even if the path has come to mean another one.
    const durableFd = openSync(fileOf(fd, path), constants.O_RDWR | constants.O_DSYNC);
    return new FileVolume({
      fd,
      durableFd,
      direct,
      size,
      logicalBlockSize: 512,
      physicalBlockSize: direct?.block ?? 512,
      readOnly: false,
      discardGranularity: found.blksize,
      rotational: blockDeviceNumbered(found.dev)?.rotational ?? false,
      space: () => spaceOf(fd, path),
      snapshots: (bytes) => fileSnapshots(path, fd, bytes),
      ...provisioning(fd),
    });
  } catch (error) {
    for (const one of [fd, ...(direct?.descriptors ?? [])]) closeSync(one);
    throw error;
  }
}

/** The error for an operator when a file cannot be opened. */
export const couldNotOpen = (path: string, error: unknown) =>
  new OperatorError(`Could not open ${path}`, `${reasonOf(error)}.`);

/** Opens a file for writing. @param size its size, as far as is known @throws OperatorError */
export function openForWriting(path: string, size: number): number {
  try {
    // Without O_CREAT: a file that is gone stays gone, rather than coming back empty. O_NONBLOCK: a FIFO must not hang us.
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw couldNotOpen(path, error);
    throw gone(path, size);
  }
}

/** The error for a file that was there, and is gone. */
export const gone = (path: string, size: number) =>
  new OperatorError(
    `Could not open ${path}`,
    `The file is gone; it had ${size} bytes. Put it back, or delete the storage object.`,
  );

/** The abilities of the file's file system to discard and to zero. */
export function provisioning(fd: number): Pick<Medium, 'discard' | 'zero' | 'extentAt'> {
  const punches = canPunchHoles(fd);
  return {
    ...(punches && { discard: (position, length) => punchHole(fd, position, length) }),
    ...(canAllocate() && {
      async zero(position, length, mayDiscard) {
        if (!mayDiscard || !punches) return zeroRange(fd, position, length);
        await punchHole(fd, position, length);
        return true;
      },
    }),
    ...(canSeekExtents() && { extentAt: (position, limit) => extentAt(fd, position, limit) }),
  };
}

/** The error for a file that another process has locked: two would write over one another. */
export function lockedByAnother(path: string): OperatorError {
  const who = processesWithOpen(realpathSync(path));
  return new OperatorError(
    `Could not open ${path}: it is already in use`,
    who.length > 0 ? `${who.join(', ')} has it open.` : 'Another storage object of this process has it open.',
  );
}

/** The error for a file that has fewer bytes than its volume. */
export const shrunk = (path: string, expected: number, size: number) =>
  new OperatorError(
    `Could not open ${path}: it has ${size} bytes, but ${expected} are expected`,
    `Something has shortened it. Put the data back, or go on with zeros in place of them: truncate -s ${expected} ${path}`,
  );
