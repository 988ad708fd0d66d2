/** Patterns as a Unix shell has them: `*` stands for any characters, `?` for one. */

/**
 * Whether a name is what a pattern says. The match goes back to the last `*` alone, so that its time is bounded by the product of both
 * lengths: a regular expression would try all of them with one another.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let [at, star, mark] = [0, -1, 0];
  for (let next = 0; next < name.length; ) {
    if (pattern[at] === '*') [star, mark, at] = [at, next, at + 1];
    else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[next]))
      [at, next] = [at + 1, next + 1];
    else if (star < 0) return false;
    else [mark, next, at] = [mark + 1, mark + 1, star + 1];
  }
  return /^\**$/.test(pattern.slice(at));
}

/** Whether a name has a character with a meaning in a pattern. */
export const isPattern = (name: string): boolean => /[*?]/.test(name);
