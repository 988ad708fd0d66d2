/**
 * One line for many nodes: `*` and `?` in a path stand for what is there, as in a Unix shell, `*` for any characters and `?` for
 * one. What has such a character in its name is meant by that name first, and quotes leave the characters as they are.
 */

import { isPattern, matchesPattern, OperatorError } from '../../src/index.ts';
import type { CommandLine, Word } from './command-line.ts';
import { commandNamed } from './common-commands.ts';
import type { Context, Given, Node, ShellCommand } from './node.ts';
import { resolvePath, rootOf } from './path.ts';
import { bindParameters } from './signature.ts';

/** A command of a line, at one of the nodes that the line means. */
export interface Aim {
  readonly node: Node;
  readonly command: string;
  readonly line: CommandLine;
}

/** Whether a word is to be matched: it is not in quotes. */
const isMatched = (line: string, { text, from, to }: Word): boolean => isPattern(text) && line.slice(from, to) === text;

/** The nodes that a path with patterns in it names. @throws OperatorError when there is none */
function nodesAt(text: string, from: Node): Node[] {
  let nodes = [text.startsWith('/') ? rootOf(from) : from];
  for (const step of text.split('/')) {
    if (step === '' || step === '.') continue;
    const found = nodes.flatMap((node) => (step === '..' ? (node.parent ?? node) : below(node, step)));
    nodes = [...new Map(found.map((node) => [node.path, node])).values()];
  }
  if (nodes.length > 0) return nodes;
  const [root = ''] = text.split(/[^/]*[*?]/, 1);
  throw new OperatorError(`Nothing matches ${text}`, `What is there: ls ${root.replace(/(.)\/$/, '$1') || '.'} 1`);
}

/** Whether a path names a node as it stands. */
const isThere = (text: string, from: Node): boolean => {
  try {
    return resolvePath(text, from, new Map()) !== undefined;
  } catch {
    return false;
  }
};

/** The first node that a path names, which may have patterns in it. @throws OperatorError when there is none */
export const nodeAt = (text: string, from: Node, bookmarks: ReadonlyMap<string, string>): Node =>
  isPattern(text) ? nodesAt(text, from)[0]! : resolvePath(text, from, bookmarks);

function below(node: Node, step: string): Node[] {
  const named = node.child(step);
  if (named) return [named];
  return isPattern(step) ? node.children().filter(({ name }) => matchesPattern(step, name)) : [];
}

/**
 * Where a line runs, when that is at several nodes, or was said by a pattern; undefined: it is a line like any other.
 * @param text of the line, in which its words stand
 * @throws OperatorError when nothing matches
 */
export function aimsOf(
  text: string,
  line: CommandLine,
  current: Node,
  bookmarks: ReadonlyMap<string, string>,
): Aim[] | undefined {
  const { path, command } = line;
  if (path?.text === '*') return current.children().map((node) => ({ node, command: command?.text ?? 'ls', line }));
  const nodes = path && isMatched(text, path) && !isThere(path.text, current) ? nodesAt(path.text, current) : undefined;
  if (!command) return nodes?.map((node) => ({ node, command: 'ls', line }));
  const [word] = line.positional;
  if (!nodes && !(word && isMatched(text, word))) return undefined;
  const from = nodes ?? [path ? resolvePath(path.text, current, bookmarks) : current];
  const aims = from.flatMap(
    (node) => aimsAt(text, line, node, command.text) ?? [{ node, command: command.text, line }],
  );
  return nodes || aims.length > 1 || aims.some((aim) => aim.line !== line) ? aims : undefined;
}

/** A parameter that is a path, or names what is to go, may be a pattern, too. */
function aimsAt(text: string, line: CommandLine, node: Node, name: string): Aim[] | undefined {
  const [word] = line.positional;
  if (!word || !isMatched(text, word)) return undefined;
  const command = commandNamed(node, name);
  const [parameter] = command.parameters;
  const others = line.positional.slice(1);
  if (parameter?.kind === 'path' && command.json)
    return nodesAt(word.text, node).map((at) => ({ node: at, command: name, line: { ...line, positional: others } }));
  if (!command.takesAway || !parameter?.suggest) return undefined;
  const around = { preferences: undefined as never, given: {}, fileNamed: (file: string) => file };
  const names = Array.from(parameter.suggest(node, around), (one) => (typeof one === 'string' ? one : one[0]));
  if (names.includes(word.text)) return undefined;
  const found = names.filter((one) => matchesPattern(word.text, one));
  if (found.length === 0)
    throw new OperatorError(`Nothing matches ${word.text}`, `Here: ${names.slice(0, 5).join(', ') || 'none'}`);
  return found.map((one) => ({
    node,
    command: name,
    line: { ...line, positional: [{ ...word, text: one }, ...others] },
  }));
}

/** Does something at one of several nodes: what goes wrong says where. */
export async function doneAt({ path }: Node, what: () => Promise<void>): Promise<void> {
  try {
    await what();
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    throw new OperatorError(`${path}: ${error.message}`, error.hint);
  }
}

const enough = new Error('it would change something');

/**
 * The question before something goes away at several nodes: what is done, and the lines that stand before the
 * question at each. Nothing is changed.
 */
export async function lossesOf(
  aims: readonly Aim[],
  contextOf: (node: Node) => Context,
  place: (word: Word) => string,
): Promise<string[]> {
  const lines: string[] = [];
  if (!aims.every(({ node, command }) => commandNamed(node, command).takesAway)) return lines;
  for (const { node, command, line } of aims) {
    const record = commandNamed(node, command);
    lines.push([`${node.path}/`, command, ...line.positional.map(({ text }) => text)].join(' '));
    await looking(
      record,
      contextOf(node),
      bindParameters(command, record, line, place),
      (text) => void lines.push(text),
    );
  }
  return lines;
}

/** Runs a command up to where it asks, or would change something. */
async function looking(
  { run }: ShellCommand<unknown>,
  context: Context,
  given: Given,
  print: Context['print'],
): Promise<void> {
  const stop = async () => {
    throw enough;
  };
  const quiet = () => {};
  const stopped = { ask: stop, apply: stop, begin: stop, settle: stop, ahead: stop, keep: stop };
  try {
    await run(context.node.subject, { ...context, ...stopped, draw: quiet, info: quiet, warn: quiet, print }, given);
  } catch (error) {
    if (error !== enough) throw error;
  }
}
