/** Lines that nobody types, where no tcli is running: the engine is this process, and serves nothing. */

import {
  type Home,
  type Host,
  openHost,
  ownAuthor,
  printableLine,
  type SessionOpening,
  until,
} from '../../src/index.ts';
import { connectSocket } from '../channel/client-socket.ts';
import type { LineCompletion, OutputSink, SessionState, ShellClient, Terminal } from '../channel/protocol.ts';
import { Preferences } from '../session/preferences.ts';
import { ShellSession } from '../session/session.ts';
import { complain } from './streams.ts';

/** The time that a process which holds the home may take to open its control socket, or to end, before the home is only looked at. */
const HOLDER_WAIT_MS = 5_000;
const HOLDER_POLL_MS = 50;

/** The part of a session that a script needs. */
export type ScriptSession = Pick<ShellClient, 'state' | 'run' | 'complete' | 'interrupt' | 'close'>;

/** Opens a session. @throws OperatorError */
export async function hostSession(home: Home, opening: SessionOpening, terminal: Terminal): Promise<ScriptSession> {
  let host: Host | undefined;
  // The process that holds the home may have begun a moment ago, or be about to end.
  const found = await until(HOLDER_POLL_MS, HOLDER_WAIT_MS, async () => {
    await host?.close();
    host = undefined;
    const attached = await connectSocket(home, opening, terminal);
    if (attached) return attached;
    host = await openHost({ home, role: 'command' });
    return host.heldBy && host.heldBy.role !== 'command' ? undefined : host;
  });
  return found && 'run' in found ? found : hosted(host!, opening, terminal);
}

async function hosted(host: Host, opening: SessionOpening, terminal: Terminal): Promise<ScriptSession> {
  try {
    return new HostedSession(host, opening, terminal);
  } catch (error) {
    await host.close();
    throw error;
  }
}

class HostedSession implements ScriptSession {
  readonly #host: Host;
  readonly #session: ShellSession;
  readonly #before: number;
  #running = new AbortController();

  constructor(host: Host, opening: SessionOpening, terminal: Terminal) {
    for (const warning of host.warnings) complain(`${printableLine(warning)}\n`);
    const preferences = Preferences.open(host.home.stateDirectory);
    this.#host = host;
    this.#session = new ShellSession(host, preferences, {
      ...opening,
      by: ownAuthor('shell'),
      cwd: opening.cwd ?? preferences.lastPath,
    });
    this.#session.setTerminal(terminal);
    this.#before = host.unsavedOperations;
  }

  get state(): SessionState {
    return this.#session.state;
  }

  run(line: string, to: OutputSink): Promise<{ ok: boolean; exit: boolean }> {
    this.#running = new AbortController();
    return this.#session.run(line, to, this.#running.signal);
  }

  complete(line: string, cursor: number): Promise<LineCompletion> {
    return this.#session.complete(line, cursor);
  }

  interrupt(): void {
    this.#running.abort();
  }

  async close(): Promise<void> {
    // A person who changed something should know that no initiator sees the change yet.
    if (process.stderr.isTTY && !this.#host.heldBy && this.#host.unsavedOperations !== this.#before)
      complain('The change is stored; nothing is being served. To serve it: tcli serve\n');
    await this.#host.close();
  }
}
