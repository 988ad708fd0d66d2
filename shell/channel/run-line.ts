/** Runs a line that was typed: command after command, and each one's output goes where the line says. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { OperatorError, reasonOf } from '../../src/client.ts';
import { commandsIn, type Grep, type OutputFile, statementsOf } from '../session/statements.ts';
import type { LineCompletion, OutputSink, ShellClient } from './protocol.ts';

/** What follows an error in a line is not run. */
export async function runTyped(
  client: Pick<ShellClient, 'run'>,
  line: string,
  to: OutputSink,
): Promise<{ ok: boolean; exit: boolean }> {
  try {
    for (const { from, to: end, greps, file } of statementsOf(line)) {
      const below = file ? toFile(file, to) : { sink: to, end: () => {} };
      const { sink, end: finish } = greps.reduceRight<Filter>((last, grep) => filtered(grep, last), below);
      const result = await client.run(line.slice(from, end), sink).finally(finish);
      if (!result.ok || result.exit) return result;
    }
    return { ok: true, exit: false };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    to.write([error.message, error.hint, ''].filter((text) => text !== undefined).join('\n'), 'error');
    return { ok: false, exit: false };
  }
}

/** What can stand at `cursor`, in the command that it stands in. */
export async function completeStatement(
  client: Pick<ShellClient, 'complete'>,
  line: string,
  cursor: number,
): Promise<LineCompletion> {
  const { from } = commandsIn(line.slice(0, cursor)).at(-1) ?? { from: 0 };
  const blanks = /^\s*/.exec(line.slice(from, cursor))?.[0].length ?? 0;
  const start = from === 0 ? 0 : from + blanks;
  const { from: at, unknown, ...found } = await client.complete(line.slice(start), cursor - start);
  return { ...found, from: at + start, ...(unknown && { unknown: [unknown[0] + start, unknown[1] + start] as const }) };
}

/** A sink, and what is to be done when the command is over. */
interface Filter {
  readonly sink: OutputSink;
  end(): void;
}

const colors = /\x1b\[[\d;]*m/g;

function filtered({ pattern, inverted, counts }: Grep, below: Filter): Filter {
  let rest = '';
  let count = 0;
  const take = (line: string) => {
    if (pattern.test(line.replace(colors, '')) === inverted) return;
    count += 1;
    if (!counts) below.sink.write(`${line}\n`, 'output');
  };
  return {
    sink: {
      ...below.sink,
      write(text, stream) {
        if (stream === 'error') return below.sink.write(text, stream);
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) take(line);
      },
    },
    end() {
      if (rest !== '') take(rest);
      if (counts) below.sink.write(`${count}\n`, 'output');
      below.end();
    },
  };
}

/** The file is opened here: by whoever types, with his rights, from where he stands; a new one is his alone, for secrets. @throws OperatorError, also when it ends */
function toFile({ path, append }: OutputFile, to: OutputSink): Filter {
  const cannot = (error: unknown) => new OperatorError(`Cannot write ${path}: ${reasonOf(error)}`);
  let descriptor: number;
  try {
    descriptor = openSync(path.replace(/^~(?=\/|$)/, homedir()), append ? 'a' : 'w', 0o600);
  } catch (error) {
    throw cannot(error);
  }
  let problem: OperatorError | undefined;
  return {
    sink: {
      ...to,
      write(text, stream) {
        if (stream === 'error') return to.write(text, stream);
        try {
          if (!problem) writeSync(descriptor, text.replace(colors, ''));
        } catch (error) {
          problem = cannot(error);
        }
      },
    },
    end() {
      closeSync(descriptor);
      if (problem) throw problem;
    },
  };
}
