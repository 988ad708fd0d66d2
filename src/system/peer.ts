/** Who is at the other end of a Unix socket, as the kernel knows it. */

import type { Socket } from 'node:net';
import { foreignCall } from './ffi.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const getsockopt = foreignCall('getsockopt', 'int', ['int', 'int', 'int', 'uint8_t *', 'uint8_t *']);

export interface Peer {
  readonly pid: number;
  readonly uid: number;
}

/** unix(7) SO_PEERCRED: who connected. Undefined where it cannot be known: other platforms, no koffi. */
export function peerOf(socket: Socket): Peer | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  const call = getsockopt();
  if (!call || fd === undefined || fd < 0) return undefined;
  // struct ucred: pid, uid, gid, four bytes each.
  const credentials = new Uint8Array(12);
  const length = new Uint8Array(new Uint32Array([credentials.length]).buffer);
  if (call.now(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) < 0) return undefined;
  const [pid = 0, uid = 0] = new Uint32Array(credentials.buffer);
  return { pid, uid };
}
