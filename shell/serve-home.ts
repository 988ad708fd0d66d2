/** `tcli serve`: the process that serves, in the foreground. */

import { chalkStderr } from 'chalk';
import { type Home, lineLog, serve, summary } from '../src/index.ts';
import { sessionsOf } from './served-session.ts';
import { settleColor } from './ui/color.ts';

/** @returns the exit status, when a signal or a client ended it */
export async function serveHome(home: Home, _wants: unknown, version: string): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const color = settleColor(process.env) && process.stderr.isTTY;
  const paint = { error: chalkStderr.red, warning: chalkStderr.yellow, info: String, debug: String };
  const log = lineLog(
    (line, level) => process.stderr.write(`${color ? paint[level](line) : line}\n`),
    () => new Date(),
  );
  await serve({
    home,
    version,
    log,
    createSession: sessionsOf,
    ready: (status) => void process.stdout.write(`${summary(status)}\n`),
    stopped: stop.signal,
  });
  return 0;
}
