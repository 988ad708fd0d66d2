/** Reads options as Perl's Getopt::Long does, which tgt-admin is written with: one dash or two, and words may be cut short. */

import type { LongOption } from './getopt.ts';

export interface PerlOptions {
  /** The values by the option's letter; '' for an option without an argument. */
  readonly found: ReadonlyMap<string, string>;
  /** The lines about words that cannot be read. The others count all the same. */
  readonly problems: readonly string[];
}

/** Takes the options out of words, as Getopt::Long does. */
export function perlOptions(words: readonly string[], options: readonly LongOption[]): PerlOptions {
  const found = new Map<string, string>();
  const problems: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined && word !== '--'; word = rest.shift()) {
    const [, name = '', inline] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    // tgt-admin ignores a word that is no option.
    if (name === '') continue;
    const exact = options.filter((one) => one.name === name || one.letter === name);
    const matching = exact.length > 0 ? exact : options.filter((one) => one.name.startsWith(name));
    const [option] = matching;
    if (!option) problems.push(`Unknown option: ${name}`);
    else if (matching.length > 1)
      problems.push(`Option ${name} is ambiguous (${matching.map((one) => one.name).join(', ')})`);
    else if (!option.argument && inline !== undefined) problems.push(`Option ${name} does not take an argument`);
    else {
      const argument = option.argument ? (inline ?? rest.shift()) : '';
      if (argument === undefined) problems.push(`Option ${name} requires an argument`);
      else found.set(option.letter, argument);
    }
  }
  return { found, problems };
}
