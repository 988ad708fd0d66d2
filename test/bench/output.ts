// Programs that a bench runs to their end.

import { execFile } from 'node:child_process';

/** A client that fails has measured nothing: its own words are the error. */
export function output(program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { timeout: 120_000 }, (error, stdout, stderr) =>
      error ? reject(new Error(`${program} ${words.join(' ')}: ${stderr || error.message}`)) : resolve(stdout),
    );
  });
}
