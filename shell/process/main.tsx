/** The program: one command, a script, the interactive shell, or the process that serves. */

import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Home, homeOf, lastWords, OperatorError, reasonOf, type SessionOpening } from '../../src/client.ts';
import { connectSocket, watchSocket } from '../channel/client-socket.ts';
import type { OutputSink, ShellClient, Terminal } from '../channel/protocol.ts';
import { secretsIn } from '../session/secrets.ts';
import {
  type Invocation,
  readArguments,
  readTargetctl,
  readTgtTool,
  targetctlUsage,
  tgtTools,
  usage,
  usageOn,
} from './arguments.ts';
import type { ScriptSession } from './hosted.ts';
import { planStream } from './plan-stream.ts';
import { bannerOf, runScript, type ScriptOptions, untilExit } from './script.ts';
import { complain, say, sessionStreams } from './streams.ts';

const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

const banner = bannerOf(version);

const terminal = (): Terminal => ({
  columns: process.stdout.isTTY ? process.stdout.columns || 80 : 132,
  color: process.stdout.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
  interactive: false,
});

/** The name it was called by, where that is a tool of targetcli or tgt. */
const called = process.env['TCLI_CALLED'];

/** targetctl's status when it does not know what is wanted. */
const targetctlMisused = 255;

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  const tool = tgtTools.find((one) => one === called);
  const read = tool ? readTgtTool(tool, words) : called === 'targetctl' ? readTargetctl(words) : readArguments(words);
  if (!read) {
    const { saveFile } = homeOf(process.env['TCLI_HOME'], process.env, process.getuid?.());
    complain(targetctlUsage(saveFile));
    return targetctlMisused;
  }
  const { home: directory, cwd, noDaemon, stopAtError, wants } = read;
  if (wants.kind === 'help') return print((wants.topic && usageOn(wants.topic)) || usage);
  if (wants.kind === 'version') return print(`tcli version ${version}\n`);
  if (wants.kind === 'tgt') {
    // A secret on the command line can be read by everybody (ps), so it stays there no longer than needed.
    process.title = wants.tool;
    const { tgtTool } = await import('../tgt/tools.ts');
    return tgtTool(wants.tool, wants.words, process.env, { say, complain }, askLine);
  }
  if (wants.kind === 'install') {
    const { installUnits } = await import('./install-units.ts');
    return installUnits(wants);
  }
  const home =
    typeof directory === 'object'
      ? directory
      : homeOf(directory ?? process.env['TCLI_HOME'], process.env, process.getuid?.());
  if (wants.kind === 'serve') {
    const { serveHome } = await import('./serve-home.ts');
    return serveHome(home, wants.serve, version);
  }
  if (wants.kind === 'share') {
    const { askSecret, ensureServing } = await import('./share.ts');
    const { shareLine } = await import('./share-words.ts');
    const { ask, path, params } = wants.share;
    const secret = ask ? await askSecret(params['chap'] ?? '') : undefined;
    // A list is shown with or without a process that serves.
    const status = path === undefined ? 0 : await ensureServing(home, path, params['size'] !== undefined);
    return status || script(home, cwd, { kind: 'command', line: shareLine(wants.share, secret) });
  }
  if (wants.kind === 'daemon') {
    const { daemon } = await import('./daemon-commands.ts');
    return daemon(home, wants);
  }
  if (wants.kind === 'cluster') {
    const { cluster } = await import('./cluster.ts');
    return cluster(home, wants.cluster, version);
  }
  if (wants.kind === 'completion') {
    const { completionScript } = await import('./completion-script.ts');
    return print(completionScript(wants.shell));
  }
  if (wants.kind === 'complete') return complete(home, wants.line);
  if (wants.kind === 'shell' && process.stdin.isTTY) return shell(home, cwd, noDaemon === true);
  return script(home, cwd, wants, stopAtError);
}

function print(text: string): number {
  say(text);
  return 0;
}

/** The exit status of Ctrl-C before the first prompt: 128 and SIGINT's number. */
const givenUp = 130;

/**
 * A shell for a person at a terminal, in front of the process that serves, which is started where there is none; or in front of an engine
 * of its own.
 */
async function shell(home: Home, cwd: string | undefined, noDaemon: boolean): Promise<number> {
  const drawn = process.stdout.isTTY && process.env['TERM'] !== 'dumb';
  const person = { ...terminal(), interactive: true };
  const opening = { ...openingOf(cwd), saveOnExit: true, person: true };
  const { attach, greet } = await import('./attach.ts');
  const greeting = (reached: ShellClient) => greet(reached, terminal().columns);
  const alone = async () => {
    const attached = await connectSocket(home, opening, person);
    if (attached) return attached;
    const { connectThread } = await import('../channel/client-thread.ts');
    return connectThread(new URL('./engine.js', import.meta.url), { home, cwd, version }, person);
  };
  const client = noDaemon ? alone() : attach(home, opening, person);
  const front = async () => {
    if (!drawn) {
      const { plain } = await import('./plain.ts');
      return plain(await client, { banner, greeting });
    }
    const { interactive } = await import('../ui/interactive.tsx');
    return interactive(client, {
      ...{ banner, greeting, historyFile: join(home.stateDirectory, 'history.txt') },
      openWatch: (request, hear) => watchSocket(home, request, hear),
    });
  };
  const status = await front();
  // A start that the person gave up has nothing to close.
  if (status !== givenUp) await client.then((connected) => connected.close()).catch(() => {});
  return status;
}

