/** A file that is opened to be a volume, for this program alone. */

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

/** @param size bytes that it has to have at least @throws OperatorError */
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
    // The same inode, even if the path has come to mean another one.
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

/** What the operator is told when a file cannot be opened. */
export const couldNotOpen = (path: string, error: unknown) =>
  new OperatorError(`Could not open ${path}`, `${reasonOf(error)}.`);

/** @param size what it is to have, as far as is known @throws OperatorError */
export function openForWriting(path: string, size: number): number {
  try {
    // Without O_CREAT: a file that is gone stays gone, rather than coming back empty. O_NONBLOCK: a FIFO must not hang us.
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw couldNotOpen(path, error);
    throw gone(path, size);
  }
}

/** A file that was there, and is not. */
export const gone = (path: string, size: number) =>
  new OperatorError(
    `Could not open ${path}`,
    `The file is gone; it had ${size} bytes. Put it back, or delete the storage object.`,
  );

/** What its file system can do with its space. */
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

/** Two would write over one another. */
export function lockedByAnother(path: string): OperatorError {
  const who = processesWithOpen(realpathSync(path));
  return new OperatorError(
    `Could not open ${path}: it is already in use`,
    who.length > 0 ? `${who.join(', ')} has it open.` : 'Another storage object of this process has it open.',
  );
}

/** A file that has fewer bytes than its volume. */
export const shrunk = (path: string, expected: number, size: number) =>
  new OperatorError(
    `Could not open ${path}: it has ${size} bytes, but ${expected} are expected`,
    `Something has shortened it. Put the data back, or go on with zeros in place of them: truncate -s ${expected} ${path}`,
  );
