/** The parts of `tcli share` besides the shell's command of that name: it starts a process that serves, and asks for a secret. */

import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
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

/** Asks for a secret: on the terminal, where it is not shown, or as a line of standard input. @throws OperatorError */
export async function askSecret(userid: string): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY) {
    stderr.write(`Secret of ${userid}: `);
    stdin.setRawMode(true);
  }
  try {
    const secret = stdin.isTTY ? await typed() : await firstLine();
    if (secret === '') throw new OperatorError('No secret was given.');
    return secret;
  } finally {
    if (stdin.isTTY) {
      stdin.setRawMode(false);
      stderr.write('\n');
    }
  }
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line;
  return '';
}

/** Reads keys until Enter; Ctrl-C gives up, Backspace takes a character back. */
function typed(): Promise<string> {
  const { stdin } = process;
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (bytes: Buffer) => {
      for (const char of bytes.toString('utf8')) {
        if (char === '\r' || char === '\n') return end(() => resolve(text));
        if (char === '\u0003') return end(() => reject(new OperatorError('Given up.')));
        text = char === '\u007f' || char === '\b' ? text.slice(0, -1) : text + char;
      }
    };
    const end = (then: () => void) => {
      stdin.off('data', take);
      stdin.pause();
      then();
    };
    stdin.on('data', take);
  });
}
