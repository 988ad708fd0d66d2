/** A socket of Node's that receives into memory of its owner's. */

import { Socket } from 'node:net';

/** The options of Node's sockets. Node's types have `onread` at `connect` alone, and know neither that a buffer may be a function nor `handle`. */
export type SocketOptions = NonNullable<ConstructorParameters<typeof Socket>[0]>;

/** A socket of Node over a file descriptor that is this process's to close. */
export const socketOf = (source: Socket | number): Socket =>
  typeof source === 'number' ? new Socket({ fd: source }) : source;

/**
 * A socket that receives into `next()`'s buffer and calls `receive` with the count: it takes over the descriptor, or the
 * handle of the socket, that `source` is; where Node has no such handle, it copies.
 */
export function bufferedSocket(
  source: Socket | number,
  next: () => Uint8Array,
  receive: (count: number) => void,
): Socket {
  const callback = (count: number): boolean => {
    receive(count);
    return true;
  };
  const onread = { buffer: next, callback };
  if (typeof source === 'number') return new Socket({ fd: source, onread } as SocketOptions);
  const holder = source as unknown as { _handle: object | null };
  const handle = holder._handle;
  if (!handle) {
    source.on('data', (data: Buffer) => {
      for (let at = 0; at < data.length; ) {
        const into = next();
        const piece = data.subarray(at, at + into.length);
        into.set(piece);
        receive(piece.length);
        at += piece.length;
      }
    });
    source.resume();
    return source;
  }
  holder._handle = null;
  return new Socket({ handle, onread } as SocketOptions);
}
