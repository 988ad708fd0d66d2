/** The fault of a line, and its place in the line. */

import { OperatorError, reasonOf, systemErrorCode } from '../../src/index.ts';
import type { CommandLine, Word } from './command-line.ts';
import type { ShownLine } from './secrets.ts';

/** The lines about an error, of which there are three kinds: the operator's, a system call's, and ours. */
export function complaintOf(error: unknown, isForPerson: boolean): string[] {
  if (error instanceof OperatorError)
    return [
      isForPerson ? withoutConfigfs(error.message) : error.message,
      ...(error.hint === undefined ? [] : [error.hint]),
    ];
  if (error instanceof Error && error.name === 'AbortError') return ['Interrupted.'];
  if (systemErrorCode(error) !== undefined) return [reasonOf(error)];
  return [`internal error: ${reasonOf(error)}`];
}

/** @throws OperatorError for what targetcli dropped without a word */
export function refuseRest(
  line: ShownLine,
  { rest, unclosed, path, command, positional, keywords }: CommandLine,
): void {
  if (rest) throw syntaxErrorNear(line, rest, 'Put "quotes" around a value that has such characters.');
  if (!unclosed) return;
  const words = [path, command, ...positional, ...keywords.map(({ value }) => value)].flatMap((word) => word ?? []);
  const last = words.reduce((one, other) => (other.from > one.from ? other : one), { text: '', from: 0, to: 1 });
  throw new OperatorError(
    `Syntax error, ${unclosed} is not closed`,
    placeIn(line, { ...last, to: last.from + 1 }, true),
  );
}

/** The error of a word. @param hint further advice */
export function syntaxErrorNear(line: ShownLine, word: Word, hint?: string): OperatorError {
  const place = placeIn(line, word, true);
  return new OperatorError(`Syntax error near ${line.word(word)}`, hint === undefined ? place : `${place}\n${hint}`);
}

/** The line, and carets below the word; nothing when the word is all there is, unless `always`. */
export function placeIn({ text, at }: ShownLine, word: Word, always = false): string {
  const [from, to] = [at(word.from), at(word.to)];
  if (!always && text.trim().length <= to - from) return '';
  return `  ${text.replace(/\s/g, ' ')}\n  ${' '.repeat(from)}${'^'.repeat(Math.max(1, to - from))}`;
}

/** The result of `look`; when it fails, the place of the word is shown, too. */
export function marked<T>(line: ShownLine, word: Word, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    const hints = [placeIn(line, word), error.hint].filter(Boolean);
    throw new OperatorError(error.message, hints.length > 0 ? hints.join('\n') : undefined);
  }
}

const kernelPath = /^(No such \w+)\sin\sconfigfs: \/sys\/kernel\/config\/target\/(\S+)/;

/** LIO's messages name a file system of the kernel that is not here: programs know them so, and people get the tree instead. */
const withoutConfigfs = (message: string): string =>
  message.replace(kernelPath, (_, what, path) => `${what}: ${treePath(path)}`).replace(/ in configFS\b/, '');

const treePath = (path: string): string =>
  `/${path
    .replace(/\/tpgt_(\d+)/, '/tpg$1')
    .replace('/np/', '/portals/')
    .replace(/\/lun_(\d+)$/, '/mapped_lun$1')}`;
