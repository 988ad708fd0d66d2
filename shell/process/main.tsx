/** The program: one command, a script, the interactive shell, or the process that serves. */

import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Home, homeOf, lastWords, OperatorError, reasonOf, type SessionOpening } from '../../src/client.ts';
import { connectSocket, watchSocket } from '../channel/client-socket.ts';
import type { OutputSink, ShellClient, Terminal } from '../channel/protocol.ts';
import { secretsIn } from '../session/secrets.ts';
import { type Invocation, readArguments, readTargetctl, readTgtTool, targetctlUsage, tgtTools } from './arguments.ts';
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
  if (wants.kind === 'help') {
    const { programHelp, wordHelp } = await import('./program-help.ts');
    return print(wants.topic ? wordHelp(wants.topic) : programHelp());
  }
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
    const { ensureServing } = await import('./share.ts');
    const { shareLine } = await import('./share-words.ts');
    const { ask, path, params } = wants.share;
    const secret = ask ? await sharedSecret(params['chap'] ?? '') : undefined;
    // A list is shown whoever serves.
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

/** @throws OperatorError */
async function sharedSecret(userid: string): Promise<string> {
  const { askSecret } = await import('./ask-secret.ts');
  const secret = await askSecret(`Secret of ${userid}`);
  if (secret) return secret;
  throw new OperatorError('No secret was given.');
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
  const seen = scriptTerminal(wants);
  const start = wants.kind === 'command' ? '/' : cwd;
  const opening = { ...openingOf(start), saveOnExit: typed, bareErrors: !typed };
  const session = (await connectSocket(home, opening, seen)) ?? (await hosted(home, opening, seen));
  const planned = wants.kind === 'command' && wants.tellsChange ? planStream() : undefined;
  const options = {
    to: planned?.to ?? sinkOf(home, typed),
    stopAtError: stopAtError ?? !typed,
    source: sourceOf(wants),
    ...(typed && calledTargetcli && { say }),
  };
  try {
    options.say?.(banner.map((line) => `${line}\n`).join(''));
    const ok = await runScript(session, linesOf(wants, options, seen.interactive), options);
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

/** One command of a person at a terminal may show a live view there, and one that destroys may ask. */
const scriptTerminal = (wants: Script): Terminal => {
  const isSeen = wants.kind === 'command' && process.stdin.isTTY === true && process.stdout.isTTY === true;
  return {
    ...terminal(),
    ...(isSeen && process.env['TERM'] !== 'dumb' && { live: true }),
    ...(isSeen && wants.unasked !== undefined && { interactive: true }),
  };
};

/** @param areLines standard input has the lines, and no answer */
const sinkOf = (home: Home, areLines: boolean): OutputSink => ({
  ...sessionStreams,
  async ask(question) {
    if (question.kind === 'confirm') return confirmInLine(question.message);
    if (question.kind === 'secret' && !areLines) {
      const { askSecret } = await import('./ask-secret.ts');
      return askSecret(question.message);
    }
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

/** Ctrl-C is an answer. */
async function confirmInLine(question: string): Promise<string> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt);
  const answer = await askLine(`${question} (yes/no) `, interrupted.signal);
  process.off('SIGINT', interrupt);
  return /^y(es)?$/i.test(answer.trim()) ? 'yes' : 'no';
}

/** A line of standard input; the question is for a person. */
async function askLine(question: string, signal?: AbortSignal): Promise<string> {
  if (process.stdin.isTTY) say(question);
  const lines = createInterface({ input: process.stdin, ...(signal && { signal }) });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    // A terminal that is still read from keeps the process.
    process.stdin.pause();
  }
}

async function hosted(home: Home, opening: SessionOpening, seen = terminal()): Promise<ScriptSession> {
  // Loaded here only: a client of a running tcli answers at once.
  const { hostSession } = await import('./hosted.ts');
  return hostSession(home, opening, seen);
}

async function* linesOf(wants: Script, options: ScriptOptions, mayAsk: boolean): AsyncGenerator<string> {
  if (wants.kind === 'command') yield wants.line + (mayAsk ? '' : (wants.unasked ?? ''));
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
