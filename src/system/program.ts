/** Other programs of this machine: finding them, and running them. Never through a shell. */

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders of administrators' programs, which are not on everybody's PATH. */
const moreFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...moreFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * The words that start a program which must not outlive this process: by setpriv(1), where it is installed.
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

/** The time that a program may run, and the bytes that it may print. */
const programMs = 30_000;
const outputBytesMax = 1024 * 1024;

/**
 * Runs a program to its end. @returns its standard output without the last newline
 * @throws Error with its name and the last line that it printed
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
