/** Processes: the end of this one, and facts of others from /proc: whether one still lives, and which ones hold a file open. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { systemErrorCode } from '../errors.ts';
import { foreignCall } from './ffi.ts';

const exitNow = foreignCall('_exit', 'void', ['int']);

/** Ends this process, although threads of it may hang in a call: an orderly end would wait for those. */
export function endProcess(status: number): never {
  exitNow()?.now(status);
  return process.exit(status);
}

/**
 * The start time of a process, in clock ticks since boot, which tells it from a later one with the same number; undefined when it is
 * gone, or ended and nobody has waited for it (in a container, nobody may ever do).
 */
export function startTimeOf(pid: number): string | undefined {
  try {
    // proc(5) /proc/pid/stat: fields 3 and 22, counted behind the name, which may hold blanks and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Whether a process of that number runs. */
export function isAlive(pid: number): boolean {
  if (process.platform === 'linux') return startTimeOf(pid) !== undefined;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/** Processes that have `path` (a real path) open, as `pid 1234 (name)`; only those that we may look into. */
export function processesWithOpen(path: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && hasOpen(name, path))
    .map((pid) => `pid ${pid} (${nameOf(pid)})`);
}

function hasOpen(pid: string, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === path);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '?';
  }
}
