/** Files that a line names are opened where it was typed, with the rights of whoever typed it: the engine asks for what is in them. */

import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { OperatorError, reasonOf } from '../../src/client.ts';
import type { OutputSink } from './protocol.ts';

/** A larger file is not read. */
const fileBytesMax = 8 << 20;

/** Asks for a file. @throws OperatorError when it cannot be had */
export async function readClientFile(sink: OutputSink, path: string): Promise<string> {
  const answer = await (sink.read?.(path) ?? answerFile(path));
  const { text, error } = parseAnswer(answer);
  if (text === undefined) throw new OperatorError(`Cannot read ${path}: ${error ?? 'nobody can open it here'}`);
  return text;
}

function parseAnswer(answer: string | null): { readonly text?: string; readonly error?: string } {
  try {
    const { text, error } = JSON.parse(answer ?? '{}') as Record<string, unknown>;
    return { ...(typeof text === 'string' && { text }), ...(typeof error === 'string' && { error }) };
  } catch {
    return {};
  }
}

/** The answer to a `FileQuestion`, in the process of whoever types. */
export async function answerFile(path: string): Promise<string> {
  const name = path.replace(/^~(?=\/|$)/, homedir());
  try {
    const { size } = await stat(name);
    if (size > fileBytesMax) throw new Error(`it has more than ${fileBytesMax} bytes`);
    return JSON.stringify({ text: await readFile(name, 'utf8') });
  } catch (error) {
    return JSON.stringify({ error: reasonOf(error) });
  }
}
