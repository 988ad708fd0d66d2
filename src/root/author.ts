/** Who makes a change: whoever is at the other end of a socket, or this process itself. */

import type { Socket } from 'node:net';
import type { Author, Via } from '../operations/operation.ts';
import { callerOf, ownCaller } from '../system/caller.ts';
import { peerOf } from '../system/peer.ts';

/** As the kernel knows it. */
export function authorOf(socket: Socket, via: Via): Author {
  const peer = peerOf(socket);
  return { via, ...(peer && callerOf(peer.pid, peer.uid)) };
}

/** The user of this process. */
export const ownAuthor = (via: Via): Author => ({ via, ...ownCaller() });
