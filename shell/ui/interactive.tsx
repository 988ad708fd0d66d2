/** The interactive shell: a banner, then prompt, line, output until the person leaves. The client knows where the session is. */

import { printable, printableLine } from '../../src/client.ts';
import { cannotStop, type OutputSink, type Question, type ShellClient } from '../channel/protocol.ts';
import { runTyped } from '../channel/run-line.ts';
import { History } from '../session/history.ts';
import { showLine } from '../session/secrets.ts';
import type { OpenWatch } from '../top/live.ts';
import { askSecret } from './ask-secret.ts';
import { chooseItem } from './choose.ts';
import { settleColor } from './color.ts';
import { width } from './graphemes.ts';
import type { InteractiveShell } from './interactive-shell.ts';
import { openOutput } from './pager.ts';
import { readLine } from './read-line.ts';
import { TtyHub, type TtyInput, type TtyOutput } from './tty.ts';
import type { View } from './view.tsx';

export interface InteractiveOptions {
  readonly banner: readonly string[];
  /** More lines for the person, once the session is there. */
  readonly greeting?: (client: ShellClient) => Promise<readonly string[]>;
  readonly historyFile: string;
  /** Opens a watch of the process that serves, for live views; absent: there are none. */
  readonly openWatch?: OpenWatch;
  /** The input and the output, which must be terminals. */
  readonly input?: TtyInput;
  readonly output?: TtyOutput;
}

/** The exit status of a start that Ctrl-C gave up: 128 and SIGINT's number. */
const INTERRUPTED = 130;
/** The number of lines that are named of a paste that was not run to its end. */
const pasteLinesShown = 10;
const ERASE_LINE = '\r\x1b[K';

/**
 * Runs the shell on a terminal until the person leaves. The caller closes the client, if it came.
 * @param connecting a promise is fine: keys are kept from the first moment on
 * @returns the exit status: 0, 1 when the session was lost, 128 and the signal's number when a signal ended it
 * @throws the error of `connecting`
 */
export async function interactive(
  connecting: ShellClient | Promise<ShellClient>,
  options: InteractiveOptions,
): Promise<number> {
  const color = settleColor(process.env);
  const output = options.output ?? process.stdout;
  let view: View | undefined;
  let client: ShellClient | undefined;
  const tty = new TtyHub(options.input ?? process.stdin, output, {
    stop: () => {
      if (client?.hosted) view?.print(`${cannotStop}\n`);
      else void view?.lend(() => tty.suspend());
    },
    repaint: () => void view?.lend(async () => {}),
  });
  try {
    output.write(options.banner.map((line) => `${line}\n`).join(''));
    tty.interrupt = () => tty.end(INTERRUPTED);
    const connected = await Promise.race([connecting, tty.ended]);
    if (typeof connected === 'number') return connected;
    client = connected;
    const greeting = await Promise.race([options.greeting?.(connected) ?? [], tty.ended]);
    if (typeof greeting === 'number') return greeting;
    output.write(greeting.map((line) => `${line}\n`).join(''));
    tty.interrupt = null;
    const resized = () =>
      connected.setTerminal({ columns: tty.columns, color, interactive: true, live: options.openWatch !== undefined });
    resized();
    output.on('resize', resized);
    // The prompt is shown while Ink loads (when one line can hold it); keys are kept.
    if (width(connected.state.prompt) < tty.columns) output.write(connected.state.prompt);
    const [{ openView }, history] = await Promise.all([import('./view.tsx'), History.open(options.historyFile)]);
    output.write(ERASE_LINE);
    view = openView(output, color);
    connected.notices?.((text) => view?.print(text));
    if (history.problem) view.print(printable(`${history.problem}\n`));
    try {
      return await converse({ tty, view, client: connected, history, openWatch: options.openWatch });
    } finally {
      output.off('resize', resized);
      await history.close();
      await view.close();
    }
  } finally {
    tty.close();
  }
}

/** Line after line. Ends when a line asks to leave, the session is lost, or the terminal is gone. */
async function converse(shell: InteractiveShell): Promise<number> {
  const { tty, view, client } = shell;
  let losing: Promise<number> | undefined;
  // A lost session shows itself twice: by `lost`, and by the request that it leaves without an answer.
  const lose = (error: Error) => {
    losing ??= view.commit().then(() => {
      view.print(printable(`tcli: the session was lost: ${error.message}\n`));
      return 1;
    });
    return losing;
  };
  const lines = async () => {
    for (;;) {
      const line = await readLine(shell);
      if (line === null) return tty.ended;
      if (await runLine(shell, line)) return 0;
    }
  };
  const ends = [lines().catch(lose), tty.ended];
  if (client.lost !== undefined) ends.push(client.lost.then(lose));
  return Promise.race(ends);
}

/** Runs a line. @returns whether the line asked to leave the shell */
async function runLine(shell: InteractiveShell, line: string): Promise<boolean> {
  const { tty, view, client } = shell;
  const interrupt = () => client.interrupt();
  const output = openOutput(shell, interrupt);
  const sink: OutputSink = {
    write: (text) => output.write(text),
    async ask(question) {
      await output.settle();
      return ask(shell, question);
    },
  };
  tty.interrupt = interrupt;
  try {
    if (line.trim() === 'clear') view.clear();
    const { ok, exit } = await runTyped(client, line, sink);
    await output.end();
    // The lines behind one that failed counted on its effect.
    const rest = ok ? [] : tty.dropPaste();
    if (rest.length > 0) view.print(notRun(rest));
    return exit;
  } finally {
    await output.settle();
    tty.interrupt = null;
    await view.commit();
  }
}

/** Lines of a paste that were not run: shown, to be pasted again. */
function notRun(lines: readonly string[]): string {
  const shown = lines.slice(0, pasteLinesShown).map((line) => `  ${showLine(line, printableLine).text}\n`);
  const more = lines.length > shown.length ? `  … and ${lines.length - shown.length} more\n` : '';
  return `The paste ends at this error. Not run:\n${shown.join('')}${more}`;
}

async function ask(shell: InteractiveShell, question: Question): Promise<string | null> {
  const { tty, view, client } = shell;
  // While a question stands, Ctrl-C answers it.
  tty.interrupt = null;
  await view.commit();
  try {
    if (question.kind === 'top') {
      if (!shell.openWatch) return null;
      const { liveTop } = await import('../top/live.ts');
      return (await liveTop(shell, shell.openWatch, question)) ?? null;
    }
    if (question.kind === 'select') {
      const { choices } = question;
      const initial = choices.findIndex(({ value }) => value === question.initial);
      const chosen = await chooseItem(shell, {
        message: question.message,
        items: choices.map(({ label, value }) => ({ label, help: '', path: value })),
        initial: Math.max(0, initial),
        height: 'screen',
      });
      return chosen === null ? null : (choices[chosen]?.value ?? null);
    }
    if (question.kind === 'secret') return await askSecret(shell, question.message);
    const { confirm } = await import('./confirm.ts');
    let answer: string | null = null;
    await view.lend(async () => {
      answer = await confirm(tty, question.message);
    });
    return answer;
  } finally {
    await view.commit();
    tty.interrupt = () => client.interrupt();
  }
}
