/** Finds the known word that was probably meant. */

/** The words that `typed` is the start of, or else those that are a slip or two away; nearest first. */
export function nearestWords(typed: string, words: Iterable<string>): string[] {
  const lower = typed.toLowerCase();
  if (lower === '') return [];
  const all = [...new Set(words)];
  const begun = all.filter((word) => word.toLowerCase().startsWith(lower));
  if (begun.length > 0) return begun;
  // One slip for three letters is allowed: more would find anything.
  const slipsMax = Math.max(1, Math.floor(lower.length / 3));
  return all
    .map((word) => ({ word, slips: slipsBetween(lower, word.toLowerCase(), slipsMax) }))
    .filter(({ slips }) => slips <= slipsMax)
    .sort((a, b) => a.slips - b.slips)
    .map(({ word }) => word);
}

/** `Did you mean ls?`, `Did you mean get or set?`; undefined when nothing is near. */
export function didYouMean(typed: string, words: Iterable<string>, print: (word: string) => string = String) {
  const [first, second, ...more] = nearestWords(typed, words);
  if (first === undefined || more.length > 0) return undefined;
  return `Did you mean ${print(first)}${second === undefined ? '' : ` or ${print(second)}`}?`;
}

/** Whether the two are `max` slips apart at most. */
export const isNear = (a: string, b: string, max: number): boolean => slipsBetween(a, b, max) <= max;

/** Letters added, left out, changed or swapped (optimal string alignment); `max + 1` for anything beyond `max`. */
function slipsBetween(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let slips = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) slips = Math.min(slips, (before[j - 2] ?? max) + 1);
      row.push(slips);
      if (slips < least) least = slips;
    }
    // No row below has fewer slips.
    if (least > max) return max + 1;
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
