/** Notes on a line that is being typed: an unknown word in it, and the bytes of a size. */

import { OperatorError, types } from '../../src/index.ts';
import type { Candidate, LineCompletion } from '../channel/protocol.ts';
import { type CommandLine, parseCommandLine, type Word } from './command-line.ts';
import { allCommands } from './common-commands.ts';
import type { Node, ShellCommand } from './node.ts';
import { resolvePath } from './path.ts';
import type { Preferences } from './preferences.ts';

/** Looks at a line. @param candidates the words that can stand at the end of `before` */
export function inspect(
  before: string,
  current: Node,
  preferences: Preferences,
  candidates: readonly Candidate[],
): Pick<LineCompletion, 'note' | 'unknown'> {
  const line = parseCommandLine(before);
  const { path, command } = line;
  const unknown = ({ from, to }: Word) => ({ unknown: [from, to] as const });
  /** Whether a word is unknown for good. A word at the end may still become a known one, as long as a known one begins with it. */
  const hopeless = (word: Word) => word.to < before.length || candidates.length === 0;
  let node = current;
  // The nodes of a pattern are looked up when the line runs.
  if (path && /[*?]/.test(path.text)) return {};
  if (path)
    try {
      node = resolvePath(path.text, current, preferences.bookmarks);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      return hopeless(path) ? unknown(path) : {};
    }
  if (!command) return {};
  const commands = allCommands(node);
  const record = Object.hasOwn(commands, command.text) ? commands[command.text] : undefined;
  if (!record) return hopeless(command) ? unknown(command) : {};
  const strange = line.keywords.find(({ name }) => !takes(record, name.text));
  return { ...(strange && unknown(strange.name)), ...noteOf(before, line, record) };
}

const takes = ({ parameters, more }: ShellCommand<unknown>, name: string): boolean =>
  more?.kind === 'keywords' || parameters.some((parameter) => parameter.name === name);

/** The note on the size that is being typed: `10G = 10,737,418,240 B`. */
function noteOf(before: string, { positional, keywords }: CommandLine, { parameters }: ShellCommand<unknown>) {
  const at = positional.findIndex(({ to }) => to === before.length);
  const keyword = keywords.find(({ value }) => value.to === before.length);
  const parameter = keyword ? parameters.find(({ name }) => name === keyword.name.text) : parameters[at];
  const text = keyword?.value.text ?? positional[at]?.text ?? '';
  if (parameter?.type.name !== 'size') return {};
  const bytes = types.size.parse(text);
  return bytes !== undefined ? { note: `${text} = ${bytes.toLocaleString('en-US')} B` } : {};
}
