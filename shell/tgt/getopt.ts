/** Reads options as getopt_long(3) of the GNU C library does: long ones may be cut short, and other words may stand between them. */

export interface LongOption {
  readonly name: string;
  readonly letter: string;
  readonly argument: boolean;
}

/** The options that were found, and the other words. */
export interface Options {
  /** Letter and argument, in the order of the line. */
  readonly found: readonly (readonly [letter: string, argument: string])[];
  /** Words that are no options. */
  readonly words: readonly string[];
  /** The fault of the first option that cannot be read, in the library's words; options before it were read. */
  readonly problem?: string;
}

/** Reads options. @param short the letters, each followed by a colon where it takes an argument */
export function getopt(words: readonly string[], long: readonly LongOption[], short: string): Options {
  const found: [string, string][] = [];
  const others: string[] = [];
  const rest = [...words];
  const failed = (problem: string): Options => ({ found, words: others, problem });
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') return { found, words: [...others, ...rest] };
    if (word.startsWith('--')) {
      const [, name = '', inline] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
      const matching = long.filter((one) => one.name.startsWith(name));
      const option = matching.find((one) => one.name === name) ?? (matching.length === 1 ? matching[0] : undefined);
      if (!option && matching.length === 0) return failed(`unrecognized option '--${name}'`);
      if (!option)
        return failed(
          `option '--${name}' is ambiguous; possibilities: ${matching.map((one) => `'--${one.name}'`).join(' ')}`,
        );
      if (!option.argument && inline !== undefined)
        return failed(`option '--${option.name}' doesn't allow an argument`);
      const argument = option.argument ? (inline ?? rest.shift()) : '';
      if (argument === undefined) return failed(`option '--${option.name}' requires an argument`);
      found.push([option.letter, argument]);
    } else if (word.startsWith('-') && word !== '-') {
      for (let at = 1; at < word.length; at += 1) {
        const letter = word.charAt(at);
        const known = short.indexOf(letter);
        if (letter === ':' || known < 0) return failed(`invalid option -- '${letter}'`);
        if (short[known + 1] !== ':') {
          found.push([letter, '']);
          continue;
        }
        const argument = word.slice(at + 1) || rest.shift();
        if (argument === undefined) return failed(`option requires an argument -- '${letter}'`);
        found.push([letter, argument]);
        break;
      }
    } else others.push(word);
  }
  return { found, words: others };
}
