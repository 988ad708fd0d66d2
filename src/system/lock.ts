/** Locks between processes: on an open volume, and on a home, whose configuration its holder may change. */

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { systemErrorCode } from '../errors.ts';
import { foreignCall } from './ffi.ts';
import { refuseStrange } from './own-file.ts';
import { startTimeOf } from './process.ts';
import { systemError } from './system-error.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = -11;

const F_TLOCK = 2;

const flock = foreignCall('flock', 'int', ['int', 'int']);
const lockf = foreignCall('lockf', 'int', ['int', 'int', 'int64']);

/**
 * Takes an exclusive lock on an open file, until it is closed.
 * @returns false when somebody else has it; true when it is ours, or when such locks cannot be had here
 * @throws a system error
 */
export function lockOpenFile(fd: number): boolean {
  const result = flock()?.now(fd, LOCK_EX | LOCK_NB) ?? 0;
  if (result === 0) return true;
  if (result === EWOULDBLOCK) return false;
  throw systemError(-result, 'flock');
}

/**
 * Takes the other kind of lock, lockf(3), which programs that know nothing of flock(2) look at, until the file is closed.
 * @returns false when another process has it; true when it is ours, or when such locks cannot be had here
 */
export const lockForOthers = (fd: number): boolean => (lockf()?.now(fd, F_TLOCK, 1) ?? 0) === 0;

/** A lock that this process has. */
export interface FileLock {
  /** Gives the lock back and removes the file. The end of the process gives it back, too. */
  release(): void;
}

/** The holder of a lock. */
export interface HeldBy {
  /** The text that the holder wrote into the file. */
  readonly heldBy: string;
  /** The process number of a holder whose file is gone and who still has the directory locked; 0 when the kernel does not say. */
  readonly pid?: number;
}

/** The number of attempts to take over an abandoned lock before somebody is believed to hold it. */
const attemptsMax = 10;

/**
 * Takes the lock that the file at `path` (made with mode 0600) stands for, for as long as this process lives. With flock(2) the kernel
 * keeps it, on the file and on its directory, for files are removed by mistake; without flock(2), the file's existence and its holder's
 * life do. Both write the same file (`content`, then the holder's process and its start time), so that they respect one another.
 * @param content a line that names this process to others that find the lock taken
 * @throws a system error
 */
export function lockFile(path: string, content: string): FileLock | HeldBy {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const lock = flock() ? lockWithKernel(path, content) : lockByExistence(path, content);
    if (lock) return lock;
  }
  return { heldBy: holderOf(path)?.content ?? '' };
}

/** Takes the lock by flock(2). @returns undefined when the file was replaced meanwhile: try again */
function lockWithKernel(path: string, content: string): FileLock | HeldBy | undefined {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  refuseStrange(fd, path);
  const lost = (answer: HeldBy | undefined) => {
    closeSync(fd);
    return answer;
  };
  if (!lockOpenFile(fd)) return lost({ heldBy: holderOf(path)?.content ?? '' });
  if (!isSameFile(fd, path)) return lost(undefined);
  const holder = holderOf(path);
  if (holder?.alive) return lost({ heldBy: holder.content });
  const directory = openSync(dirname(path), constants.O_RDONLY);
  if (!isOurs(directory)) {
    const pid = lockerOf(directory);
    closeSync(directory);
    unlinkSync(path);
    return lost({ heldBy: '', pid });
  }
  try {
    write(fd, content);
  } catch (error) {
    // The lock is ours even where its content cannot be written: a full disk is no reason not to serve.
    if (!isFull(error)) {
      closeSync(directory);
      closeSync(fd);
      throw error;
    }
  }
  return {
    release() {
      // The directory goes first: the next process that gets the file then finds the directory free.
      closeSync(directory);
      // The file may have been removed, and another process let in.
      if (isSameFile(fd, path)) unlinkSync(path);
      closeSync(fd);
    },
  };
}

/** Locks a directory; where that cannot be had (NFS), the file alone counts. */
function isOurs(directory: number): boolean {
  try {
    return lockOpenFile(directory);
  } catch {
    return true;
  }
}

/** The process that has locked an open file, as proc(5) /proc/locks has it: `1: FLOCK ADVISORY WRITE 1234 08:01:567 0 EOF`. */
function lockerOf(fd: number): number {
  const { ino } = fstatSync(fd);
  try {
    const all = readFileSync('/proc/locks', 'utf8').split('\n');
    const fields = all.map((line) => line.trim().split(/\s+/));
    return Number(fields.find(([, kind, , , , at = '']) => kind === 'FLOCK' && at.endsWith(`:${ino}`))?.[4] ?? 0);
  } catch {
    return 0;
  }
}

/** Takes the lock by a file's existence. @returns undefined when an abandoned file was removed: try again */
function lockByExistence(path: string, content: string): FileLock | HeldBy | undefined {
  const mine = `${path}.${process.pid}`;
  // A killed process of the same number may have left such a file.
  rmSync(mine, { force: true });
  const fd = openSync(mine, 'wx', 0o600);
  try {
    write(fd, content);
    // The file is linked to its place, so that nobody ever sees it without its content.
    linkSync(mine, path);
    return { release: () => unlinkSync(path) };
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  } finally {
    closeSync(fd);
    unlinkSync(mine);
  }
  const holder = holderOf(path);
  if (holder?.alive) return { heldBy: holder.content };
  renameSync(path, mine);
  // Another process was quicker with the abandoned file, and this file is the new holder's.
  if (holderOf(mine)?.alive) linkSync(mine, path);
  unlinkSync(mine);
  return undefined;
}

/** The text in the lock file at `path`; undefined when no process holds the lock. */
export function lockHolder(path: string): string | undefined {
  const holder = holderOf(path);
  return holder?.alive ? holder.content : undefined;
}

function write(fd: number, content: string): void {
  ftruncateSync(fd);
  writeSync(fd, `${content}\n${process.pid} ${startTimeOf(process.pid)}\n`, 0);
}

const isFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(systemErrorCode(error) ?? '');

function isSameFile(fd: number, path: string): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now?.ino === fstatSync(fd).ino;
}

function holderOf(path: string): { content: string; alive: boolean } | undefined {
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const [content = '', holder = ''] = lines;
  const [pid = '', startTime] = holder.split(' ');
  return { content, alive: startTime !== undefined && startTimeOf(Number(pid)) === startTime };
}
