/** A session without an engine, for tests of front ends: a few commands that do what front ends must cope with. */

import { setTimeout as wait } from 'node:timers/promises';
import type {
  Candidate,
  LineCompletion,
  OutputSink,
  SessionState,
  ShellBackend,
  Terminal,
} from '../../shell/channel/protocol.ts';

const HELP: Readonly<Record<string, string>> = {
  backstores: 'Storage objects by kind',
  bookmarks: 'Remembered paths',
  cd: 'Changes the current path',
  clearconfig: 'Removes everything',
  count: 'Prints N lines',
  create: 'Creates an object',
  crash: 'Ends the engine',
  echo: 'Prints its words',
  exit: 'Leaves the shell',
  // No menu shows it: a line cannot hold it.
  'evil\x1b[2J': 'A name with control characters',
  partial: 'Prints a line without its end',
  pick: 'Asks for one of many',
  sure: 'Asks yes or no',
  wait: 'Waits for Ctrl-C',
  width: 'Prints the width of the terminal',
};

export class FakeSession implements ShellBackend {
  #path = '/';
  #pager = true;
  /** At the next change of the terminal, when a question is surely on the screen. */
  #crashes = false;
  #terminal: Terminal = { columns: 132, color: false, interactive: false };

  get state(): SessionState {
    return { prompt: `${this.#path}> `, path: this.#path, pager: this.#pager };
  }

  setTerminal(terminal: Terminal): void {
    if (this.#crashes) process.exit(3);
    this.#terminal = terminal;
  }

  async run(line: string, to: OutputSink, signal: AbortSignal): Promise<{ ok: boolean; exit: boolean }> {
    const [command = '', ...words] = line.trim().split(/\s+/);
    const say = (text: string) => to.write(`${text}\n`, 'output');
    switch (command) {
      case '':
        break;
      case 'echo':
        say(words.join(' '));
        break;
      case 'cd':
        this.#path = words[0] ?? '/';
        break;
      case 'pager':
        this.#pager = words[0] === 'on';
        break;
      case 'count':
        for (let n = 1; n <= Number(words[0]); n++) say(`line ${n}`);
        if (words.at(-1) === 'wait') return this.run('wait', to, signal);
        break;
      case 'partial':
        to.write('no newline', 'output');
        break;
      case 'width':
        say(`${this.#terminal.columns} columns`);
        break;
      case 'wait':
        say('waiting');
        await wait(60_000, undefined, { signal }).catch(() => say('interrupted'));
        break;
      case 'sure':
        this.#crashes = words[0] === 'crash';
        say(`answer: ${await to.ask({ kind: 'confirm', message: 'Delete all?' })}`);
        break;
      case 'pick': {
        const choices = Array.from({ length: 50 }, (_, n) => ({ value: `/node${n}`, label: `o- node${n}` }));
        const answer = await to.ask({ kind: 'select', message: 'Go to', choices, initial: '/node7' });
        say(`picked: ${answer}`);
        break;
      }
      case 'crash':
        process.exit(3);
        break;
      case 'exit':
        return { ok: true, exit: true };
      default:
        to.write(`Command not found ${command}\n`, 'error');
        return { ok: false, exit: false };
    }
    return { ok: true, exit: false };
  }

  async complete(line: string, cursor: number): Promise<LineCompletion> {
    const from = line.slice(0, cursor).search(/\S*$/);
    const word = line.slice(from, cursor);
    const candidates = Object.entries(HELP)
      .filter(([name]) => name.startsWith(word))
      .map(
        ([name, help]): Candidate => ({
          text: name === 'backstores' ? 'backstores/' : name,
          kind: name === 'backstores' ? 'path' : 'command',
          help,
          final: name !== 'backstores',
        }),
      );
    return { from, candidates };
  }
}
