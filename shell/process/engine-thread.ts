/**
 * The worker that the interactive shell talks to: the engine, and a session on it. It serves as long as its port is open; then it
 * stops what it serves and ends.
 */

import { type MessagePort, workerData } from 'node:worker_threads';
import {
  type Home,
  inUse,
  lastWords,
  lineLog,
  listenControl,
  OperatorError,
  openHost,
  ownAuthor,
  printable,
  problems,
  refuseLocalUse,
  type ServingProcess,
  served,
} from '../../src/index.ts';
import { NOTICE } from '../channel/protocol.ts';
import { serveSession } from '../channel/session-server.ts';
import { Preferences } from '../session/preferences.ts';
import { ShellSession } from '../session/session.ts';
import { sessionsOf, tellOfTrials } from './served-session.ts';
import { currentUser } from './start-daemon.ts';
import { workers } from './workers.ts';

/** The options that `connectThread` hands over. */
export interface EngineOptions {
  readonly home: Home;
  /** The path where the session starts; otherwise the path of the last one. */
  readonly cwd?: string;
  /** The version of the program. */
  readonly version: string;
}

const { port, engine } = workerData as { port: MessagePort; engine: EngineOptions };

const notice = (text: string) =>
  port.postMessage({ id: NOTICE, is: 'output', stream: 'error', text: `${printable(text)}\n` } as const);
/** A person at a prompt is told of faults, and not of every event. */
const log = lineLog(notice, () => new Date(), 'warning');

const { version } = engine;
const startedBy = { what: 'shell', ...currentUser() } as const;
const host = await openHost({ home: engine.home, role: 'shell', log, workers: workers() });
if (host.heldBy) {
  const { message, hint } = inUse(engine.home, host.heldBy);
  notice(`${message}\n${hint}`);
} else
  await host.start().catch((error: unknown) => {
    if (!(error instanceof OperatorError)) throw error;
    notice(`${error.message}\n${error.hint ?? ''}`);
  });
// Other shells and programs reach the targets of this process over the socket.
const control = host.heldBy
  ? undefined
  : await listenControl({ host, role: 'shell', startedBy, version, log, createSession: sessionsOf(host) });
for (const warning of [...host.warnings, ...(host.heldBy ? [] : problems(host))]) notice(warning);

// A bug in one session costs a line, and not the disks of all.
const survive = (error: unknown) => notice(lastWords(error));
process.on('uncaughtException', survive);
process.on('unhandledRejection', survive);

const preferences = Preferences.open(engine.home.stateDirectory);
/** The process that serves, as the session sees it: its targets end with this shell. */
const serving: ServingProcess | undefined = control && {
  fate: () => 'ends',
  describe: () => served(control.status()),
  othersOpen: () => 0,
  keep: () => {},
  mayStop: () => refuseLocalUse(host),
  stop: () => {},
};
const by = ownAuthor('shell');
const session = new ShellSession(host, preferences, {
  by,
  cwd: engine.cwd ?? preferences.lastPath,
  saveOnExit: true,
  ...(serving && { serving }),
});
const server = serveSession(session, (reply) => port.postMessage(reply));
tellOfTrials(host, by, (reply) => port.postMessage(reply));
port.on('message', (message: { readonly id: number; readonly do: string }) => {
  if (message.do === 'status' && control) port.postMessage({ id: message.id, is: 'status', status: control.status() });
  else server.receive(message);
});
port.on('close', async () => {
  server.hangUp();
  await host.close();
  await control?.close();
  // process.exit ends only this thread.
  process.exit(0);
});
