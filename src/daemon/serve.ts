/** The long-running process: serves a home until it is told to stop. */

import { OperatorError, reasonOf } from '../errors.ts';
import { type Log, type LogLevel, type LogRecord, logBug } from '../log.ts';
import type { Home } from '../root/home.ts';
import { type Host, inUse, openHost } from '../root/host.ts';
import { printPortal } from '../target/tpg.ts';

/**
 * Restores the home's configuration and serves it until `stopped` aborts.
 * @param ready called with a line that says what is served, once every portal is open
 * @throws OperatorError when another process holds the home, or its configuration cannot be read
 */
export async function serve(home: Home, log: Log, ready: (line: string) => void, stopped: AbortSignal): Promise<void> {
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
  try {
    await host.root.start();
    for (const problem of problems(host)) log({ level: 'warning', event: 'not served', detail: { what: problem } });
    ready(summary(host));
    if (!stopped.aborted) await new Promise((resolve) => stopped.addEventListener('abort', resolve, { once: true }));
  } finally {
    clearInterval(alive);
    await host.close();
    process.off('uncaughtException', survive);
    process.off('unhandledRejection', survive);
  }
}

/** What the tree asks for and cannot have: closed portals, volumes that are not there. */
export function problems(host: Host): string[] {
  const { tree } = host.root;
  const missing = [...tree.allStorageObjects()].flatMap(({ path, missing }) =>
    missing ? [`${path}: ${missing}`] : [],
  );
  const closed = [...tree.tpgs()].flatMap((tpg) =>
    tpg.portals.flatMap((portal) => {
      const problem = host.root.portalProblem(tpg, portal);
      return problem ? [`${tpg.path}/portals/${printPortal(portal)}: ${problem}`] : [];
    }),
  );
  return [...missing, ...closed];
}

function summary({ root }: Host): string {
  const targets = [...root.tree.targets()].length;
  const portals = new Set([...root.tree.tpgs()].flatMap((tpg) => tpg.portals.map(printPortal)));
  const where = portals.size > 0 ? ` on ${[...portals].join(', ')}` : '; no portals yet';
  return `Serving ${targets} ${targets === 1 ? 'target' : 'targets'}${where}`;
}

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

/** The last words of a program: the operator's errors as they are, anything else as the bug that it is. */
export function lastWords(error: unknown): string {
  if (error instanceof OperatorError) return error.hint ? `${error.message}\n${error.hint}` : error.message;
  return `internal error: ${error instanceof Error ? (error.stack ?? error.message) : reasonOf(error)}`;
}