const openingOf = (cwd: string | undefined): SessionOpening => ({
  ...(cwd !== undefined && { cwd }),
  workingDirectory: process.cwd(),
});

/** Whether the program was installed as targetcli, or called by that name. */
const calledTargetcli = called === 'targetcli';

type Script = Exclude<
  Invocation['wants'],
  { kind: 'serve' | 'daemon' | 'install' | 'completion' | 'complete' | 'tgt' | 'share' | 'cluster' }
>;

/** Runs lines that nobody types. */
async function script(home: Home, cwd: string | undefined, wants: Script, stopAtError?: boolean): Promise<number> {
  // Everybody can read the command line (ps), so it is cleared as soon as the program has started.
  const given = wants.kind === 'command' ? [wants.line] : wants.kind === 'lines' ? wants.lines : [];
  if (given.some((line) => secretsIn(line).length > 0)) process.title = 'tcli';
  const typed = wants.kind === 'shell';
  const start = wants.kind === 'command' ? '/' : cwd;
  const opening = { ...openingOf(start), saveOnExit: typed, bareErrors: !typed };
  const session = (await connectSocket(home, opening, scriptTerminal(wants))) ?? (await hosted(home, opening));
  const planned = wants.kind === 'command' && wants.tellsChange ? planStream() : undefined;
  const options = {
    to: planned?.to ?? sinkOf(home),
    stopAtError: stopAtError ?? !typed,
    source: sourceOf(wants),
    ...(typed && calledTargetcli && { say }),
  };
  try {
    options.say?.(banner.map((line) => `${line}\n`).join(''));
    const ok = await runScript(session, linesOf(wants, options), options);
    if (planned && ok) return planned.status();
    // Scripts for targetcli go on after a line that failed, also under `set -e`: its exit status says nothing of lines.
    return ok || (typed && calledTargetcli) ? 0 : 1;
  } finally {
    await session.close();
  }
}

/** The source that errors of a script name. targetcli names none. */
function sourceOf(wants: Script): string | undefined {
  if (wants.kind === 'file') return wants.path;
  return wants.kind === 'shell' && !calledTargetcli ? 'stdin' : undefined;
}

/** The terminal of a script. One command of a person at a terminal may show a live view there. */
const scriptTerminal = ({ kind }: Script): Terminal => {
  const isSeen = process.stdin.isTTY === true && process.stdout.isTTY === true && process.env['TERM'] !== 'dumb';
  return { ...terminal(), ...(isSeen && kind === 'command' && { live: true }) };
};

const sinkOf = (home: Home): OutputSink => ({
  ...sessionStreams,
  async ask(question) {
    if (question.kind !== 'top') return null;
    const { topAlone } = await import('../ui/top-alone.ts');
    return topAlone((request, hear) => watchSocket(home, request, hear), question);
  },
});

async function complete(home: Home, line: string): Promise<number> {
  const { completeWords } = await import('./completion-script.ts');
  const opening = { ...openingOf('/'), bareErrors: true };
  const session = (await connectSocket(home, opening, terminal())) ?? (await hosted(home, opening));
  try {
    return print((await completeWords(session, line)).map((one) => `${one}\n`).join(''));
  } finally {
    await session.close();
  }
}

/** A line of standard input; the question is shown to a person. */
async function askLine(question: string): Promise<string> {
  if (process.stdin.isTTY) say(question);
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) return line;
  return '';
}

async function hosted(home: Home, opening: SessionOpening): Promise<ScriptSession> {
  // The module is loaded only here: a client of a running tcli answers at once.
  const { hostSession } = await import('./hosted.ts');
  return hostSession(home, opening, terminal());
}

async function* linesOf(wants: Script, options: ScriptOptions): AsyncGenerator<string> {
  if (wants.kind === 'command') yield wants.line;
  else if (wants.kind === 'lines') yield* wants.lines;
  else if (wants.kind === 'file') yield* fileLines(wants.path);
  else yield* untilExit(createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY }), options);
}

async function* fileLines(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  await once(file, 'open').catch((error) => {
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  });
  yield* createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY });
}

// A reader that went away (`tcli ls | head -1`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  const status = await main();
  process.exitCode = status;
  if (status === givenUp) process.exit();
} catch (error) {
  complain(`${lastWords(error)}\n`);
  process.exitCode = 1;
}
