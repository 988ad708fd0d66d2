/** Other programs of this machine: whether they are there, and running them. Never through a shell. */

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Administrators' programs are not on everybody's PATH. */
const moreFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...moreFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * How a program is started that must not outlive who starts it, however that ends: by setpriv(1), where it is installed.
 * @returns the program to run and its words
 */
export function endingWithUs(program: string, words: readonly string[]): [program: string, words: string[]] {
  const guard = findProgram('setpriv');
  return guard === undefined ? [program, [...words]] : [guard, ['--pdeathsig', 'KILL', program, ...words]];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** How long a program may run, and how much it may say. */
const programMs = 30_000;
const outputBytesMax = 1024 * 1024;

/**
 * Runs a program to its end. @returns its standard output without the last newline
 * @throws Error with its name and the last line that it said
 */
export function runProgram(name: string, words: readonly string[]): Promise<string> {
  const program = findProgram(name);
  if (program === undefined) return Promise.reject(new Error(`${name} is not installed`));
  return new Promise((resolve, reject) => {
    execFile(program, words, { timeout: programMs, maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
      if (!error) resolve(stdout.trimEnd());
      else reject(new Error(`${name}: ${lastLine(stderr) || lastLine(stdout) || error.message}`));
    });
  });
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';
