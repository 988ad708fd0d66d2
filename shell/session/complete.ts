/** The words that Tab offers, computed from the records of commands, with a line of help for each. */

import { resolve } from 'node:path';
import type { Candidate, LineCompletion } from '../channel/protocol.ts';
import { type CommandLine, parseCommandLine, quotePath, quoteWord, type Word } from './command-line.ts';
import { allCommands } from './common-commands.ts';
import { briefly } from './help.ts';
import { nodeAt } from './many.ts';
import { type CommandParameter, type Node, placesOf, type ShellCommand, type Suggesting } from './node.ts';
import { resolvePath } from './path.ts';
import type { Preferences } from './preferences.ts';
import { type Suggestion, suggestBookmarks, suggestPaths, suggestValues } from './suggestions.ts';

/**
 * The words that can stand at the end of `before`.
 * @throws the errors of looking things up: an unknown path, a folder that cannot be read
 */
export async function completeLine(
  before: string,
  current: Node,
  preferences: Preferences,
  fileNamed: Suggesting['fileNamed'] = resolve,
): Promise<LineCompletion> {
  const line = parseCommandLine(before);
  const none: LineCompletion = { from: before.length, candidates: [] };
  if (line.rest || /^\s*#/.test(before)) return none;
  const session: Suggesting = { preferences, given: {}, fileNamed };
  const { path, command } = line;
  const atEnd = (word: Word | undefined) => word !== undefined && word.to === before.length;
  if (path && !command && atEnd(path)) return firstWord(path, current, session, false);
  if (!path && (!command || atEnd(command))) {
    // A lone @ is no bookmark yet.
    const begun = command ?? line.positional[0] ?? { text: '', from: before.length, to: before.length };
    return atEnd(begun) ? firstWord(begun, current, session, true) : none;
  }
  const node = path && path.text !== '*' ? nodeAt(path.text, current, preferences.bookmarks) : current;
  if (!command || atEnd(command)) {
    if (line.positional.length > 0) return none;
    return { from: command?.from ?? before.length, candidates: commandsAt(node, command?.text ?? '') };
  }
  const known = allCommands(node);
  const record = Object.hasOwn(known, command.text) ? known[command.text] : undefined;
  return record ? parameters(before, line, record, node, session) : none;
}

/** Candidates for a path, or (`orCommand`) a command of the current node. */
function firstWord({ text, from }: Word, current: Node, session: Suggesting, orCommand: boolean): LineCompletion {
  const paths = text.startsWith('@') ? suggestBookmarks(current, session) : suggestPaths(text, current, session);
  const others: Suggestion[] =
    text === '' ? [{ text: '/', kind: 'path', final: false }, ...suggestBookmarks(current, session)] : [];
  if (text === '' && current.children().length > 0)
    others.push({ text: '*', kind: 'path', help: 'every node below, one after the other', final: true });
  const fitting = [...paths, ...others].filter((one) => one.text.startsWith(text));
  const candidates = fitting.map((one) => ({ help: '', ...one, text: one.text === '*' ? '*' : quotePath(one.text) }));
  const commands = orCommand ? commandsAt(current, text) : commandsBelow(text, current, session);
  return { from, candidates: [...candidates, ...commands] };
}

/** Completes `luns/cr` to `luns/ create`: commands that only a node below has. */
function commandsBelow(text: string, current: Node, { preferences }: Suggesting): Candidate[] {
  const slash = text.lastIndexOf('/') + 1;
  if (slash === 0) return [];
  const [path, typed] = [text.slice(0, slash), text.slice(slash)];
  const node = resolvePath(path, current, preferences.bookmarks);
  return commandsAt(node, typed)
    .filter((one) => Object.hasOwn(node.commands, one.text))
    .map((one) => ({ ...one, text: `${quotePath(path)} ${one.text}` }));
}

const commandsAt = (node: Node, typed: string): Candidate[] =>
  Object.entries(allCommands(node))
    .filter(([name]) => name.startsWith(typed))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([text, { doc }]) => ({ text, kind: 'command', help: briefly(doc), final: true }));

async function parameters(
  before: string,
  { positional, keywords }: CommandLine,
  command: ShellCommand<unknown>,
  node: Node,
  around: Suggesting,
): Promise<LineCompletion> {
  const end = before.length;
  const openKeyword = keywords.find(
    ({ name, value }) => value.to === end || (value.text === '' && name.to + 1 === end),
  );
  const open = positional.find((word) => word.to === end);
  const closed = positional.filter((word) => word !== open);
  const places = placesOf(command.parameters);
  const filled: Record<string, string> = {};
  for (const [at, word] of closed.entries()) {
    const name = places[at]?.name;
    if (name !== undefined) filled[name] = word.text;
  }
  for (const keyword of keywords) if (keyword !== openKeyword) filled[keyword.name.text] = keyword.value.text;
  const session: Suggesting = { ...around, given: filled };

  if (openKeyword) {
    const { name, value } = openKeyword;
    const values = await valuesNamed(name.text, value.text, command, node, session);
    const candidates = values.map(({ text, ...other }) => ({
      help: '',
      ...other,
      text: `${name.text}=${quoteWord(text)}`,
    }));
    return { from: name.from, candidates };
  }
  const typed = open?.text ?? '';
  const fits = ({ text }: { text: string }) => text.startsWith(typed);
  const parameter = places[closed.length];
  const words = parameter
    ? await suggestValues(parameter, typed, node, session).catch(() => [])
    : moreWords(command, 'words', node, session).map(wordOf);
  const values = words.filter(fits).map(({ text, ...other }) => ({ help: '', ...other, text: quoteWord(text) }));
  const names = [...command.parameters, ...moreWords(command, 'keywords', node, session)]
    .filter(({ name }) => !Object.hasOwn(filled, name))
    .map(({ name, doc }): Candidate => ({ text: `${name}=`, kind: 'keyword', help: briefly(doc), final: false }));
  const asData = command.json && typed.startsWith('-') ? [jsonCandidate] : [];
  return { from: open?.from ?? end, candidates: [...values, ...names.filter(fits), ...asData.filter(fits)] };
}

/** The candidate --json, for a person who begins to type it: every line that shows something takes it. */
const jsonCandidate: Candidate = { text: '--json', kind: 'parameter', help: 'what it shows, as data', final: true };

const wordOf = ({ name, doc }: { name: string; doc: string }): Suggestion => ({
  text: name,
  help: doc,
  kind: 'parameter',
  final: true,
});

const moreWords = ({ more }: ShellCommand<unknown>, kind: 'words' | 'keywords', node: Node, session: Suggesting) =>
  more?.kind === kind ? more.offered(node, session) : [];

async function valuesNamed(
  name: string,
  typed: string,
  command: ShellCommand<unknown>,
  node: Node,
  session: Suggesting,
): Promise<Suggestion[]> {
  const parameter: CommandParameter | undefined = command.parameters.find((one) => one.name === name);
  if (parameter) return suggestValues(parameter, typed, node, session);
  const offered = moreWords(command, 'keywords', node, session).find((one) => one.name === name);
  return (offered?.words ?? [])
    .filter((text) => text.startsWith(typed))
    .map((text) => ({ text, kind: 'parameter', final: true }));
}
