/** `tcli daemon start | stop | restart | status`: the process that serves, in the background. */

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Home,
  holderOf,
  inUse,
  isAlive,
  listChanges,
  OperatorError,
  otherOwner,
  printableLine,
  refuseHomeOfOther,
  type Status,
  served,
  summary,
  until,
} from '../../src/client.ts';
import { askServer } from '../channel/client-socket.ts';
import { jsonAnswer } from '../session/json.ts';
import type { DaemonAction } from './arguments.ts';
import { servingOptions } from './program.ts';
import { type GivenWords, readOptions } from './program-words.ts';
import { type ServeWords, serveWords } from './serve-words.ts';
import { environmentOf, startDaemon } from './start-daemon.ts';
import { complain, say } from './streams.ts';

/** The time that a new process may take to serve, on top of its wait for devices. */
const START_WAIT_MS = 60_000;
/** The time that an old process may take to end: it limits itself to less. */
const STOP_WAIT_MS = 25_000;
const KILL_WAIT_MS = 5_000;
/** The time that a process which may be killed may take to answer: it may hang. */
const FORCED_ANSWER_MS = 5_000;
const POLL_MS = 10;
/** The exit statuses of `status` (LSB): nothing runs; the process that runs does not answer. */
const NOT_RUNNING = 3;
const UNKNOWN = 4;

interface Wants {
  readonly action: DaemonAction;
  /** Whether a process that does not end by itself is replaced, or killed. */
  readonly force: boolean;
  /** Whether status is wanted as data. */
  readonly json: boolean;
  /** The words for the process that is started. */
  readonly serve: ServeWords;
}

/** Carries out an action. @param by the starter of the process. @returns the exit status. @throws OperatorError */
export async function daemon(
  home: Home,
  { action, force, json, serve }: Wants,
  by: 'command' | 'share' = 'command',
): Promise<number> {
  if (action === 'status') return status(home, json);
  if (action === 'stop') return stop(home, force);
  if (action === 'restart') {
    // Refuses before anything is stopped.
    refuseHomeOfOther(home);
    const holder = holderOf(home);
    const again = holder?.words ? serveWords(servingWords([...holder.words, ...serve.words])) : serve;
    const before = holder && environmentOf(holder.pid);
    await stop(home, force, true);
    return start(home, force, again, by, before);
  }
  return start(home, force, serve, by);
}

const servingWords = (words: readonly string[]): GivenWords<keyof typeof servingOptions> =>
  readOptions(servingOptions, words, { of: 'serve' });

async function running(home: Home): Promise<Status | undefined> {
  const reply = await askServer(home, { do: 'status' });
  return reply?.is === 'status' ? reply.status : undefined;
}

async function start(
  home: Home,
  force: boolean,
  serve: ServeWords,
  by: 'command' | 'share',
  environment?: NodeJS.ProcessEnv,
): Promise<number> {
  const before = await running(home);
  if (before?.role === 'serve' && !force) {
    say(`Already running: process ${before.pid}.\n`);
    return 0;
  }
  refuseHomeOfOther(home);
  const holder = holderOf(home);
  if (holder && holder.role !== 'command') {
    if (!force) throw inUse(home, holder);
    await stop(home, true);
  }
  const started = await startDaemon(home, serve.words, by, environment);
  const now = await until(POLL_MS, START_WAIT_MS + serve.waitMs, async () => {
    const why = started.ended();
    if (why !== undefined) throw new OperatorError('The process ended before it served.', why);
    const found = await running(home);
    return found?.pid === started.pid && found?.serving ? found : undefined;
  });
  if (!now) throw new OperatorError('The process does not get ready.', `See ${started.logFile}`);
  started.letGo();
  say(`${summary(now)} (process ${now.pid}, log ${started.logFile})\n`);
  for (const problem of [...now.notRestored, ...now.problems]) complain(`${printableLine(problem)}\n`);
  return 0;
}

/** Stops the process. @param restarts it comes back at once: users of a LUN on this machine wait */
async function stop(home: Home, force: boolean, restarts = false): Promise<number> {
  const pid = force
    ? (holderOf(home)?.pid ?? (await running(home))?.pid)
    : ((await running(home))?.pid ?? holderOf(home)?.pid);
  if (pid === undefined) {
    say('Not running.\n');
    return 0;
  }
  const asked = await (force ? askBriefly(home, restarts) : askServer(home, { do: 'stop', force, restarts }));
  if (!asked) signal(home, pid, 'SIGTERM');
  const hasEnded = () => !isAlive(pid) || undefined;
  if (!(await until(POLL_MS, STOP_WAIT_MS, hasEnded))) {
    if (!force) throw new OperatorError(`Process ${pid} does not end.`, 'To kill it: tcli daemon stop --force');
    signal(home, pid, 'SIGKILL');
    // A process that hangs in the kernel does not end by SIGKILL either.
    if (!(await until(POLL_MS, KILL_WAIT_MS, hasEnded))) throw new OperatorError(`Process ${pid} does not end.`);
  }
  say(`Stopped: process ${pid}.\n`);
  return 0;
}

/**
 * Sends a signal. The number stands in the home: in another user's home, it may be that of any process, and root ends only a process of
 * that user.
 */
function signal(home: Home, pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  const owner = otherOwner(home);
  if (owner !== undefined && statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid !== owner)
    throw new OperatorError(`Process ${pid} is not one of the user whose the configuration is: it was not ended.`);
  process.kill(pid, name);
}

/** Asks the process to stop. Undefined also for a process that refuses, or does not answer. */
async function askBriefly(home: Home, restarts: boolean): Promise<unknown> {
  const late = new AbortController();
  const answer = askServer(home, { do: 'stop', force: true, restarts }).catch((error) => {
    if (error instanceof OperatorError) return undefined;
    throw error;
  });
  return Promise.race([answer, sleep(FORCED_ANSWER_MS, undefined, { signal: late.signal })]).finally(() =>
    late.abort(),
  );
}

async function status(home: Home, json: boolean): Promise<number> {
  const now = await running(home);
  const holder = now ? undefined : holderOf(home);
  const exitStatus = now ? 0 : holder && holder.role !== 'command' ? UNKNOWN : NOT_RUNNING;
  if (json) {
    say(jsonAnswer('daemon status', '/', { running: now !== undefined, ...now }));
    return exitStatus;
  }
  if (now) {
    say(`${describe(now)}\n`);
    return 0;
  }
  const where = `Not running. The configuration is in ${dirname(home.saveFile)}.`;
  say(`${holder ? inUse(home, holder).message : where}\n`);
  return exitStatus;
}

function describe(now: Status): string {
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${printableLine(line)}`);
  const list = (title: string, lines: readonly string[]) => (lines.length > 0 ? [`${title}:`, ...indented(lines)] : []);
  return [
    `${summary(now)}; ${served(now)}, since ${now.startedAt}`,
    `Storage objects: ${now.storageObjects}, sessions: ${now.sessions}, clients: ${now.clients}`,
    ...(now.waiting === undefined ? [] : [`Files and devices that have to be waited for: by ${now.waiting}`]),
    now.config !== undefined
      ? `The configuration is that of ${now.config} (serve --config): changes from elsewhere are refused`
      : now.unsavedOperations === 0
        ? `Everything is in ${now.saveFile}`
        : `Changes that are stored but not in ${now.saveFile}: ${now.unsavedOperations}; to save them: tcli save`,
    ...indented(listChanges(now.unsavedOperations, now.latestOperations)),
    ...list('Not restored', now.notRestored),
    ...list('Problems', now.problems),
    ...list('Besides', now.remarks),
  ].join('\n');
}
