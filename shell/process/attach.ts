/** The way of an interactive shell to its session: it connects to the process that serves, or starts it, and finds it again when it is lost. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ControlRefusal,
  type Home,
  holderOf,
  lastWords,
  OperatorError,
  printableLine,
  runningMs,
  type SessionOpening,
  type Status,
  served,
  summary,
  until,
} from '../../src/client.ts';
import { connectSocket } from '../channel/client-socket.ts';
import { LastingClient, type LostConnection } from '../channel/lasting-client.ts';
import type { ShellClient, Terminal } from '../channel/protocol.ts';
import { Farewell } from '../channel/session-client.ts';
import { wrapText } from '../session/wrap.ts';
import { type Started, startDaemon } from './start-daemon.ts';

const POLL_MS = 50;
/** The time that a process may take until it can be reached. */
const START_WAIT_MS = 60_000;
/** The time that a process which serves may take until its disks are open; it goes on opening them. */
const READY_WAIT_MS = 5_000;
/** The time that a shell waits for the process to be started again: by `tcli daemon restart`, or by a service manager after a crash. */
const RESTART_WAIT_MS = 20_000;
const CRASH_WAIT_MS = 2_000;

/** The number of problems that a greeting names. */
const PROBLEMS_SHOWN = 3;

/** Opens a session. @throws OperatorError when the process cannot be started */
export async function attach(home: Home, opening: SessionOpening, terminal: Terminal): Promise<ShellClient> {
  const first = await reach(home, opening, terminal);
  let last = await first.status?.();
  const reconnect = async (loss: LostConnection) => {
    const tell = (text: string) => loss.tell(`${wrapText(text, loss.terminal.columns - 1)}\n`);
    const client = await comeBack(home, { ...opening, cwd: loss.path }, { ...loss, tell }, last);
    last = await ready(client);
    if (last) tell(`Connected again.\n${describe(last).join('\n')}`);
    return client;
  };
  return new LastingClient(first, terminal, reconnect);
}

/** Connects to the process that serves; where none does, or is about to, starts it. */
async function reach(home: Home, opening: SessionOpening, terminal: Terminal): Promise<ShellClient> {
  let started: Started | undefined;
  const client = await until(POLL_MS, START_WAIT_MS, async () => {
    const attached = await connectSocket(home, opening, terminal);
    if (attached) return attached;
    // A process that has the home opens its socket in a moment; of two that are started at once, the second ends by itself.
    if (holderOf(home)) return undefined;
    const why = started?.ended();
    if (why !== undefined) throw new OperatorError('The process that is to serve ended.', why);
    started ??= await startDaemon(home, [], 'shell');
    return undefined;
  });
  started?.letGo();
  if (client) return client;
  const holder = holderOf(home);
  throw new OperatorError(
    `The process that serves cannot be reached${holder ? ` (process ${holder.pid})` : ''}.`,
    'To look without it: tcli ls. To replace it: tcli daemon restart --force. A shell that serves itself: tcli --no-daemon',
  );
}

/** Connects again. @param before the state of the connection that was lost */
async function comeBack(
  home: Home,
  opening: SessionOpening,
  { reason, terminal, wanted, left, tell, refuse }: LostConnection,
  before: Status | undefined,
): Promise<ShellClient> {
  const ends = reason instanceof Farewell ? reason.ends : undefined;
  const isManaged = before?.startedBy.what === 'manager';
  tell(toldOf(ends, before, isManaged));
  const waitMs = { restart: RESTART_WAIT_MS, stop: Number.POSITIVE_INFINITY, crash: CRASH_WAIT_MS }[ends ?? 'crash'];
  const startsAt = runningMs() + (isManaged ? Number.POSITIVE_INFINITY : waitMs);
  let hasFailed = false;
  for (;;) {
    const client = await connectSocket(home, opening, terminal);
    if (client) return client;
    left.throwIfAborted();
    const mayStart = wanted() || (!hasFailed && runningMs() >= startsAt);
    if (mayStart && !holderOf(home))
      try {
        return await reach(home, opening, terminal);
      } catch (error) {
        // The fault can be mended from another terminal.
        hasFailed = true;
        tell(`${lastWords(error)}\nThis shell goes on looking for it; a line tries again, exit leaves.`);
        refuse();
      }
    await sleep(POLL_MS, undefined, { signal: left });
  }
}

function toldOf(ends: ControlRefusal['ends'], before: Status | undefined, isManaged: boolean): string {
  const who = before ? `process ${before.pid}` : 'the process that serves';
  if (ends === 'restart') return `Restarting: ${who} ends, and this shell connects to its successor.`;
  if (ends === 'stop') return `Stopped: ${who} serves no more. The next line starts it again; exit leaves.`;
  const next = isManaged ? 'Its service manager starts it again; so does the next line' : 'It is started again';
  return `Lost: ${who} ended, or was killed. ${next}; exit leaves.`;
}

/** The lines for a person about the process behind a shell: the things it serves, its starter, and the things it cannot serve. */
export async function greet(client: ShellClient, columns: number): Promise<string[]> {
  const status = await ready(client);
  return status ? describe(status).map((line) => wrapText(line, columns - 1)) : [];
}

/** The status of the process, once it has opened what can be opened. */
async function ready(client: ShellClient): Promise<Status | undefined> {
  let status: Status | undefined;
  await until(POLL_MS, READY_WAIT_MS, async () => {
    status = await client.status?.();
    return status?.serving === false ? undefined : true;
  });
  return status;
}

function describe(status: Status): string[] {
  const { serving, targets, sessions, notRestored, problems, config } = status;
  const initiators = sessions === 0 ? '' : `, ${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;
  const what = !serving ? 'Starting' : targets === 0 ? 'Nothing is served yet' : summary(status) + initiators;
  const wrong = [...notRestored, ...problems];
  const more = wrong.length - PROBLEMS_SHOWN;
  return [
    `${what}: ${served(status)}.`,
    ...(config === undefined
      ? []
      : [`The configuration is that of ${config} (serve --config); changes are made there, and refused here.`]),
    ...wrong.slice(0, PROBLEMS_SHOWN).map(printableLine),
    ...(more > 0 ? [`… and ${more} more: tcli daemon status`] : []),
  ];
}
