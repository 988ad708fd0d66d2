/** A Unix socket that brings descriptors along with bytes (unix(7), SCM_RIGHTS). Node's sockets drop them. */

import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { SocketOptions } from './buffered-socket.ts';
import { duplicateDescriptor } from './descriptor.ts';
import { addressOf, type ForeignCall, foreignCall } from './ffi.ts';
import { systemError } from './system-error.ts';

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CTRUNC = 8;
const MSG_CMSG_CLOEXEC = 0x40000000;
/**
 * The bytes of struct cmsghdr: length, level, type; descriptors of four bytes follow. This layout, and that of struct msghdr below, are
 * those of 64-bit machines.
 */
const controlHeaderBytes = 16;
const descriptorBytes = 4;
/** The number of descriptors that come at once: a table of a guest's memory has the most (vhost-user: 8). */
const descriptorsMax = 32;
/** struct msghdr and struct iovec. */
const messageBytes = 56;
const vectorBytes = 16;
const at = { vector: 16, vectorCount: 24, control: 32, controlLength: 40, flags: 48 } as const;

const recvmsgCall = foreignCall('recvmsg', 'int64', ['int', 'void *', 'int']);
const sendmsgCall = foreignCall('sendmsg', 'int64', ['int', 'void *', 'int']);

/** The bytes and descriptors that came; the caller closes the descriptors. Nothing: 'none yet'; the other side has gone: 'end'. */
export type Received = { readonly bytes: number; readonly descriptors: readonly number[] } | 'none yet' | 'end';

/** Room for no byte. */
const nothing = new Uint8Array(0);

/** One connected socket. */
export class DescriptorSocket {
  readonly fd: number;
  readonly #recvmsg: ForeignCall;
  readonly #sendmsg: ForeignCall;
  readonly #message = Buffer.alloc(messageBytes);
  readonly #vector = Buffer.alloc(vectorBytes);
  readonly #control = Buffer.alloc(controlHeaderBytes + descriptorBytes * descriptorsMax);

  /** @param fd a connected Unix socket; the caller closes it @throws a system error where there are no foreign calls */
  constructor(fd: number) {
    this.fd = fd;
    // Foreign calls have to be loaded before the first address is asked for.
    const [recvmsg, sendmsg] = [recvmsgCall(), sendmsgCall()];
    if (!recvmsg || !sendmsg) throw systemError('ENOSYS', 'recvmsg');
    this.#recvmsg = recvmsg;
    this.#sendmsg = sendmsg;
    this.#message.writeBigUInt64LE(addressOf(this.#vector), at.vector);
    this.#message.writeBigUInt64LE(1n, at.vectorCount);
  }

  /**
   * Calls `ready` once, when there is something to receive, also the end. Node's own socket waits, on a descriptor of its own; without
   * room for a byte it ends with ENOBUFS instead of reading. A poll by koffi would abort the process when its thread ends while there is
   * something to receive.
   * @returns what ends the wait before @throws a system error
   */
  whenReadable(ready: () => void): () => void {
    const options = { fd: duplicateDescriptor(this.fd), readable: true, writable: false };
    const socket = new Socket({ ...options, onread: { buffer: nothing, callback: () => true } } as SocketOptions);
    socket.once('error', ready);
    return () =>
      void socket
        .off('error', ready)
        .on('error', () => {})
        .destroy();
  }

  /** Receives into `into`. @throws a system error, also when descriptors were lost */
  receive(into: Uint8Array): Received {
    this.#point(into);
    this.#message.writeBigUInt64LE(addressOf(this.#control), at.control);
    this.#message.writeBigUInt64LE(BigInt(this.#control.length), at.controlLength);
    const bytes = this.#recvmsg.now(this.fd, this.#message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (bytes === -constants.errno.EAGAIN || bytes === -constants.errno.EINTR) return 'none yet';
    if (bytes === 0 || bytes === -constants.errno.ECONNRESET) return 'end';
    if (bytes < 0) throw systemError(-bytes, 'recvmsg');
    const descriptors = this.#descriptors();
    if ((this.#message.readUInt32LE(at.flags) & MSG_CTRUNC) !== 0) throw systemError('EMFILE', 'recvmsg');
    return { bytes, descriptors };
  }

  /** Sends. @returns whether the socket took all of it at once */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): boolean {
    this.#point(bytes);
    const length = controlHeaderBytes + descriptorBytes * descriptors.length;
    this.#control.writeBigUInt64LE(BigInt(length), 0);
    this.#control.writeInt32LE(SOL_SOCKET, 8);
    this.#control.writeInt32LE(SCM_RIGHTS, 12);
    for (const [i, fd] of descriptors.entries())
      this.#control.writeInt32LE(fd, controlHeaderBytes + i * descriptorBytes);
    const has = descriptors.length > 0;
    this.#message.writeBigUInt64LE(has ? addressOf(this.#control) : 0n, at.control);
    this.#message.writeBigUInt64LE(has ? BigInt(length) : 0n, at.controlLength);
    return this.#sendmsg.now(this.fd, this.#message, MSG_DONTWAIT | MSG_NOSIGNAL) === bytes.length;
  }

  #point(bytes: Uint8Array): void {
    this.#vector.writeBigUInt64LE(addressOf(bytes), 0);
    this.#vector.writeBigUInt64LE(BigInt(bytes.length), 8);
    this.#message.writeUInt32LE(0, at.flags);
  }

  #descriptors(): number[] {
    const length = Number(this.#message.readBigUInt64LE(at.controlLength));
    if (length < controlHeaderBytes) return [];
    if (this.#control.readInt32LE(8) !== SOL_SOCKET || this.#control.readInt32LE(12) !== SCM_RIGHTS) return [];
    const count = (Number(this.#control.readBigUInt64LE(0)) - controlHeaderBytes) / descriptorBytes;
    return Array.from({ length: count }, (_, i) => this.#control.readInt32LE(controlHeaderBytes + i * descriptorBytes));
  }
}
