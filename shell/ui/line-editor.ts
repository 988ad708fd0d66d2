/**
 * The line being typed: a pure reducer (line, key) → line. It knows Emacs keys, one kill buffer and the history, and moves by characters
 * as a person sees them. Keys that need others (Tab, Enter, C-r, C-c, C-d, C-l) are handled by the prompt.
 */

import { graphemes, nextBoundary, previousBoundary } from './graphemes.ts';
import type { Key } from './key.ts';

export interface Line {
  readonly text: string;
  /** The place of the cursor, in UTF-16 units, between two characters. */
  readonly cursor: number;
  /** The text that C-y brings back. */
  readonly killed: string;
  /** Whether the last key killed, so that the next kill adds to it. */
  readonly killing: boolean;
  /** The number of lines back in history that this one comes from; 0: it was typed. */
  readonly back: number;
  /** The line that was typed before going back. */
  readonly typed: string;
  /** The word that M-. inserted last: from how many lines back, and where it begins. Absent when the last key was another one. */
  readonly word?: { readonly back: number; readonly from: number } | undefined;
  /** The line as C-_ makes it again; letters that are typed one after the other are one step. */
  readonly before?: Line | undefined;
  /** The last key typed text. */
  readonly typing?: boolean;
}

/** Steps that C-_ goes back. */
const stepsMax = 200;

/** Longer lines are not accepted: UTF-16 units. */
export const LINE_LENGTH_MAX = 16_384;

/** A line without text. */
export const EMPTY_LINE: Line = { text: '', cursor: 0, killed: '', killing: false, back: 0, typed: '' };

type Edit = (line: Line, history: readonly string[]) => Line;

const at = (line: Line, cursor: number): Line => ({ ...line, cursor });

/** Replaces text[from … to] and leaves the cursor behind it; a line that would become too long stays as it is. */
export function replaceText(line: Line, from: number, to: number, by: string): Line {
  const text = line.text.slice(0, from) + by + line.text.slice(to);
  return text.length > LINE_LENGTH_MAX ? line : { ...line, text, cursor: from + by.length };
}

const wordStart = ({ text, cursor }: Line) => text.slice(0, cursor).search(/[\p{L}\p{M}\p{N}_]*[^\p{L}\p{M}\p{N}_]*$/u);
const blankWordStart = ({ text, cursor }: Line) => text.slice(0, cursor).search(/\S*\s*$/);
const wordEnd = ({ text, cursor }: Line) =>
  cursor + (/^[^\p{L}\p{M}\p{N}_]*[\p{L}\p{M}\p{N}_]*/u.exec(text.slice(cursor))?.[0].length ?? 0);

/** Swaps the characters on both sides of the cursor; at the end of the line, the last two. */
function transpose(line: Line): Line {
  const { text } = line;
  const right = line.cursor === text.length ? previousBoundary(text, line.cursor) : line.cursor;
  const left = previousBoundary(text, right);
  if (right === 0) return line;
  const end = nextBoundary(text, right);
  return replaceText(line, left, end, text.slice(right, end) + text.slice(left, right));
}

const backBy =
  (step: 1 | -1): Edit =>
  (line, history) => {
    const back = line.back + step;
    if (back < 0 || back > history.length) return line;
    const typed = line.back === 0 ? line.text : line.typed;
    const text = back === 0 ? typed : (history.at(-back) ?? '');
    return { ...line, text, cursor: text.length, back, typed };
  };

/** The last word of the line before; again, that of the one before that. */
const lastWord: Edit = (line, history) => {
  const back = (line.word?.back ?? 0) + 1;
  const from = line.word?.from ?? line.cursor;
  const [word] = /(?:"[^"]*"|'[^']*'|\S)+(?=\s*$)/.exec(history.at(-back) ?? '') ?? [];
  if (back > history.length || word === undefined) return line;
  return { ...replaceText(line, from, line.cursor, word), word: { back, from } };
};

const start: Edit = (line) => at(line, 0);
const end: Edit = (line) => at(line, line.text.length);
const left: Edit = (line) => at(line, previousBoundary(line.text, line.cursor));
const right: Edit = (line) => at(line, nextBoundary(line.text, line.cursor));
const wordLeft: Edit = (line) => at(line, wordStart(line));
const wordRight: Edit = (line) => at(line, wordEnd(line));
const erase: Edit = (line) => replaceText(line, previousBoundary(line.text, line.cursor), line.cursor, '');
const eraseNext: Edit = (line) =>
  at(replaceText(line, line.cursor, nextBoundary(line.text, line.cursor), ''), line.cursor);

