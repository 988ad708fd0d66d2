/** Runs a line that was typed, command after command; the output of each goes where the line says. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { OperatorError, reasonOf } from '../../src/client.ts';
import { commandsIn, type Grep, type OutputFile, statementsOf } from '../session/statements.ts';
import { asLines, type LineCompletion, type OutputSink, type ShellClient } from './protocol.ts';

/** Runs a line. Commands behind an error are not run. */
export async function runTyped(
  client: Pick<ShellClient, 'run'>,
  line: string,
  to: OutputSink,
): Promise<{ ok: boolean; exit: boolean }> {
  try {
    for (const { from, to: end, greps, file } of statementsOf(line)) {
      const isElsewhere = greps.length > 0 || file !== undefined;
      const last: OutputSink = isElsewhere
        ? { ...to, ask: async (question) => (question.kind === 'top' ? asLines : to.ask(question)) }
        : to;
      const below = file ? toFile(file, last) : { sink: last, end: () => {} };
      const { sink, end: finish } = greps.reduceRight<Filter>((next, grep) => filtered(grep, next), below);
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

/** The words that can stand at `cursor`, in the command around it. */
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

/** A sink, and the work at the end of the command. */
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

/**
 * Output into a file. It is opened by the program in which the line was typed: with the person's rights, relative to the person's folder;
 * a new file is readable by the person alone, for secrets may come. @throws OperatorError, also at the end
 */
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
