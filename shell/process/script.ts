/** Lines that nobody types, one after the other; as targetcli, with a prompt before each, since its scripts may cut that off. */

import { OperatorError, reasonOf } from '../../src/client.ts';
import type { OutputSink, ShellClient } from '../channel/protocol.ts';

export interface ScriptOptions {
  readonly to: OutputSink;
  readonly stopAtError: boolean;
  /** Prompts, and the word for the end of the input. */
  readonly say?: (text: string) => void;
}

/** What a session begins with. */
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

/** @returns whether every line went well. @throws OperatorError when the session is lost */
export async function runScript(
  session: Pick<ShellClient, 'state' | 'run' | 'interrupt'>,
  lines: AsyncIterable<string>,
  { to, stopAtError, say }: ScriptOptions,
): Promise<boolean> {
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    session.interrupt();
  };
  process.once('SIGINT', interrupt);
  let ok = true;
  say?.(session.state.prompt);
  for await (const line of lines) {
    if (interrupted) break;
    const result = await session.run(line, to).catch((error) => {
      throw new OperatorError(`The session was lost: ${reasonOf(error)}`);
    });
    ok &&= result.ok;
    if (result.exit || (stopAtError && !result.ok)) break;
    say?.(session.state.prompt);
  }
  process.off('SIGINT', interrupt);
  return ok && !interrupted;
}
