/** The process behind a control socket: a client says what was typed only to a process that may hear it. */

import { lstatSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { OperatorError } from '../errors.ts';
import { userNamed } from '../system/caller.ts';
import { peerOf } from '../system/peer.ts';

/** The process that serves a socket, and the socket. */
export interface SocketServer {
  /** The user of the process that listens, as the kernel has it. */
  readonly uid: number;
  /** The socket as a file, and the owner of its folder. */
  readonly socket: { readonly uid: number; readonly gid: number; readonly mode: number };
  readonly folderUid: number;
}

function serverOf(connection: Socket, path: string): SocketServer {
  const socket = lstatSync(path, { throwIfNoEntry: false }) ?? nobodys;
  const folderUid = lstatSync(dirname(path), { throwIfNoEntry: false })?.uid ?? nobodys.uid;
  // Without the kernel's word, the owner of the file is who listens: nobody else can make one that is his.
  return { uid: peerOf(connection)?.uid ?? socket.uid, socket, folderUid };
}

/** A socket that is gone again: who listens must be trusted without it. */
const nobodys = { uid: -1, gid: -1, mode: 0 };

/** The user and the groups of the client. */
interface SocketCaller {
  readonly uid: number;
  readonly groups: readonly number[];
}

const ourselves = (): SocketCaller => ({
  uid: process.geteuid?.() ?? 0,
  groups: [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])],
});

/**
 * Why a client does not speak to who serves, which would see what is typed; undefined when it does. Root and its own user it trusts.
 * Another user serves it where the socket is that user's, or one that root made for him (systemd), and is either for a group that the
 * client is in, and not for everybody (serve --group), or in a folder of that user's, which root has named.
 */
export function refusalOf({ uid, socket, folderUid }: SocketServer, asker = ourselves()): string | undefined {
  if (uid === 0 || uid === asker.uid) return undefined;
  const isTheirs = (owner: number) => owner === uid || owner === 0;
  const isForGroup = (socket.mode & 0o022) === 0o020 && asker.groups.includes(socket.gid);
  if (isTheirs(socket.uid) && isTheirs(folderUid) && (asker.uid === 0 || isForGroup)) return undefined;
  return asker.uid === 0
    ? 'is not the owner of the socket and its folder'
    : 'is neither you nor root, and did not make it for a group of yours';
}

/** Ends a connection to somebody whom the client does not trust. @throws OperatorError then */
export function refuseStranger(connection: Socket, path: string): void {
  const server = serverOf(connection, path);
  const refused = refusalOf(server);
  if (refused === undefined) return;
  connection.destroy();
  throw new OperatorError(
    `${path} is served by ${userNamed(server.uid)}, who ${refused}: nothing was sent there.`,
    `To be that user: sudo -u ${userNamed(server.uid)} tcli …. Members of a group may use the socket that serve --group made.`,
  );
}
