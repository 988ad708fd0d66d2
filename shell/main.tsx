/** The program: one command, a script, the interactive shell, or the process that serves. */

import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Home, type Host, homeOf, lastWords, lineLog, OperatorError, openHost, reasonOf } from '../src/index.ts';
import { type Invocation, readArguments, usage } from './arguments.ts';
import { Preferences } from './preferences.ts';
import type { OutputSink, Terminal } from './protocol.ts';
import { ShellSession } from './session.ts';

const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;

const banner = [`tcli shell version ${version}`, "For help on commands, type 'help'.", ''];

/** Output goes where it belongs; questions are not asked, since nobody sits there. */
const streams: OutputSink = {
  write: (text, stream) => void (stream === 'error' ? process.stderr : process.stdout).write(text),
  ask: async () => null,
};

const terminal = (): Terminal => ({
  columns: process.stdout.isTTY ? process.stdout.columns || 80 : 132,
  color: process.stdout.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb',
  interactive: false,
});

async function main(): Promise<number> {
  const { home: directory, cwd, wants } = readArguments(process.argv.slice(2));
  if (wants.kind === 'help') return print(usage);
  if (wants.kind === 'version') return print(`tcli version ${version}\n`);
  const home = homeOf(directory ?? process.env['TCLI_HOME'], process.env, process.getuid?.());
  if (wants.kind === 'serve') return serveHome(home);
  if (wants.kind === 'shell' && process.stdin.isTTY) return shell(home, cwd);
  return script(home, cwd, wants);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

async function serveHome(home: Home): Promise<number> {
  const { serve } = await import('../src/index.ts');
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const { settleColor } = await import('./ui/color.ts');
  const color = settleColor(process.env) && process.stderr.isTTY;
  const { chalkStderr } = await import('chalk');
  const paint = { error: chalkStderr.red, warning: chalkStderr.yellow, info: String, debug: String };
  const log = lineLog(
    (line, level) => process.stderr.write(`${color ? paint[level](line) : line}\n`),
    () => new Date(),
  );
  await serve(home, log, (line) => process.stdout.write(`${line}\n`), stop.signal);
  return 0;
}

/** Ctrl-C before the first prompt: 128 and SIGINT's number. */
const givenUp = 130;

/** A person at a terminal: the engine runs in a thread of its own, this one draws. */
async function shell(home: Home, cwd: string | undefined): Promise<number> {
  const { connectThread } = await import('./client-thread.ts');
  const drawn = process.stdout.isTTY && process.env['TERM'] !== 'dumb';
  const client = connectThread(
    new URL('./engine.js', import.meta.url),
    { home, cwd },
    { ...terminal(), interactive: true },
  );
  const front = async () => {
    if (!drawn) {
      const { plain } = await import('./plain.ts');
      return plain(await client, { banner });
    }
    const { interactive } = await import('./ui/interactive.tsx');
    return interactive(client, { banner, historyFile: join(home.stateDirectory, 'history.txt') });
  };
  const status = await front();
  // A start that the person gave up has nothing to close.
  if (status !== givenUp) await client.then((connected) => connected.close()).catch(() => {});
  return status;
}

type Script =
  | Extract<Invocation['wants'], { kind: 'command' | 'lines' | 'file' }>
  | { readonly kind: 'help' | 'version' | 'serve' | 'shell' };

/** Lines that nobody types: the engine is this process, and serves nothing. */
async function script(home: Home, cwd: string | undefined, wants: Script): Promise<number> {
  const host = await openHost({ home, role: 'command' });
  try {
    for (const warning of host.warnings) process.stderr.write(`${warning}\n`);
    const preferences = Preferences.open(home.stateDirectory);
    const session = new ShellSession(host, preferences, {
      cwd: wants.kind === 'command' ? '/' : (cwd ?? preferences.lastPath),
      saveOnExit: wants.kind === 'shell',
      bareErrors: wants.kind !== 'shell',
    });
    session.setTerminal(terminal());
    const before = host.unsavedOperations;
    const ok = await runLines(session, linesOf(wants), wants.kind !== 'shell');
    tellUnserved(host, before);
    return ok ? 0 : 1;
  } finally {
    await host.close();
  }
}

async function* linesOf(wants: Script): AsyncGenerator<string> {
  if (wants.kind === 'command') yield wants.line;
  else if (wants.kind === 'lines') yield* wants.lines;
  else if (wants.kind === 'file') yield* fileLines(wants.path);
  else {
    yield* createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
    // The end of the input is an `exit`, as in targetcli: it saves.
    yield 'exit';
  }
}

async function* fileLines(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  await once(file, 'open').catch((error) => {
    throw new OperatorError(`Cannot read ${path}: ${reasonOf(error)}`);
  });
  yield* createInterface({ input: file, crlfDelay: Number.POSITIVE_INFINITY });
}

/** @returns whether every line went well */
async function runLines(session: ShellSession, lines: AsyncIterable<string>, stopAtError: boolean): Promise<boolean> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  let ok = true;
  for await (const line of lines) {
    const result = await session.run(line, streams, interrupted.signal);
    ok &&= result.ok;
    if (result.exit || interrupted.signal.aborted || (stopAtError && !result.ok)) break;
  }
  return ok && !interrupted.signal.aborted;
}

/** A person who changed something should know that no initiator sees it yet. */
function tellUnserved(host: Host, before: number): void {
  if (!process.stderr.isTTY || host.heldBy || host.unsavedOperations === before) return;
  process.stderr.write('The change is stored; nothing is being served. To serve it: tcli serve\n');
}

// A reader that went away (`tcli ls | head -1`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  const status = await main();
  process.exitCode = status;
  if (status === givenUp) process.exit();
} catch (error) {
  process.stderr.write(`${lastWords(error)}\n`);
  process.exitCode = 1;
}
