/** Starts the process that serves a home, in the background: for `tcli daemon start`, for shells and for `tcli share` alike. */

import { spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type Home,
  makePrivateDirectory,
  reasonOf,
  refuseHomeOfOther,
  refuseStrange,
  type StartedBy,
} from '../../src/client.ts';
import { split } from './program-words.ts';
import { complain } from './streams.ts';

/** The number of lines of its log that say why a process ended. */
const linesShown = 5;

/**
 * The variables of the environment that a background process inherits: those about places, about language and time, and settings of the
 * machine. Variables of a login or a terminal are left out, and so are secrets that commands are given this way.
 */
export const followsAlong =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_\w+|NODE_(?:COMPILE_CACHE|DEBUG|ENV|EXTRA_CA_CERTS|ICU_DATA|NO_WARNINGS|PATH|TLS_REJECT_UNAUTHORIZED|USE_ENV_PROXY|USE_SYSTEM_CA|V8_COVERAGE)|UV_THREADPOOL_SIZE|SSL_CERT_\w+|CEPH_\w+|TGT_IPC_SOCKET|TCLI_(?:LINGER_US|CONGESTION_CONTROL|IO_URING|FFI|UNPACK))$/;

/** A process that was started. */
export interface Started {
  readonly pid: number | undefined;
  readonly logFile: string;
  /** The reason why it ended; undefined as long as it runs. */
  ended(): string | undefined;
  /** Lets the process outlive this one. */
  letGo(): void;
}

/**
 * The variables that a process was started with and that its successor is to have, too. Empty for one that is gone.
 */
export function environmentOf(pid: number): NodeJS.ProcessEnv {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return Object.fromEntries(entries.map(split).filter(([name]) => followsAlong.test(name)));
  } catch {
    return {};
  }
}

/**
 * Starts it.
 * @param words for `serve`
 * @param before the variables of the process whose place it takes: they hold where this one's environment says nothing else
 */
export async function startDaemon(
  home: Home,
  words: readonly string[],
  by: StartedBy['what'],
  before: NodeJS.ProcessEnv = {},
): Promise<Started> {
  refuseHomeOfOther(home);
  const logFile = join(home.stateDirectory, 'daemon.log');
  const log = await openLog(logFile);
  const [program = ''] = process.argv.slice(1);
  const own = ['--own-log', logFile, '--started-by', by];
  const child = spawn(
    process.execPath,
    [...process.execArgv, program, '--home-paths', JSON.stringify(home), 'serve', ...words, ...own],
    {
      cwd: '/',
      // A session of its own (setsid) keeps terminals from ending it.
      detached: true,
      env: {
        ...before,
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => followsAlong.test(name))),
      },
      stdio: ['ignore', log, log],
    },
  );
  closeSync(log);
  let hasEnded = false;
  for (const event of ['exit', 'error'] as const)
    child.once(event, () => {
      hasEnded = true;
    });
  return {
    pid: child.pid,
    logFile,
    ended: () => (hasEnded ? lastLines(logFile) : undefined),
    letGo: () => child.unref(),
  };
}

/** The name of this process's user. */
export function currentUser(): { user?: string } {
  try {
    return { user: userInfo().username };
  } catch {
    // The user of a container may have no name.
    return {};
  }
}

/** Opens the log. A log that cannot be written is no reason not to serve. */
async function openLog(path: string): Promise<number> {
  try {
    await makePrivateDirectory(dirname(path));
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
    const log = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    refuseStrange(log, path);
    return log;
  } catch (error) {
    complain(`No log: ${path}: ${reasonOf(error)}\n`);
    return openSync('/dev/null', 'a');
  }
}

function lastLines(file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8').trimEnd() : '';
  return text === ''
    ? 'It wrote nothing to its log; in the foreground it says why: tcli serve'
    : text.split('\n').slice(-linesShown).join('\n');
}
