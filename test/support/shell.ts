/** A shell on a home of its own in a temporary directory. Nothing is served. */

import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Question, Terminal } from '../../shell/channel/protocol.ts';
import { Preferences } from '../../shell/session/preferences.ts';
import { type SessionOptions, ShellSession } from '../../shell/session/session.ts';
import { type Host, homeOf, openHost } from '../../src/index.ts';
import { makeFolder, memoryFolder } from './scratch.ts';

export interface TestShell {
  readonly directory: string;
  readonly host: Host;
  readonly session: ShellSession;
  readonly questions: Question[];
  /** The answer to the next question. */
  answer: string | null;
  /** Runs lines. @returns what they printed; standard error's lines begin with `E| ` */
  run(...lines: string[]): Promise<string>;
  /** The texts that completion offers at the end of `line`. */
  complete(line: string): Promise<string[]>;
  another(options?: SessionOptions): TestShell;
  /** Closes the home; `again` opens it anew, as the next process would. */
  close(): Promise<void>;
}

export interface TestShellOptions extends SessionOptions {
  readonly directory?: string;
  readonly terminal?: Partial<Terminal>;
  /** The wall clock. */
  readonly now?: () => Date;
}

/** Every change is made durable: on a disk that others load, a thousand of them take a while. */
const memory = existsSync(memoryFolder) ? memoryFolder : tmpdir();

export async function openShell(options: TestShellOptions = {}): Promise<TestShell> {
  const directory = options.directory ?? makeFolder(memory);
  const home = homeOf(directory, {}, undefined);
  const host = await openHost({ home, role: 'shell', ...(options.now && { now: options.now }) });
  return testShell(host, directory, options);
}

export { removeFolder as removeHome } from './scratch.ts';

function testShell(host: Host, directory: string, { terminal, now: _, ...options }: TestShellOptions): TestShell {
  const session = new ShellSession(host, Preferences.open(host.home.stateDirectory), options);
  session.setTerminal({ columns: 132, color: false, interactive: false, ...terminal });
  const shell: TestShell = {
    directory,
    host,
    session,
    questions: [],
    answer: null,
    async run(...lines) {
      let output = '';
      const sink = {
        write: (text: string, stream: 'output' | 'error') => {
          output += stream === 'error' ? text.replace(/^(?=.|\n.)/gm, 'E| ') : text;
        },
        ask: async (question: Question) => {
          shell.questions.push(question);
          return shell.answer;
        },
      };
      for (const line of lines) await session.run(line, sink, new AbortController().signal);
      return output;
    },
    async complete(line) {
      const { candidates } = await session.complete(line, line.length);
      return candidates.map(({ text }) => text);
    },
    another: (more = {}) => testShell(host, directory, more),
    close: () => host.close(),
  };
  return shell;
}
