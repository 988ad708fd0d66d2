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
import { sessionsOf } from './served-session.ts';
import { currentUser } from './start-daemon.ts';
import { workers } from './workers.ts';

/** What `connectThread` hands over. */
export interface EngineOptions {
  readonly home: Home;
  /** Where the session starts; otherwise where the last one stood. */
  readonly cwd?: string;
  /** The program's. */
  readonly version: string;
}

const { port, engine } = workerData as { port: MessagePort; engine: EngineOptions };

const notice = (text: string) =>
  port.postMessage({ id: NOTICE, is: 'output', stream: 'error', text: `${printable(text)}\n` } as const);
/** A person at a prompt is told what is wrong, not what goes on. */
const log = lineLog(notice, () => new Date(), 'warning');

const { version } = engine;
const startedBy = { what: 'shell', ...currentUser() } as const;
const host = await openHost({ home: engine.home, role: 'shell', log, workers: workers() });
if (host.heldBy) {
  const { message, hint } = inUse(engine.home, host.heldBy);
  notice(`${message}\n${hint}`);
} else await host.root.start();
// Other shells and programs reach what this one serves.
const control = host.heldBy
  ? undefined
  : await listenControl({ host, role: 'shell', startedBy, version, log, createSession: sessionsOf(host) });
for (const warning of [...host.warnings, ...(host.heldBy ? [] : problems(host))]) notice(warning);

// A bug costs a line, not everybody's disks.
const survive = (error: unknown) => notice(lastWords(error));
process.on('uncaughtException', survive);
process.on('unhandledRejection', survive);

const preferences = Preferences.open(engine.home.stateDirectory);
/** What this shell serves ends with it. */
const serving: ServingProcess | undefined = control && {
  fate: () => 'ends',
  describe: () => served(control.status()),
  othersOpen: () => 0,
  keep: () => {},
  mayStop: () => refuseLocalUse(host),
  stop: () => {},
};
const session = new ShellSession(host, preferences, {
  by: ownAuthor('shell'),
  cwd: engine.cwd ?? preferences.lastPath,
  saveOnExit: true,
  ...(serving && { serving }),
});
const server = serveSession(session, (reply) => port.postMessage(reply));
port.on('message', (message: { readonly id: number; readonly do: string }) => {
  if (message.do === 'status' && control) port.postMessage({ id: message.id, is: 'status', status: control.status() });
  else server.receive(message);
});
port.on('close', async () => {
  server.hangUp();
  await host.close();
  await control?.close();
  // Ends this thread only.
  process.exit(0);
});
