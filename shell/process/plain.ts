/** The shell where there is no terminal to draw on (a pipe, a file, TERM=dumb): reads lines, prints what they print. */

import { createInterface, type Interface } from 'node:readline';
import { printable } from '../../src/client.ts';
import { cannotStop, type OutputSink, type Question, type ShellClient } from '../channel/protocol.ts';
import { runTyped } from '../channel/run-line.ts';
import { typedTwice } from '../channel/typed-twice.ts';
import { typedLine } from './ask-secret.ts';

/** A terminal, or whatever else has lines. */
type LineInput = NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };

export interface PlainOptions {
  readonly banner: readonly string[];
  /** More lines for a person, once the session is there. */
  readonly greeting?: (client: ShellClient) => Promise<readonly string[]>;
  readonly input?: LineInput;
  readonly output?: NodeJS.WritableStream;
  readonly error?: NodeJS.WritableStream;
}

/**
 * Runs line after line until one asks to leave or the input ends, which is `exit`. Prompts and the banner are for people: they are
 * printed when the input is a terminal. The caller closes the client.
 * @returns the exit status: 0, as in targetcli, even after lines that failed; 1 when the session was lost
 */
export async function plain(client: ShellClient, options: PlainOptions): Promise<number> {
  const { input = process.stdin, output = process.stdout, error = process.stderr } = options;
  const person = input.isTTY === true;
  const say = (text: string) => void (person && output.write(text));
  const lines = createInterface({ input, terminal: false, crlfDelay: Number.POSITIVE_INFINITY });
  const reader = lines[Symbol.asyncIterator]();
  let running = false;
  const sink: OutputSink = {
    write: (text, stream) => void (stream === 'error' ? error : output).write(text),
    ask: async (question) => {
      if (!person) return null;
      return question.kind === 'secret'
        ? askHidden(question.message, input, output, reader)
        : ask(question, reader, output);
    },
  };
  const interrupted = () => {
    if (running) client.interrupt();
    else say(`\n${client.state.prompt}`);
  };
  const stopped = () => say(`\n${cannotStop}\n${running ? '' : client.state.prompt}`);
  if (person) process.on('SIGINT', interrupted);
  if (person && client.hosted) process.on('SIGTSTP', stopped);
  const run = async (line: string) => {
    running = true;
    try {
      return await runTyped(client, line, sink);
    } finally {
      running = false;
    }
  };
  try {
    const greeting = person ? await options.greeting?.(client) : undefined;
    say([...options.banner, ...(greeting ?? [])].map((line) => `${line}\n`).join(''));
    client.notices?.((text) => {
      // A person in the middle of a line sees the notice in lines of its own, and a prompt below.
      const waits = person && !running;
      error.write(waits ? `\n${text}` : text);
      if (waits) say(client.state.prompt);
    });
    for (;;) {
      say(client.state.prompt);
      const { value: line, done } = await reader.next();
      if (done) break;
      if ((await run(line)).exit) return 0;
    }
    say('exit\n');
    // Nobody can be asked at the end of an input: the targets stay served.
    const { exit } = await run('exit');
    if (!exit && !client.hosted) say('\nIt goes on serving; to stop it: tcli daemon stop\n');
    return 0;
  } catch (lost) {
    error.write(printable(`tcli: the session was lost: ${lost instanceof Error ? lost.message : String(lost)}\n`));
    return 1;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTSTP', stopped);
    lines.close();
  }
}

/** A secret, twice, while the terminal shows nothing of what is typed. */
async function askHidden(
  name: string,
  input: LineInput,
  output: NodeJS.WritableStream,
  reader: ReturnType<Interface[typeof Symbol.asyncIterator]>,
): Promise<string | null> {
  const hiddenLine = async (prompt: string): Promise<string | null> => {
    input.setRawMode?.(true);
    output.write(prompt);
    const { value, done } = await reader.next();
    input.setRawMode?.(false);
    output.write('\n');
    return done ? null : typedLine(value);
  };
  return typedTwice(name, hiddenLine);
}

/** Asks in words: yes or no, or a number out of a list. An empty line or the end of the input cancels. */
async function ask(
  question: Question,
  reader: ReturnType<Interface[typeof Symbol.asyncIterator]>,
  output: NodeJS.WritableStream,
): Promise<string | null> {
  if (question.kind === 'top' || question.kind === 'secret') return null;
  if (question.kind === 'select')
    output.write(question.choices.map(({ label }, index) => `${index + 1}) ${label}\n`).join(''));
  output.write(question.kind === 'confirm' ? `${question.message} (yes/no) ` : `${question.message} (number) `);
  const { value, done } = await reader.next();
  const answer = done ? '' : value.trim().toLowerCase();
  if (question.kind === 'confirm') return answer === '' ? null : 'yes'.startsWith(answer) ? 'yes' : 'no';
  return /^\d{1,9}$/.test(answer) ? (question.choices[Number(answer) - 1]?.value ?? null) : null;
}
