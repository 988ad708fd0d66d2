/** The fault of a line, and its place in the line. */

import { OperatorError, reasonOf, systemErrorCode } from '../../src/index.ts';
import type { CommandLine, Word } from './command-line.ts';
import type { ShownLine } from './secrets.ts';

/** The lines about an error, of which there are three kinds: the operator's, a system call's, and ours. */
export function complaintOf(error: unknown): string[] {
  if (error instanceof OperatorError) return [error.message, ...(error.hint === undefined ? [] : [error.hint])];
  if (error instanceof Error && error.name === 'AbortError') return ['Interrupted.'];
  if (systemErrorCode(error) !== undefined) return [reasonOf(error)];
  return [`internal error: ${reasonOf(error)}`];
}

/** Refuses the part of a line that targetcli dropped without a word. @throws OperatorError */
export function refuseRest(line: ShownLine, { rest, unclosed }: CommandLine): void {
  if (rest) throw syntaxErrorNear(line, rest, 'Put "quotes" around a value that has such characters.');
  if (unclosed) throw new OperatorError(`Syntax error, ${unclosed} is not closed`, line.text.trimEnd());
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