/** The edit of each key. */
const EDITS: Readonly<Record<string, Edit>> = {
  'C-a': start,
  home: start,
  'C-e': end,
  end,
  'C-b': left,
  left,
  'C-f': right,
  right,
  'M-b': wordLeft,
  'C-left': wordLeft,
  'M-left': wordLeft,
  'M-f': wordRight,
  'C-right': wordRight,
  'M-right': wordRight,
  backspace: erase,
  'C-h': erase,
  delete: eraseNext,
  'C-d': eraseNext,
  'C-y': (line) => replaceText(line, line.cursor, line.cursor, line.killed),
  'C-t': transpose,
  'M-.': lastWord,
  'M-_': lastWord,
  up: backBy(1),
  'C-p': backBy(1),
  down: backBy(-1),
  'C-n': backBy(-1),
};

/** The place up to which each key kills, from the cursor. */
const KILLS: Readonly<Record<string, (line: Line) => number>> = {
  'C-w': blankWordStart,
  'M-backspace': wordStart,
  'M-d': wordEnd,
  'C-k': (line) => line.text.length,
  'C-u': () => 0,
};

/** Kills text; kills one after the other collect it. */
function kill(line: Line, to: number): Line {
  const { cursor } = line;
  const cut = line.text.slice(Math.min(cursor, to), Math.max(cursor, to));
  const before = line.killing ? line.killed : '';
  if (cut === '') return line;
  const killed = to < cursor ? cut + before : before + cut;
  return { ...replaceText(line, Math.min(cursor, to), Math.max(cursor, to), ''), killed, killing: true };
}

/**
 * The line after `key`, or undefined when the key is none of the editor's.
 * @param history oldest first
 */
export function editLine(line: Line, key: Key, history: readonly string[]): Line | undefined {
  if (key.chord === 'C-_') return line.before;
  const killTo = KILLS[key.chord];
  const typing = key.chord === 'text';
  const edit: Edit = killTo
    ? (now) => kill(now, killTo(now))
    : typing
      ? (now) => replaceText(now, now.cursor, now.cursor, key.text)
      : (EDITS[key.chord] ?? (() => line));
  if (!killTo && !typing && !EDITS[key.chord]) return undefined;
  const next = edit({ ...line, word: wordKeys.includes(key.chord) ? line.word : undefined }, history);
  const goesOn = next.text === line.text || (typing && line.typing === true);
  return {
    ...next,
    killing: killTo !== undefined && next.killing,
    word: wordKeys.includes(key.chord) ? next.word : undefined,
    typing,
    before: goesOn ? line.before : shortened(line),
  };
}

const wordKeys: readonly string[] = ['M-.', 'M-_'];

/** The line with the steps before it, of which there are no more than `stepsMax`. */
function shortened(line: Line): Line {
  let last: Line | undefined = line;
  for (let steps = 1; steps < stepsMax; steps += 1) last = last?.before;
  return last?.before ? { ...line, before: undefined } : line;
}

/** The rest of the newest line of the history that starts like this one; '' unless the cursor stands at the end. */
export function suggestion(line: Line, history: readonly string[]): string {
  const { text, cursor } = line;
  if (text === '' || cursor < text.length) return '';
  return history.findLast((old) => old.length > text.length && old.startsWith(text))?.slice(text.length) ?? '';
}

/** The keys that accept a suggestion where there is one, and the part of it that each takes. */
export const ACCEPTS: Readonly<Record<string, 'all' | 'word'>> = {
  right: 'all',
  'C-f': 'all',
  'C-e': 'all',
  end: 'all',
  'M-f': 'word',
  'C-right': 'word',
  'M-right': 'word',
};

/** The line with the suggestion, or its first word, at its end. */
export function acceptSuggestion(line: Line, suggested: string, how: 'all' | 'word'): Line {
  const whole = replaceText(line, line.text.length, line.text.length, suggested);
  if (how === 'all') return whole;
  const stop = wordEnd({ ...whole, cursor: line.cursor });
  return { ...whole, text: whole.text.slice(0, stop), cursor: stop };
}

/** The longest start that all of `texts` share, cut between two characters. */
export function commonPrefix(texts: readonly string[]): string {
  const [first = '', ...others] = texts;
  let length = 0;
  for (const { segment, index } of graphemes(first)) {
    if (!others.every((other) => other.startsWith(segment, index))) break;
    length = index + segment.length;
  }
  return first.slice(0, length);
}
