/** Servers on Unix sockets, from the name in the file system to the moment in which they listen. */

import { chmodSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { reasonOf } from '../errors.ts';

/** The bytes of sun_path (unix(7)), without the zero at its end. */
export const pathBytesMax = 107;

/** Resolves when a server listens; rejects when it cannot. */
export function whenListening(server: Server, where: { path: string } | { fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      // A later error concerns one accept (EMFILE …), and the server goes on.
      server.on('error', () => {});
      resolve();
    });
  });
}

/**
 * Opens a socket for its owner alone. A socket that an earlier process left at its path is removed. Never rejects.
 * @returns the reason, in a line, why it does not listen; undefined when it does
 */
export async function openAt(server: Server, path: string): Promise<string | undefined> {
  if (Buffer.byteLength(path) > pathBytesMax)
    return `the path of its socket is longer than ${pathBytesMax} bytes: ${path}`;
  try {
    rmSync(path, { force: true });
    await whenListening(server, { path });
    chmodSync(path, 0o600);
    return undefined;
  } catch (error) {
    return `${path}: ${reasonOf(error)}`;
  }
}
