/**
 * Two answers to one line, compared line by line. A recorded line is the same, or it is prose that stands in the same place
 * in words of our own (targetcli's help may not be copied), or a listed kind says why it differs, or nothing explains it.
 */

import { cells } from './cells.ts';
import { type Kind, kinds, type LineDifference } from './kinds.ts';
import { maskedAt } from './masked.ts';
import { isProse } from './prose.ts';
import type { Replayed } from './replay.ts';

export interface Comparison {
  /** Lines that targetcli showed, exit statuses among them. */
  recorded: number;
  equal: number;
  /** Prose that stands where theirs stood, in our words. */
  reworded: number;
  /** Recorded lines that say something of the machine that was recorded; they are left out of the share. */
  machine: number;
  /** Recorded lines that differ, and are of a listed kind. */
  listed: number;
  readonly byKind: Map<string, { theirs: number; ours: number }>;
  /** The differences of no listed kind, as they are to be printed. */
  readonly unlisted: string[];
  /** Every line that differs, with its kind, as it is to be printed. */
  readonly differences: { readonly kind: string; readonly text: string }[];
  /** Prose that is theirs word for word. */
  readonly copied: string[];
}

export const noComparison = (): Comparison => ({
  recorded: 0,
  equal: 0,
  reworded: 0,
  machine: 0,
  listed: 0,
  byKind: new Map(),
  unlisted: [],
  differences: [],
  copied: [],
});

/** Percent of the recorded lines, without those of the machine, that are the same or the same apart from our words. */
export const shareOf = ({ recorded, machine, equal, reworded }: Comparison): number =>
  (100 * (equal + reworded)) / (recorded - machine);

/** The least number of words of a copied line: a shorter line is a name or a phrase that everybody writes so. */
const copiedWordsMin = 4;
/** The mark of prose in a comparison. */
const anyWords = '\0words';

export function compare(steps: readonly Replayed[]): Comparison {
  const result = noComparison();
  for (const replayed of steps) compareStep(replayed, result);
  return result;
}

function compareStep({ step, shown, exit }: Replayed, result: Comparison): void {
  const isTab = step.kind === 'tab';
  const words = (rows: readonly string[]) => rows.flatMap((line) => line.split(/\s{2,}/)).filter(Boolean);
  const head = step.prompt !== undefined && !isTab ? [step.prompt] : [];
  const tail = step.exit === undefined ? [] : [`[exit ${step.exit}]`];
  const recorded = isTab ? words(step.shown).sort() : [...head, ...step.shown.map(cells), ...tail];
  const ours = isTab
    ? shown.map((line) => ({ ...line, text: listed(line.text, step.text) })).sort((a, b) => (a.text < b.text ? -1 : 1))
    : [
        ...shown.map((line) => ({ ...line, text: cells(line.text) })),
        ...(exit === undefined ? [] : [{ text: `[exit ${exit}]`, hint: false }]),
      ];
  const texts = ours.map(({ text }) => text);
  const key = (lines: readonly string[]) =>
    lines.map((_line, at) => (isProse(lines, at, step.text) ? anyWords : maskedAt(lines, at)));
  const [left, right] = [key(recorded), key(texts)];
  const { pairs, onlyLeft, onlyRight } = align(left, right);
  result.recorded += left.length;
  for (const [i, j] of pairs) {
    const same = maskedAt(recorded, i) === maskedAt(texts, j);
    result[same ? 'equal' : 'reworded'] += 1;
    if (same && left[i] === anyWords && recorded[i]!.split(/\s+/).length >= copiedWordsMin)
      result.copied.push(`${step.text}\n    = ${recorded[i]}`);
  }
  const shared = { step, recorded, ours };
  const differences: LineDifference[] = [
    ...onlyLeft.map((at) => ({
      ...shared,
      side: 'recorded' as const,
      text: recorded[at]!,
      prose: left[at] === anyWords,
      hint: false,
      before: recorded[at - 1] ?? '',
    })),
    ...onlyRight.map((at) => ({
      ...shared,
      side: 'ours' as const,
      ...ours[at]!,
      prose: right[at] === anyWords,
      before: texts[at - 1] ?? '',
    })),
  ];
  for (const difference of differences)
    count(
      difference,
      kinds.find((known) => known.is(difference)),
      result,
    );
}

function count({ side, step, text }: LineDifference, kind: Kind | undefined, result: Comparison): void {
  const shown = `${step.text}\n    ${side === 'ours' ? '+' : '-'} ${text}`;
  result.differences.push({ kind: kind?.name ?? 'unlisted', text: shown });
  if (!kind) return void result.unlisted.push(shown);
  const counted = result.byKind.get(kind.name) ?? { theirs: 0, ours: 0 };
  counted[side === 'ours' ? 'ours' : 'theirs'] += 1;
  result.byKind.set(kind.name, counted);
  if (side === 'recorded') result[kind.machine ? 'machine' : 'listed'] += 1;
}

/** A candidate as readline lists it: of `name=value` the value. */
const listed = (candidate: string, typed: string): string =>
  typed.endsWith('=') ? candidate.replace(/^\w+=/, '') : candidate.trim();

/** The longest common subsequence. @returns the pairs in it, and the places of the lines that are not */
function align(left: readonly string[], right: readonly string[]) {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1)
    for (let j = right.length - 1; j >= 0; j -= 1)
      lengths[i]![j] =
        left[i] === right[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
  const pairs: [number, number][] = [];
  const onlyLeft: number[] = [];
  const onlyRight: number[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) pairs.push([i++, j++]);
    else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) onlyLeft.push(i++);
    else onlyRight.push(j++);
  }
  while (i < left.length) onlyLeft.push(i++);
  while (j < right.length) onlyRight.push(j++);
  return { pairs, onlyLeft, onlyRight };
}
