/** Two answers to one line, compared line by line: what is equal, what a listed kind explains, and the rest. */

import { type Difference, kinds } from './kinds.ts';
import type { Replayed } from './replay.ts';

export interface Comparison {
  /** Lines that targetcli showed, exit statuses among them. */
  recorded: number;
  equal: number;
  /** Lines of either side that differ and are of a listed kind. */
  listed: number;
  readonly byKind: Map<string, number>;
  /** The others, as they are to be printed. */
  readonly unlisted: string[];
}

export function compare(steps: readonly Replayed[]): Comparison {
  const result: Comparison = { recorded: 0, equal: 0, listed: 0, byKind: new Map(), unlisted: [] };
  for (const replayed of steps) compareStep(replayed, result);
  return result;
}

function compareStep({ step, shown, exit }: Replayed, result: Comparison): void {
  const isTab = step.kind === 'tab';
  const words = (rows: readonly string[]) => rows.flatMap((line) => line.split(/\s{2,}/)).filter(Boolean);
  const head = step.prompt !== undefined && !isTab ? [step.prompt] : [];
  const tail = step.exit === undefined ? [] : [`[exit ${step.exit}]`];
  const recorded = isTab ? words(step.shown).sort() : [...head, ...step.shown, ...tail];
  const ours = isTab
    ? shown.map((line) => ({ ...line, text: listed(line.text, step.text) })).sort((a, b) => (a.text < b.text ? -1 : 1))
    : [...shown, ...(exit === undefined ? [] : [{ text: `[exit ${exit}]`, hint: false }])];
  const [left, right] = [recorded.map(masked), ours.map(({ text }) => masked(text))];
  const { onlyLeft, onlyRight } = align(left, right);
  result.recorded += left.length;
  result.equal += left.length - onlyLeft.length;
  const shared = { step, recorded, ours };
  const differences: Difference[] = [
    ...onlyLeft.map((at) => ({
      ...shared,
      side: 'recorded' as const,
      text: recorded[at]!,
      hint: false,
      before: recorded[at - 1] ?? '',
    })),
    ...onlyRight.map((at) => ({ ...shared, side: 'ours' as const, ...ours[at]!, before: ours[at - 1]?.text ?? '' })),
  ];
  for (const difference of differences) {
    const kind = kinds.find((known) => known.is(difference));
    if (kind) {
      result.listed += 1;
      result.byKind.set(kind.name, (result.byKind.get(kind.name) ?? 0) + 1);
    } else result.unlisted.push(`${step.text}\n    ${difference.side === 'ours' ? '+' : '-'} ${difference.text}`);
  }
}

/** A candidate as readline lists it: of `name=value` the value. */
const listed = (candidate: string, typed: string): string =>
  typed.endsWith('=') ? candidate.replace(/^\w+=/, '') : candidate.trim();

/** What chance made is called alike on both sides. */
const masked = (line: string): string =>
  line
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replace(/naa\.5001405[0-9a-f]{9}\b/g, 'naa.5001405RANDOM')
    .replace(/^((?:Info: )?alias: )[0-9a-f]{10}$/, '$1ALIAS');

/** The longest common subsequence. @returns the places of the lines that are not in it */
function align(left: readonly string[], right: readonly string[]): { onlyLeft: number[]; onlyRight: number[] } {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1)
    for (let j = right.length - 1; j >= 0; j -= 1)
      lengths[i]![j] =
        left[i] === right[j] ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
  const onlyLeft: number[] = [];
  const onlyRight: number[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) [i, j] = [i + 1, j + 1];
    else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) onlyLeft.push(i++);
    else onlyRight.push(j++);
  }
  while (i < left.length) onlyLeft.push(i++);
  while (j < right.length) onlyRight.push(j++);
  return { onlyLeft, onlyRight };
}
