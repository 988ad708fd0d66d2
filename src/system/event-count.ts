/**
 * A count that the kernel adds to (eventfd(2)), watched by the event loop: no thread waits for it. Node looks at nothing but
 * sockets and pipes, so a pipe is opened for it, and the count then put in the pipe's place, under the same number.
 */

import { Socket } from 'node:net';
import { closeForeign } from './descriptor.ts';
import { foreignCall } from './ffi.ts';
import { systemError } from './system-error.ts';

const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;
const O_CLOEXEC = 0x80000;

const eventfd = foreignCall('eventfd', 'int', ['uint', 'int']);
const pipe2 = foreignCall('pipe2', 'int', ['void *', 'int']);
const dup3 = foreignCall('dup3', 'int', ['int', 'int', 'int']);

export interface EventCount {
  /** Whoever adds to it is given this. */
  readonly fd: number;
  /** Whether the event loop goes on as long as nothing else is to come. */
  keepAlive(kept: boolean): void;
  close(): void;
}

/** @param counted called in a turn of the event loop after something was added @throws a system error */
export function eventCount(counted: () => void): EventCount {
  const [makeCount, makePipe, put] = [eventfd(), pipe2(), dup3()];
  if (!makeCount || !makePipe || !put) throw systemError('ENOSYS', 'eventfd');
  const fd = makeCount.now(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw systemError(-fd, 'eventfd');
  const ends = new Int32Array(2);
  const piped = makePipe.now(ends, O_CLOEXEC);
  if (piped < 0) {
    closeForeign(fd);
    throw systemError(-piped, 'pipe2');
  }
  const [end = -1, otherEnd = -1] = ends;
  const onread = {
    // More than the count has: a buffer that is full would be taken for a sign that there is more to read.
    buffer: new Uint8Array(16),
    callback: () => {
      counted();
      return true;
    },
  };
  // It has not been looked at yet: that begins when this turn ends.
  const socket = new Socket({ fd: end, readable: true, writable: false, onread } as SocketOptions);
  put.now(fd, end, O_CLOEXEC);
  closeForeign(otherEnd);
  socket.on('error', () => {});
  socket.unref();
  return {
    fd,
    keepAlive: (kept) => void (kept ? socket.ref() : socket.unref()),
    close() {
      socket.destroy();
      closeForeign(fd);
    },
  };
}

/** Its types have `onread` at `connect` alone. */
type SocketOptions = NonNullable<ConstructorParameters<typeof Socket>[0]>;
