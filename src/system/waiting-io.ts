/**
 * Calls on open files that have to wait for a device: reads, writes, flushes and others. They go through a ring of this event loop's own
 * (io-uring.ts); where the kernel, or the container of this process, does not allow a ring, or with TCLI_IO_URING=off, through threads.
 */

import { fdatasync, read, write } from 'node:fs';
import { constants } from 'node:os';
import { reasonOf, systemErrorCode } from '../errors.ts';
import { foreignCall } from './ffi.ts';
import { IORING_FSYNC_DATASYNC, IoUring, opcode, POSIX_FADV_WILLNEED, slotBytes } from './io-uring.ts';
import { systemError } from './system-error.ts';

/** Called when a call has ended: with the number of bytes, or the negative error number, as the kernel gives it. */
export type IoEnd = (result: number) => void;

/** A way to carry out calls that have to wait for a device. */
export interface WaitingIo {
  /** The bytes of a piece: a longer transfer is faster in pieces, all at once. */
  readonly pieceBytes: number;
  /** Whether a file of direct I/O takes bytes from any memory: they go by way of memory that suits it. */
  readonly takesAnyMemory: boolean;
  /** Reads; the call ends with 0 where the file does. Until it has ended, `into` belongs to it. */
  read(fd: number, into: Uint8Array, position: number, ended: IoEnd): void;
  write(fd: number, from: Uint8Array, position: number, ended: IoEnd): void;
  /** Begins to bring a range into the page cache; the call ends when that has begun. */
  fetch(fd: number, position: number, length: number, ended: IoEnd): void;
  /**
   * Writes as `write`, and the bytes are on stable storage at the end.
   * @param durableFd the same file, opened by itself with O_DSYNC: a later flush of `fd` is told of failures, too
   */
  writeDurably(fd: number, durableFd: number, from: Uint8Array, position: number, ended: IoEnd): void;
  /** fdatasync(2) @throws a system error */
  sync(fd: number): Promise<void>;
  /** fallocate(2) @throws a system error */
  allocate(fd: number, mode: number, position: number, length: number): Promise<void>;
}

/** The ring of this thread, which is there while somebody uses it. */
let ring: IoUring | undefined;
let inRing: WaitingIo | undefined;
let users = 0;
/** The reason why there is no ring. */
let refusal: string | undefined;

/** The call fallocate(2), which `allocateSpace` needs. */
export const fallocate = foreignCall('fallocate', 'int', ['int', 'int', 'int64', 'int64']);

const readahead = foreignCall('readahead', 'int64', ['int', 'int64', 'size_t']);

/** Turns the end of a call of Node's into that of an `IoEnd`. */
const told =
  (ended: IoEnd) =>
  (error: NodeJS.ErrnoException | null, count = 0): void =>
    ended(error ? (error.errno ?? -constants.errno.EIO) : count);

const inThreads: WaitingIo = {
  pieceBytes: Number.POSITIVE_INFINITY,
  takesAnyMemory: false,
  read: (fd, into, position, ended) => read(fd, into, 0, into.length, position, told(ended)),
  write: (fd, from, position, ended) => write(fd, from, 0, from.length, position, told(ended)),
  fetch(fd, position, length, ended) {
    const call = readahead();
    if (call) call.later(fd, position, length).then(ended, () => ended(-constants.errno.EIO));
    else ended(-constants.errno.ENOSYS);
  },
  writeDurably: (_, durableFd, from, position, ended) => inThreads.write(durableFd, from, position, ended),
  sync: (fd) => resolved('fdatasync', (ended) => fdatasync(fd, told(ended))),
  async allocate(fd, mode, position, length) {
    await fallocate()?.later(fd, mode, position, length);
  },
};

function through(ring: IoUring): WaitingIo {
  const io: WaitingIo = {
    pieceBytes: slotBytes,
    takesAnyMemory: true,
    read(fd, into, position, ended) {
      ring.transfer(opcode.read, fd, Math.min(into.length, slotBytes), position, (result, memory) => {
        if (result > 0) into.set(result === slotBytes ? memory : memory.subarray(0, result));
        ended(result);
      });
    },
    write(fd, from, position, ended) {
      const length = Math.min(from.length, slotBytes);
      const fill = (memory: Uint8Array) => memory.set(length === from.length ? from : from.subarray(0, length));
      ring.transfer(opcode.write, fd, length, position, ended, fill);
    },
    fetch(fd, position, length, ended) {
      ring.command(opcode.fadvise, fd, 0, length, position, POSIX_FADV_WILLNEED, ended);
    },
    writeDurably(fd, durableFd, from, position, ended) {
      // The kernel lets one thread at a time write to a file, and with O_DSYNC that thread would wait for the device. So the two steps of
      // such a write are asked for one by one; many of the second can go on at one time.
      io.write(fd, from, position, (count) => {
        if (count <= 0) return ended(count);
        synchronize(ring, durableFd, position, count, (result) => ended(result < 0 ? result : count));
      });
    },
    sync: (fd) => resolved('fdatasync', (ended) => synchronize(ring, fd, 0, 0, ended)),
    allocate: (fd, mode, position, length) =>
      resolved('fallocate', (ended) => ring.command(opcode.fallocate, fd, length, mode, position, 0, ended)),
  };
  return io;
}

/** Makes a range durable. @param length 0: to the end of the file */
function synchronize(ring: IoUring, fd: number, position: number, length: number, ended: IoEnd): void {
  ring.command(opcode.fsync, fd, 0, length, position, IORING_FSYNC_DATASYNC, ended);
}

/** The meaning of a kernel's errors when it is asked for a ring. */
const refusals: Readonly<Record<string, string>> = {
  EPERM: 'as io_uring is not permitted here: seccomp of a container or service, or the sysctl kernel.io_uring_disabled',
  ENOSYS: 'as there is no io_uring here: an old kernel, or seccomp hides it',
  EINVAL: 'as io_uring of this kernel is older than that of Linux 6.1',
};

/** The way that is used now. */
export const waitingIo = (): WaitingIo => inRing ?? inThreads;

/** Opens this event loop's ring, if it can be had, for as long as it has users. */
export function joinRing(): void {
  users += 1;
  if (users > 1) return;
  ({ ring, refusal } = openRing());
  inRing = ring && through(ring);
}

/** Notes that a user of the ring is gone; its requests have ended. */
export function leaveRing(): void {
  users -= 1;
  if (users > 0) return;
  ring?.close();
  ring = inRing = undefined;
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

/** Looks, without waiting, whether a request has ended. @returns whether one has: its caller goes on when this turn ends */
export const lookAtRing = (): boolean => ring?.look() ?? false;

/** The way that is used here, in a few words, and why it is not the ring; undefined where nothing is open that may have to wait. */
export function wayOfWaiting(): string | undefined {
  if (users === 0) return undefined;
  return ring ? 'io_uring' : `threads, ${refusal}`;
}

function resolved(call: string, begin: (ended: IoEnd) => void): Promise<void> {
  return new Promise((resolve, reject) =>
    begin((result) => (result < 0 ? reject(systemError(-result, call)) : resolve())),
  );
}
