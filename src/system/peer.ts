/** The peer at the other end of a Unix socket, as the kernel knows it. */

import type { Socket } from 'node:net';
import { foreignCall } from './ffi.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
/** NGROUPS_MAX of Linux. */
const groupsMax = 65_536;

const getsockopt = foreignCall('getsockopt', 'int', ['int', 'int', 'int', 'uint8_t *', 'uint8_t *']);

export interface Peer {
  readonly pid: number;
  readonly uid: number;
  /** The groups of the peer: its own and the supplementary ones. */
  groups(): readonly number[];
}

/**
 * The reason, in a line, why a peer may not control this process: root and this process's own user may, and the members of a group.
 * Undefined when it may, or when the kernel cannot be asked: then the permissions of the socket decide.
 */
export function mayControl(socket: Socket, group: number | undefined): string | undefined {
  const peer = peerOf(socket);
  const trusted =
    peer === undefined ||
    peer.uid === 0 ||
    peer.uid === process.geteuid?.() ||
    (group !== undefined && peer.groups().includes(group));
  return trusted ? undefined : `user ${peer.uid} may not control this process`;
}

/** The peer that connected (unix(7) SO_PEERCRED and SO_PEERGROUPS). Undefined where it cannot be known: other platforms, no koffi. */
export function peerOf(socket: Socket): Peer | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  const call = getsockopt();
  if (!call || fd === undefined || fd < 0) return undefined;
  const ask = (option: number, wordsMax: number): Uint32Array | undefined => {
    const value = new Uint32Array(wordsMax);
    const length = Uint32Array.of(value.byteLength);
    if (call.now(fd, SOL_SOCKET, option, new Uint8Array(value.buffer), new Uint8Array(length.buffer)) < 0)
      return undefined;
    const [bytes = 0] = length;
    return value.subarray(0, bytes / 4);
  };
  // struct ucred: pid, uid, gid, four bytes each.
  const credentials = ask(SO_PEERCRED, 3);
  if (!credentials) return undefined;
  const [pid = 0, uid = 0, gid = 0] = credentials;
  return { pid, uid, groups: () => [gid, ...(ask(SO_PEERGROUPS, groupsMax) ?? [])] };
}
