/** The limit of file descriptors of this process: sockets of strangers must not take those that volumes, the journal and the operator need. */

import { readFileSync } from 'node:fs';

/** The part of the limit that is kept for others than strangers, within these bounds. */
const reservedPart = 1 / 8;
const reservedMin = 8;
const reservedMax = 256;

/** The present RLIMIT_NOFILE; Node has raised it as far as it may. Infinite where that cannot be told. */
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
 * The number of descriptors by which a socket that was just accepted has come into the reserve; 0 or less: it has not. The kernel gives
 * the lowest number that is free (open(2)), so all below it are taken.
 * @param part of the reserve that the socket's kind may use up: 0 for strangers
 */
export function intoReserve(fd: number, part = 0): number {
  limit ??= descriptorLimit();
  return fd + 1 - Math.floor(limit - reserveOf(limit) * (1 - part));
}
