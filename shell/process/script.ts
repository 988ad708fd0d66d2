/** Runs lines that nobody types, one after the other, with a prompt before each, as targetcli does: its scripts may cut that off. */

import { OperatorError, reasonOf } from '../../src/client.ts';
import type { OutputSink, ShellClient } from '../channel/protocol.ts';
import { runTyped } from '../channel/run-line.ts';

export interface ScriptOptions {
  readonly to: OutputSink;
  readonly stopAtError: boolean;
  /** The file that the lines stand in: errors name it, and the line. */
  readonly source?: string | undefined;
  /** Prints prompts, and the word for the end of the input. */
  readonly say?: (text: string) => void;
}

/** The lines with which a session begins. */
export const bannerOf = (version: string): string[] => [
  `tcli shell version ${version}`,
  "For help on commands, type 'help'.",
  '',
];

/** Lines of an input, whose end is an `exit`, as in targetcli: it saves. */
export async function* untilExit(
  input: AsyncIterable<string> | Iterable<string>,
  { say }: ScriptOptions,
): AsyncGenerator<string> {
  yield* input;
  say?.('exit\n');
  yield 'exit';
}

/** A sink that puts the place of a line before its errors. */
function placed(to: OutputSink, source: string | undefined, line: number): OutputSink {
  if (source === undefined) return to;
  let named = false;
  return {
    ...to,
    write(text, stream) {
      const place = stream === 'error' && !named ? `${source}:${line}: ` : '';
      named ||= stream === 'error';
      to.write(place + text, stream);
    },
  };
}

/** Runs lines. @returns whether every line succeeded. @throws OperatorError when the session is lost */
export async function runScript(
  session: Pick<ShellClient, 'state' | 'run' | 'interrupt'>,
  lines: AsyncIterable<string>,
  { to, stopAtError, source, say }: ScriptOptions,
): Promise<boolean> {
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    session.interrupt();
  };
  process.once('SIGINT', interrupt);
  let ok = true;
  let number = 0;
  say?.(session.state.prompt);
  for await (const line of lines) {
    if (interrupted) break;
    number += 1;
    const result = await runTyped(session, line, placed(to, source, number)).catch((error) => {
      if (error instanceof OperatorError) throw error;
      throw new OperatorError(`The session was lost: ${reasonOf(error)}`);
    });
    ok &&= result.ok;
    if (result.exit || (stopAtError && !result.ok)) break;
    say?.(session.state.prompt);
  }
  process.off('SIGINT', interrupt);
  return ok && !interrupted;
}
