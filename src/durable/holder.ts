/** Ownership of a home: one process at a time has it, and its lock names that process. */

import { dirname, join } from 'node:path';
import { OperatorError, reasonOf } from '../errors.ts';
import { type FileLock, lockFile, lockHolder } from '../system/lock.ts';
import { runningMs, until } from '../system/running-time.ts';
import type { Home } from './home.ts';

/** The role of a process at its home: `command` is over in a moment and worth waiting for. */
export type Role = 'serve' | 'shell' | 'command';

/** The process that owns a home. */
export interface Holder {
  readonly pid: number;
  readonly role: Role;
  /** The words that `serve` was given: for whoever starts it again. Absent: it does not serve, or is older than this list. */
  readonly words?: readonly string[];
}

/** The time that a start waits for a `command` that holds the home. */
const lockWaitMs = 10_000;
const lockPollMs = 25;
/** The time that a holder may take to end after its file is gone. */
const namelessMs = 500;

/**
 * Takes the lock of a home.
 * @param words those of `serve`, as `Holder` has them
 * @returns the lock, or the longer-lived process that has it
 * @throws OperatorError
 */
export async function takeLock(home: Home, role: Role, words?: readonly string[]): Promise<FileLock | Holder> {
  const path = lockOf(home);
  const content = JSON.stringify({ pid: process.pid, role, ...(words && { words }) } satisfies Holder);
  const begun = runningMs();
  let seen: FileLock | Holder | undefined;
  const look = () => {
    const lock = tryLock(path, content);
    if (!('heldBy' in lock)) return lock;
    // A holder whose file was removed does not say which process it is; one that is ending at this moment is gone in the next.
    const isNameless = lock.pid !== undefined && runningMs() > begun + namelessMs;
    const holder: Holder = isNameless ? { pid: lock.pid ?? 0, role: 'serve' } : parseHolder(lock.heldBy);
    seen = holder;
    return holder.role === 'command' ? undefined : holder;
  };
  return (await until<FileLock | Holder>(lockPollMs, lockWaitMs, look)) ?? seen!;
}

function tryLock(path: string, content: string): ReturnType<typeof lockFile> {
  try {
    return lockFile(path, content);
  } catch (error) {
    throw new OperatorError(
      `Cannot make ${path}, which says whose the configuration is: ${reasonOf(error)}`,
      'Its directory must be writable for whoever looks at the configuration or changes it.',
    );
  }
}

/** The process that owns the home, if one does. */
export function holderOf(home: Home): Holder | undefined {
  const content = lockHolder(lockOf(home));
  return content === undefined ? undefined : parseHolder(content);
}

const lockOf = (home: Home): string => join(home.stateDirectory, 'lock');

/** The error for a process that needs the home while another owns it. */
export function inUse(home: Home, holder: Holder): OperatorError {
  const what =
    holder.role === 'serve' ? 'tcli serve' : holder.role === 'shell' ? 'an interactive tcli' : 'another tcli command';
  const next: Record<Role, string> = {
    command: 'Try again in a moment.',
    serve:
      'Its control socket does not answer here. Reading commands work meanwhile; to replace it: tcli daemon restart --force',
    shell: 'Its control socket does not answer here. Reading commands work meanwhile; it ends when that shell is left.',
  };
  return new OperatorError(
    `The configuration in ${dirname(home.saveFile)} is in use by ${what} (process ${holder.pid || 'unknown'}).`,
    next[holder.role],
  );
}

/** Reads the name of a holder. One that has not written its name yet is about to, and may be a `command`. */
function parseHolder(content: string): Holder {
  try {
    const { pid, role, words } = JSON.parse(content) as Holder;
    return {
      pid: Number(pid),
      role: role === 'serve' || role === 'shell' ? role : 'command',
      ...(Array.isArray(words) && words.every((word) => typeof word === 'string') && { words }),
    };
  } catch {
    return { pid: 0, role: 'command' };
  }
}
