/** `tcli serve`: the process that serves, in the foreground. */

import { chalkStderr } from 'chalk';
import { type Home, jsonLog, type Log, type LogLevel, lineLog, serve, serviceManager, summary } from '../src/index.ts';
import type { ServeWords } from './arguments.ts';
import { sessionsOf } from './served-session.ts';
import { settleColor } from './ui/color.ts';
import { workers } from './workers.ts';

/** @returns the exit status, when a signal or a client ended it */
export async function serveHome(
  home: Home,
  { logFormat, logLevel, loops, ...options }: ServeWords,
  version: string,
): Promise<number> {
  const manager = serviceManager(process.env, process.pid);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  await serve({
    home,
    version,
    log: logFormat === 'json' ? await jsonLog(process.stderr.fd, logLevel) : textLog(logLevel),
    createSession: sessionsOf,
    ready: (status) => void process.stdout.write(`${summary(status)}\n`),
    stopped: stop.signal,
    manager,
    ...options,
    workers: workers(loops),
  });
  return 0;
}

function textLog(level: LogLevel): Log {
  const color = settleColor(process.env) && process.stderr.isTTY;
  const paint = { error: chalkStderr.red, warning: chalkStderr.yellow, info: String, debug: String };
  return lineLog(
    (line, weight) => process.stderr.write(`${color ? paint[weight](line) : line}\n`),
    () => new Date(),
    level,
  );
}
