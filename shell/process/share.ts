/** The parts of `tcli share` besides the shell's command of that name: it starts a process that serves, and asks for a secret. */

import { existsSync } from 'node:fs';
import { type Home, OperatorError } from '../../src/client.ts';
import { connectSocket } from '../channel/client-socket.ts';
import type { ServeWords } from './serve-words.ts';

/** The words for a process that serves with all defaults. */
const plainly: ServeWords = { words: [], waitMs: 0, logFormat: 'text', logLevel: 'info', loops: undefined };

/**
 * Starts the process that serves, where none can be reached. @returns its exit status @throws OperatorError for a path that could not be
 * shared
 */
export async function ensureServing(home: Home, path: string, isMade: boolean): Promise<number> {
  const terminal = { columns: 80, color: false, interactive: false };
  const client = await connectSocket(home, {}, terminal);
  await client?.close();
  if (client) return 0;
  if (!isMade && !existsSync(path))
    throw new OperatorError(
      `There is no ${path}.`,
      `To make it, say how large it is to be: tcli share ${path} --size 5G`,
    );
  const { daemon } = await import('./daemon-commands.ts');
  return daemon(home, { action: 'start', force: false, json: false, serve: plainly }, 'share');
}
