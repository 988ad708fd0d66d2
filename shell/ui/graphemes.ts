/** Characters as a person sees them: their ends in a string, and the columns that they take. */

import stringWidth from 'string-width';

const segmenter = new Intl.Segmenter();

/** The characters of `text`, each with its index in UTF-16 units. */
export const graphemes = (text: string): Iterable<{ segment: string; index: number }> => segmenter.segment(text);

/** The end of the character that follows `index`; at the end of the text, the end itself. */
export function nextBoundary(text: string, index: number): number {
  const found = segmenter.segment(text).containing(index);
  return found ? found.index + found.segment.length : text.length;
}

/** The start of the character that precedes `index`; at 0, 0 itself. */
export function previousBoundary(text: string, index: number): number {
  return segmenter.segment(text).containing(index - 1)?.index ?? 0;
}

/** Columns of a terminal that `text` takes; escape sequences take none. */
export const width = (text: string): number => stringWidth(text);

/** The start of `text` that fits into `columns`. */
export function clipText(text: string, columns: number): string {
  let left = columns;
  for (const { segment, index } of graphemes(text)) {
    left -= width(segment);
    if (left < 0) return text.slice(0, index);
  }
  return text;
}

/** `text`, cut with an ellipsis where it takes more than `columns`. */
export const fitting = (text: string, columns: number): string =>
  width(text) <= columns ? text : `${clipText(text, columns - 1)}…`;

/** `text` in exactly `columns` columns: filled with blanks, or cut with an ellipsis. */
export function cell(text: string, columns: number): string {
  const shown = fitting(text, columns);
  return shown + ' '.repeat(Math.max(0, columns - width(shown)));
}
