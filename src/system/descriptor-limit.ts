/** How many file descriptors this process may have: sockets of strangers must not take what volumes, the journal and the operator need. */

import { readFileSync } from 'node:fs';

/** A part of the limit is kept for what is not a stranger's, within these bounds. */
const reservedPart = 1 / 8;
const reservedMin = 8;
const reservedMax = 256;

/** RLIMIT_NOFILE as it is now; Node has raised it as far as it may. Infinite where that cannot be told. */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

const reserveOf = (limit: number): number => Math.min(reservedMax, Math.max(reservedMin, limit * reservedPart));

let limit: number | undefined;

/**
 * How far a socket that was just accepted has come into the reserve; 0 or less: it has not. The kernel gives the lowest number that is free
 * (open(2)): all below it are taken.
 * @param part of the reserve that whoever asks may use up: 0 for strangers
 */
export function intoReserve(fd: number, part = 0): number {
  limit ??= descriptorLimit();
  return fd + 1 - Math.floor(limit - reserveOf(limit) * (1 - part));
}
