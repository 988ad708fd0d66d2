/**
 * The one way in which text is shown that others may have written: names out of saved files, what initiators and servers
 * call themselves, what was typed. A character that would move a cursor, change a colour, or turn or hide what stands
 * beside it is written as JSON writes it (`\u001b`): whoever looks sees that it is there, JSON stays what it is, and in
 * "quotes" the shell reads it back as that character.
 */

/** Control and format characters (all bidirectional ones are among them), line and paragraph separators, half characters. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const plain = /^[\x20-\x7e]*$/;
const layout = /[\t\n]/;

const escaped = (text: string): string =>
  Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');

/** A name, or anything else that is one line: all of it printable. */
export const printableLine = (text: string): string => (plain.test(text) ? text : text.replace(unprintable, escaped));

/** Text of several lines: line ends and tabs stay. */
export const printable = (text: string): string =>
  plain.test(text) ? text : text.replace(unprintable, (one) => (layout.test(one) ? one : escaped(one)));

const colored = /(\x1b\[[\d;]*m)/;

/** Text of several lines whose colours stay as well (SGR sequences), and nothing else that a terminal obeys. */
export const printableInColors = (text: string): string =>
  text
    .split(colored)
    .map((piece, index) => (index % 2 === 1 ? piece : printable(piece)))
    .join('');

/** Whether a name can be shown as it is. */
export const isPrintable = (name: string): boolean => printableLine(name) === name;

/** `text` in quotes, as the shell reads it back. */
export const quoted = (text: string): string => `"${printableLine(text.replace(/["\\]/g, '\\$&'))}"`;

/** The part of a paste that a line which is being typed takes. */
export const withoutUnprintable = (text: string): string => text.replace(unprintable, '');

/** The character that `\uXXXX` stands for where `printable` wrote it; undefined for others, which it leaves alone. */
export function unprintableOf(digits: string): string | undefined {
  const one = String.fromCharCode(Number.parseInt(digits, 16));
  // Half of a pair stands for half of a character that is written as two.
  return isPrintable(one) ? undefined : one;
}

/** The text in the place of a secret. */
export const hidden = '***';
