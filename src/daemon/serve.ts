/** The long-running process: serves a home, and who controls it, until it is told to stop. */

import { OperatorError } from '../errors.ts';
import { type Log, type LogLevel, type LogRecord, logBug } from '../log.ts';
import { inUse } from '../root/holder.ts';
import type { Home } from '../root/home.ts';
import { type Host, openHost } from '../root/host.ts';
import { type Control, type CreateSession, listenControl } from './control.ts';
import type { Status } from './control-protocol.ts';

/** How long a stop may take: sessions are told, what is open is flushed. Then the process ends as after a crash. */
const stopMs = 20_000;

export interface ServeOptions {
  readonly home: Home;
  /** The program's. */
  readonly version: string;
  readonly log: Log;
  /** A shell session for a client of the control socket. */
  readonly createSession: (host: Host) => CreateSession;
  /** Called once every portal is open. */
  readonly ready: (status: Status) => void;
  readonly stopped: AbortSignal;
}

/**
 * Restores the home's configuration and serves it until `stopped` aborts, or a client says so.
 * @throws OperatorError when another process holds the home, or its configuration cannot be read
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { home, log, stopped } = options;
  const host = await openHost({ home, role: 'serve', log });
  if (host.heldBy) {
    await host.close();
    const { message } = inUse(home, host.heldBy);
    throw new OperatorError(
      message,
      `Two processes cannot serve the same configuration. To take over: kill ${host.heldBy.pid}`,
    );
  }
  for (const warning of host.warnings) log({ level: 'warning', event: 'not restored', detail: { what: warning } });
  // A bug costs a log line, not everybody's disks.
  const survive = (error: unknown) => logBug(log, 'process', error);
  process.on('uncaughtException', survive);
  process.on('unhandledRejection', survive);
  // Without portals nothing else keeps the process alive.
  const alive = setInterval(() => {}, 1 << 30);
  const asked = new AbortController();
  let control: Control | undefined;
  try {
    control = await listenControl({
      host,
      role: 'serve',
      version: options.version,
      log,
      createSession: options.createSession(host),
      stop: () => asked.abort(),
    });
    await host.root.start();
    const status = control.status();
    for (const problem of status.problems) log({ level: 'warning', event: 'not served', detail: { what: problem } });
    options.ready(status);
    await aborted(AbortSignal.any([stopped, asked.signal]));
  } finally {
    clearInterval(alive);
    const late = setTimeout(() => {
      log({ level: 'error', event: 'stopped by force', detail: { afterMs: stopMs } });
      process.exit(1);
    }, stopMs);
    // In this order: a client that asked for the end sees its connection close when all is done.
    await host.close();
    await control?.close();
    clearTimeout(late);
    process.off('uncaughtException', survive);
    process.off('unhandledRejection', survive);
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const shownLevels: readonly LogLevel[] = ['error', 'warning', 'info'];

/** A log that writes lines, `debug` left out: time, level, event, then name=value. */
export function lineLog(write: (line: string, level: LogLevel) => void, now: () => Date): Log {
  return ({ level, event, detail = {} }: LogRecord) => {
    if (!shownLevels.includes(level)) return;
    const words = Object.entries(detail).map(
      ([name, value]) => `${name}=${typeof value === 'string' ? JSON.stringify(value) : value}`,
    );
    write([now().toISOString(), level, event, ...words].join(' '), level);
  };
}
