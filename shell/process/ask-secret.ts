/** A secret for one command: typed twice at a terminal, where nothing of it is shown, or a line of standard input. */

import { createInterface } from 'node:readline';
import { OperatorError } from '../../src/client.ts';
import { typedTwice } from '../channel/typed-twice.ts';

/** @returns null when nobody gives one @throws OperatorError when the person gives it up */
export async function askSecret(name: string): Promise<string | null> {
  return process.stdin.isTTY ? typedTwice(name, hiddenLine) : firstLine();
}

async function firstLine(): Promise<string | null> {
  for await (const line of createInterface({ input: process.stdin })) return line;
  return null;
}

async function hiddenLine(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  // A person may type as soon as he is asked: nothing of that is shown either.
  stdin.setRawMode(true);
  stderr.write(prompt);
  try {
    return await typed();
  } finally {
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}

/** The text of a line from a terminal in raw mode: Ctrl-C gives the line up, Backspace takes a character back. */
export function typedLine(line: string): string | null {
  let text = '';
  for (const char of line) {
    if (char === '\u0003') return null;
    text = char === '\u007f' || char === '\b' ? text.slice(0, -1) : text + char;
  }
  return text;
}

/** Until Enter. */
function typed(): Promise<string> {
  const { stdin } = process;
  return new Promise((resolve, reject) => {
    let line = '';
    const take = (bytes: Buffer) => {
      for (const char of bytes.toString('utf8')) {
        const isOver = char === '\r' || char === '\n';
        if (!isOver) line += char;
        if (!isOver && char !== '\u0003') continue;
        stdin.off('data', take);
        stdin.pause();
        const text = typedLine(line);
        return text === null ? reject(new OperatorError('Given up.')) : resolve(text);
      }
    };
    stdin.on('data', take);
    // Standard input was paused behind the line before.
    stdin.resume();
  });
}
