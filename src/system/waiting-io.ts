/**
 * Reads, writes, flushes and what else has to wait for a device, of open files. They go through a ring of this event loop's own
 * (io-uring.ts); where the kernel, or who confines this process, does not allow that, or TCLI_IO_URING=off, through threads.
 */

import { fdatasync, read, write } from 'node:fs';
import { reasonOf, systemErrorCode } from '../errors.ts';
import { foreignCall } from './ffi.ts';
import { IORING_FSYNC_DATASYNC, IoUring, opcode, slotBytes } from './io-uring.ts';
import { systemError } from './system-error.ts';

/** Each resolves when the file has answered, and rejects with a system error. */
export interface WaitingIo {
  /** What is longer is faster in pieces, all at once. */
  readonly pieceBytes: number;
  /** @returns how many bytes it was; 0: the file ends there */
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  /** @returns how many bytes were written */
  write(fd: number, from: Uint8Array, position: number): Promise<number>;
  /** fdatasync(2) */
  sync(fd: number): Promise<void>;
  /**
   * As `write`, and what is written is on stable storage then.
   * @param durableFd the same file, opened by itself with O_DSYNC: whoever flushes `fd` hears of failures, too
   */
  writeDurably(fd: number, durableFd: number, from: Uint8Array, position: number): Promise<number>;
  /** fallocate(2) */
  allocate(fd: number, mode: number, position: number, length: number): Promise<void>;
}

/** Of this thread: it is there while somebody uses it. */
let ring: IoUring | undefined;
let users = 0;
/** Why there is none. */
let refusal: string | undefined;

/** Where it can be had, so can `allocate`. */
export const fallocate = foreignCall('fallocate', 'int', ['int', 'int', 'int64', 'int64']);

const inThreads: WaitingIo = {
  pieceBytes: Number.POSITIVE_INFINITY,
  read: (fd, into, position) => called((ended) => read(fd, into, 0, into.length, position, ended)),
  write: (fd, from, position) => called((ended) => write(fd, from, 0, from.length, position, ended)),
  sync: (fd) => called((ended) => fdatasync(fd, (error) => ended(error, 0))).then(() => {}),
  writeDurably: (_, durableFd, from, position) => inThreads.write(durableFd, from, position),
  async allocate(fd, mode, position, length) {
    await fallocate()?.later(fd, mode, position, length);
  },
};

const inRing: WaitingIo = {
  pieceBytes: slotBytes,
  read: (fd, into, position) =>
    ended('read', (done) =>
      ring!.transfer(opcode.read, fd, Math.min(into.length, slotBytes), position, (result, memory) => {
        if (result > 0) into.set(memory.subarray(0, result));
        done(result);
      }),
    ),
  write(fd, from, position) {
    const length = Math.min(from.length, slotBytes);
    const fill = (memory: Uint8Array) => memory.set(from.subarray(0, length));
    return ended('write', (done) => ring!.transfer(opcode.write, fd, length, position, done, fill));
  },
  sync: (fd) => sync(fd, 0, 0),
  async writeDurably(fd, durableFd, from, position) {
    // The kernel lets one thread at a time write to a file, and with O_DSYNC that thread would wait for the device. So it is
    // asked for what it does then, step by step; of the second, as many as are asked for go on at one time.
    const count = await inRing.write(fd, from, position);
    if (count > 0) await sync(durableFd, position, count);
    return count;
  },
  async allocate(fd, mode, position, length) {
    await ended('fallocate', (done) => ring!.command(opcode.fallocate, fd, length, mode, position, 0, done));
  },
};

/** @param length 0: to the end of the file */
async function sync(fd: number, position: number, length: number): Promise<void> {
  await ended('fdatasync', (done) => ring!.command(opcode.fsync, fd, 0, length, position, IORING_FSYNC_DATASYNC, done));
}

/** What a kernel means by these when it is asked for a ring. */
const refusals: Readonly<Record<string, string>> = {
  EPERM: 'as io_uring is not permitted here: seccomp of a container or service, or the sysctl kernel.io_uring_disabled',
  ENOSYS: 'as there is no io_uring here: an old kernel, or seccomp hides it',
  EINVAL: 'as io_uring of this kernel is older than that of Linux 6.1',
};

/** The way that is used now. */
export const waitingIo = (): WaitingIo => (ring ? inRing : inThreads);

/** Opens this event loop's ring, if it can be had, for as long as somebody uses it. */
export function joinRing(): void {
  users += 1;
  if (users > 1) return;
  ({ ring, refusal } = openRing());
}

/** One of those who use it does not any more; what it has begun has ended. */
export function leaveRing(): void {
  users -= 1;
  if (users > 0) return;
  ring?.close();
  ring = undefined;
}

function openRing(): { ring: IoUring | undefined; refusal: string | undefined } {
  if (process.env['TCLI_IO_URING'] === 'off') return { ring: undefined, refusal: 'as TCLI_IO_URING=off says' };
  try {
    return { ring: new IoUring(), refusal: undefined };
  } catch (error) {
    const code = systemErrorCode(error);
    return { ring: undefined, refusal: (code && refusals[code]) ?? `as io_uring cannot be had: ${reasonOf(error)}` };
  }
}

/** Looks, without waiting, whether something has ended. @returns whether it has: those who waited go on when this turn ends */
export const lookAtRing = (): boolean => ring?.look() ?? false;

/** Which way is used here, in a few words, and why not the ring; undefined where nothing is open that may have to wait. */
export function wayOfWaiting(): string | undefined {
  if (users === 0) return undefined;
  return ring ? 'io_uring' : `threads, ${refusal}`;
}

function called(call: (ended: (error: Error | null, count: number) => void) => void): Promise<number> {
  return new Promise((resolve, reject) => call((error, count) => (error ? reject(error) : resolve(count))));
}

function ended(call: string, begin: (done: (result: number) => void) => void): Promise<number> {
  return new Promise((resolve, reject) =>
    begin((result) => (result < 0 ? reject(systemError(-result, call)) : resolve(result))),
  );
}
