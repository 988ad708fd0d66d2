/** The author of a change: the process at the other end of a socket, or this process itself. */

import type { Socket } from 'node:net';
import {
  type Author,
  describeOperation,
  type Operation,
  type PartOfChange,
  type Via,
} from '../operations/operation.ts';
import { callerOf, ownCaller } from '../system/caller.ts';
import { peerOf } from '../system/peer.ts';

/** The process at the other end of `socket`, as the kernel knows it. */
export function authorOf(socket: Socket, via: Via): Author {
  const peer = peerOf(socket);
  return { via, ...(peer && callerOf(peer.pid, peer.uid)) };
}

/** The user of this process, as the author of a change. */
export const ownAuthor = (via: Via): Author => ({ via, ...ownCaller() });

/** The detail that the log gives of a change: its author, and the typed line or the first operation. */
export function logDetail(
  operations: readonly Operation[],
  { of, by, line, undoes, redoes }: PartOfChange,
): Readonly<Record<string, string>> {
  const words = {
    via: 'program',
    ...by,
    line: line ?? operations.slice(0, 1).map(describeOperation).join(),
    undoes,
    redoes,
  };
  const said = Object.entries(words).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { change: of, ...Object.fromEntries(said) };
}
