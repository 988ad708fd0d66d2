/** recv(2), recvmsg(2), FIONREAD (tcp(7)), send(2), sendmsg(2), sendfile(2) and TCP_CORK (tcp(7)) on a socket of Node's, without Node's stream in between. */

import type { Socket } from 'node:net';
import { descriptorOf } from './descriptor.ts';
import { foreignCall } from './ffi.ts';
import type { IoVector } from './io-vector.ts';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_MORE = 0x8000;
const EFAULT = -14;
const FIONREAD = 0x541b;
const IPPROTO_TCP = 6;
const TCP_CORK = 3;

const recvCall = foreignCall('recv', 'int64', ['int', 'void *', 'size_t', 'int']);
const recvmsgCall = foreignCall('recvmsg', 'int64', ['int', 'void *', 'int']);
const ioctlCall = foreignCall('ioctl', 'int', ['int', 'ulong', 'void *']);
const sendCall = foreignCall('send', 'int64', ['int', 'void *', 'size_t', 'int']);
const sendmsgCall = foreignCall('sendmsg', 'int64', ['int', 'void *', 'int']);
const sendfileCall = foreignCall('sendfile', 'int64', ['int', 'int', 'int64 *', 'size_t']);
const setsockoptCall = foreignCall('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'int']);
const flags = { on: new Int32Array([1]), off: new Int32Array([0]) };
/** The result of FIONREAD: the number of bytes to be received. */
const unread = new Int32Array(1);
/** The position of sendfile(2). One is enough, as the call does not outlive its turn. */
const offset = new BigInt64Array(1);

/** System calls on a socket, none of which waits. Where they fail, Node's socket is used, and says what is wrong. */
export interface DirectSocket {
  /** Receives into `into`. @returns the number of bytes. 0: none yet; an end or an error, too, which Node's socket tells */
  receive(into: Uint8Array): number;
  /** The number of bytes to be received. */
  available(): number;
  /** Receives as `receive`, into the pieces of a vector, one after another; undefined when one of them is not there any more. */
  receiveVector(vector: IoVector): number | undefined;
  /** Sends. @returns the number of the first `length` bytes that the socket took @param more of them will follow at once */
  send(bytes: Uint8Array, length: number, more: boolean): number;
  /** Sends the pieces of a vector. @returns the number of bytes that the socket took. They end before a piece that is not there any more */
  sendVector(vector: IoVector, more: boolean): number;
  /** Sets whether bytes that do not fill a segment are held back: many small sends would wake the receiver for each. */
  cork(held: boolean): void;
  /** Sends bytes of a file, which must be in memory. @returns the number of bytes that the socket took */
  sendFile(fd: number, position: number, length: number): number;
}

/** The calls on a socket. Undefined where they cannot be had. */
export function directSocket(socket: Socket): DirectSocket | undefined {
  const [recv, recvmsg, send, sendmsg] = [recvCall(), recvmsgCall(), sendCall(), sendmsgCall()];
  const [sendfile, setsockopt, ioctl] = [sendfileCall(), setsockoptCall(), ioctlCall()];
  const fd = descriptorOf(socket);
  if (!recv || !recvmsg || !ioctl || !send || !sendmsg || !sendfile || !setsockopt || fd < 0) return undefined;
  // The descriptor's number may be another file's once the socket is destroyed.
  return {
    receive: (into) => (socket.destroyed ? 0 : Math.max(0, recv.now(fd, into, into.length, MSG_DONTWAIT))),
    available: () => (!socket.destroyed && ioctl.now(fd, FIONREAD, unread) === 0 ? unread[0]! : 0),
    receiveVector(vector) {
      const count = socket.destroyed ? 0 : recvmsg.now(fd, vector.message, MSG_DONTWAIT);
      return count === EFAULT ? undefined : Math.max(0, count);
    },
    send: (bytes, length, more) =>
      socket.destroyed
        ? 0
        : Math.max(0, send.now(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0))),
    sendVector: (vector, more) =>
      socket.destroyed
        ? 0
        : Math.max(0, sendmsg.now(fd, vector.message, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0))),
    cork(held) {
      const flag = held ? flags.on : flags.off;
      if (!socket.destroyed) setsockopt.now(fd, IPPROTO_TCP, TCP_CORK, flag, flag.byteLength);
    },
    sendFile(file, position, length) {
      if (socket.destroyed) return 0;
      offset[0] = BigInt(position);
      return Math.max(0, sendfile.now(fd, file, offset, length));
    },
  };
}
