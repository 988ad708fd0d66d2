/**
 * Finds the secrets in a line that was typed. All code that repeats a line asks here: errors, the history, the screen. The records of
 * settings say which are secret; in a line with an error, which may be in that very word, a value behind a word like them is taken for
 * one, too.
 */

import { authGroups, authKeys, hidden, isSecret, secretKeys, uriPassword } from '../../src/client.ts';
import { parseCommandLine, type Word } from './command-line.ts';
import { isNear } from './nearest-word.ts';

type Span = readonly [from: number, to: number];

/** Slips in a word that still make it the other word. */
const slipsMax = 2;
/** Other words that people use for secrets. */
const otherNames = /pass|secret|pwd|chap/;

/** Whether a word is near the name of a secret: `PASSWORD`, `paassword`, `--password` … */
const isNearSecret = (name: string): boolean => {
  const letters = name.toLowerCase().replace(/^-+/, '');
  return secretKeys.some((key) => isNear(letters, key, slipsMax));
};
/** Whether a word in the place of a name means a secret: also `passwd`, `chap_secret` … */
const isLikeSecret = (name: string): boolean => isNearSecret(name) || otherNames.test(name.toLowerCase());

const isLikeGroup = (word: string): boolean => authGroups.some((group) => isNear(word.toLowerCase(), group, 1));
const isLikeSet = (word: string): boolean => isNear(word.toLowerCase(), 'set', 1);
/** Names that are no secrets themselves, and whose values need not be. */
const publicNames: readonly string[] = [...authKeys, ...authGroups, 'enable', 'accounts'];
const isPublic = (name: string): boolean => publicNames.includes(name) && !isSecret(name);
/** The words of `share` that are no secrets, wherever they stand; its `chap` is the name of a user. */
export const publicOfShare: readonly string[] = ['size', 'allow', 'chap', 'read_only', 'port', 'name'];
/** The values of `secrets=`, which says whether a file is to have them. */
const yesOrNo = /^(true|false)$/i;
/** Whether a value is a plain word: more may be a secret that was typed into the wrong place. */
const isPlain = (text: string): boolean => /^[\w.-]*$/.test(text);

/** The depth to which quotes within quotes are looked into. */
const depthMax = 2;

/** The parts of `line` that may be secrets, from left to right, none of them within another. */
export function secretsIn(line: string, depth = 0): Span[] {
  const { path, command, positional, keywords, rest } = parseCommandLine(line);
  const words = [...(path ? [path] : []), ...(command ? [command] : []), ...positional];
  const isSetting = command !== undefined && isLikeSet(command.text);
  const spans: Span[] = [];
  const hide = ({ from, to }: Pick<Word, 'from' | 'to'>) => void (to > from && spans.push([from, to]));
  /** The words behind such a word are hidden: also those behind the name of an account that is made. */
  const account = command && isNear(command.text, 'add_account', slipsMax) ? positional[0] : undefined;
  let from = account?.to ?? Number.POSITIVE_INFINITY;
  for (const word of words) {
    const { text } = word;
    if (word.from >= from && !publicNames.includes(text)) hide(word);
    // A whole line may stand in quotes, or a name and its value in one word.
    else if (word !== path && (isLikeSecret(/^[\w-]*(?=[:=])/.exec(text)?.[0] ?? '') || hasSecretInside(text, depth)))
      hide(word);
    const begins = (isSetting && isLikeGroup(text)) || authGroups.some((group) => group === text) || isNearSecret(text);
    if (word !== path && begins) from = Math.min(from, word.to);
  }
  const isYesOrNo = ({ name, value }: (typeof keywords)[number]) => name.text === 'secrets' && yesOrNo.test(value.text);
  const isOfShare = (name: string) => command?.text === 'share' && publicOfShare.includes(name);
  for (const { name, value } of keywords)
    if (isYesOrNo({ name, value }) || (isOfShare(name.text) && isPlain(value.text))) continue;
    else if (isLikeSecret(name.text) || (name.from > from && !isPublic(name.text))) {
      hide(value);
      from = Math.min(from, value.to);
    }
  for (const { index, 0: password } of line.matchAll(uriPassword)) hide({ from: index, to: index + password.length });
  // A part that could not be read may belong to the secret before it, whatever follows.
  if (rest && rest.from >= from) hide({ from: rest.from, to: line.trimEnd().length });
  return joined(spans);
}

const hasSecretInside = (text: string, depth: number): boolean =>
  depth < depthMax && /[\s=]/.test(text) && secretsIn(text, depth + 1).length > 0;

/** The spans in their order; those that touch become one. */
function joined(spans: readonly Span[]): Span[] {
  const all: Span[] = [];
  for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
    const last = all.at(-1);
    if (last && from <= last[1]) all[all.length - 1] = [last[0], Math.max(last[1], to)];
    else all.push([from, to]);
  }
  return all;
}

/** A line as it may be shown. */
export interface ShownLine {
  readonly text: string;
  /** The place in `text` of the character at `offset` of the line; within a secret, the beginning of the text that hides it. */
  at(offset: number): number;
  /** The text of a word of the line, unless that is a secret. */
  word(word: Word): string;
  /** `text` without the line's secrets, however they got into it. */
  without(text: string): string;
}

/** A line without its secrets. @param show shows each part that is no secret */
export function showLine(line: string, show: (part: string) => string = String): ShownLine {
  const spans = secretsIn(line);
  const pieces: { from: number; to: number; shown: string; secret: boolean }[] = [];
  let end = 0;
  for (const [from, to] of spans) {
    pieces.push({ from: end, to: from, shown: show(line.slice(end, from)), secret: false });
    pieces.push({ from, to, shown: hidden, secret: true });
    end = to;
  }
  pieces.push({ from: end, to: line.length, shown: show(line.slice(end)), secret: false });
  const secrets = spans.flatMap(([from, to]) => spellings(line.slice(from, to)));
  return {
    text: pieces.map(({ shown }) => shown).join(''),
    at(offset) {
      let column = 0;
      for (const { from, to, shown, secret } of pieces) {
        if (offset < to) return column + (secret ? 0 : show(line.slice(from, offset)).length);
        column += shown.length;
      }
      return column;
    },
    word: ({ text, from, to }) => (spans.some(([start, stop]) => from < stop && to > start) ? hidden : text),
    without: (text) => secrets.reduce((left, secret) => left.replaceAll(secret, hidden), text),
  };
}

/** The least length of a secret: shorter texts are found in any text. */
const lengthMin = 4;

/** The spellings of a secret, as it was typed and as it was meant, longest first. */
function spellings(typed: string): string[] {
  const { positional, command, path } = parseCommandLine(`x ${typed}`);
  const meant = [path, command, ...positional].flatMap((word) => word?.text ?? []);
  return [typed, ...meant].filter((text) => text.length >= lengthMin).sort((a, b) => b.length - a.length);
}
