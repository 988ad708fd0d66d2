/**
 * Files and variables that a line names are looked at where it was typed, with the rights of whoever typed it: the engine asks for
 * what is in them.
 */

import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { OperatorError, reasonOf } from '../../src/client.ts';
import type { ClientQuestion, OutputSink } from './protocol.ts';

/** A larger file is not read. */
const fileBytesMax = 8 << 20;

/** Asks for a file or a variable. @throws OperatorError when it cannot be had */
export async function askClient(sink: OutputSink, question: ClientQuestion): Promise<string> {
  const { text, error } = parseAnswer(await (sink.read?.(question) ?? answerHere(question)));
  const what = question.kind === 'file' ? question.path : `the variable ${question.name}`;
  if (text === undefined) throw new OperatorError(`Cannot read ${what}: ${error ?? 'nobody can do that here'}`);
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

/** The answer, in the process of whoever types. */
export async function answerHere(question: ClientQuestion): Promise<string> {
  if (question.kind === 'variable') {
    const text = process.env[question.name];
    return JSON.stringify(text === undefined ? { error: 'it is not set' } : { text });
  }
  const name = question.path.replace(/^~(?=\/|$)/, homedir());
  try {
    const { size } = await stat(name);
    if (size > fileBytesMax) throw new Error(`it has more than ${fileBytesMax} bytes`);
    return JSON.stringify({ text: await readFile(name, 'utf8') });
  } catch (error) {
    return JSON.stringify({ error: reasonOf(error) });
  }
}
