/** `tcli serve`: the process that serves, in the foreground. */

import { chalkStderr } from 'chalk';
import {
  endProcess,
  type Home,
  jsonLog,
  type Lines,
  type Log,
  type LogLevel,
  lineLog,
  linesTo,
  printable,
  serve,
  serviceManager,
  summary,
} from '../../src/index.ts';
import { loadConf } from '../session/preferences.ts';
import { settleColor } from '../ui/color.ts';
import type { ServeWords } from './serve-words.ts';
import { sessionsOf } from './served-session.ts';
import { currentUser } from './start-daemon.ts';
import { workers } from './workers.ts';

/** The time that the reader of the log may take for its last lines. */
const lastLinesMs = 1_000;

/** Serves a home. @returns the exit status, when a signal or a client ended it */
export async function serveHome(
  home: Home,
  { logFormat, logLevel, loops, ownLog, startedBy, ...options }: ServeWords,
  version: string,
): Promise<number> {
  // Scripts of tgt look for a process of its name (tgt-setup-lun: pidof tgtd).
  if (options.tgtadm !== undefined) process.title = 'tgtd';
  const manager = serviceManager(process.env, process.pid);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  // The process that started this one may be gone; the target goes on without a reader of its output.
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error');
  const [answers, lines] = [linesTo(process.stdout, ownLog), linesTo(process.stderr, ownLog)];
  await serve({
    home,
    version,
    log: logFormat === 'json' ? await jsonLog(lines, logLevel) : textLog(lines, logLevel),
    createSession: sessionsOf,
    startedBy: { what: startedBy ?? (manager.isThere ? 'manager' : 'hand'), ...currentUser() },
    ready(status) {
      answers.write(printable(`${summary(status)}\n`));
      // Preferences of clients are read now: the program's files may be replaced meanwhile.
      void loadConf();
    },
    stopped: stop.signal,
    manager,
    ...options,
    workers: workers(loops),
  });
  setTimeout(() => endProcess(0), lastLinesMs).unref();
  return 0;
}

function textLog(lines: Lines, least: LogLevel): Log {
  const color = settleColor(process.env) && process.stderr.isTTY;
  const paint = { error: chalkStderr.red, warning: chalkStderr.yellow, info: String, debug: String };
  return lineLog(
    (line, level) => lines.write(`${color ? paint[level](line) : line}\n`),
    () => new Date(),
    least,
  );
}
