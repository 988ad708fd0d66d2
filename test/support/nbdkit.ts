/** nbdkit, the server of NBD exports that tests and benchmarks put below a target. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const startMs = 60_000;

/**
 * Starts nbdkit, and waits until it accepts connections: then, and not when its socket is there, it writes its number into `pidFile`.
 * The caller ends it. @throws Error when it does not serve
 */
export async function startNbdkit(pidFile: string, ...words: string[]): Promise<ChildProcess> {
  rmSync(pidFile, { force: true });
  const child = spawn('nbdkit', ['--foreground', '--pidfile', pidFile, ...words], { stdio: 'ignore' });
  let failure: unknown;
  child.once('error', (error) => {
    failure = error;
  });
  for (let waited = 0; !existsSync(pidFile); waited += 10) {
    if (failure || child.exitCode !== null || waited > startMs)
      throw new Error(`nbdkit ${words.join(' ')} does not serve`, { cause: failure });
    await sleep(10);
  }
  return child;
}

/** nbdkit on a socket, in the place of one that was killed there. */
export function nbdkitOn(socket: string, ...words: string[]): Promise<ChildProcess> {
  rmSync(socket, { force: true });
  return startNbdkit(`${socket}.pid`, '--unix', socket, ...words);
}
