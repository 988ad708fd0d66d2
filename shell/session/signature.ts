/** Makes a command's values of a parsed line's words, or complains as targetcli does. */

import { OperatorError, syntaxError } from '../../src/index.ts';
import type { CommandLine, Word } from './command-line.ts';
import { syntaxOf } from './help.ts';
import { didYouMean } from './nearest-word.ts';
import { type CommandParameter, type Given, placesOf, type ShellCommand } from './node.ts';

/**
 * Binds words. @param mark shows the place of a word in the line
 * @throws OperatorError in targetcli's order: duplicates, too many, missing, unknown, and then values of the wrong type
 */
export function bindParameters(
  name: string,
  command: ShellCommand<unknown>,
  { positional, keywords }: CommandLine,
  mark: (word: Word) => string,
): Given {
  const { parameters, more } = command;
  const places = placesOf(parameters);
  const fail = (message: string, word?: Word, meant?: string) => {
    const hints = [word && mark(word), meant, `Syntax: ${syntaxOf(name, command).trimEnd()}`];
    return new OperatorError(message, hints.filter(Boolean).join('\n'));
  };
  const keywordNamed = (key: string) => keywords.findLast((keyword) => keyword.name.text === key);
  const words = new Map(
    places.flatMap(({ name }, at) => {
      const word = positional[at];
      return word ? [[name, word.text] as const] : [];
    }),
  );
  const named = new Map(keywords.map((keyword) => [keyword.name.text, keyword.value.text]));
  const twice = [...named.keys()].find((key) => words.has(key));
  if (twice !== undefined) throw fail('Duplicate parameter name.', keywordNamed(twice)?.name);
  let surplus: OperatorError | undefined;
  if (positional.length > places.length && more?.kind !== 'words') {
    const bound = parameters.every((parameter) => parameter.required) ? 'exactly' : 'at most';
    surplus = fail(
      `Got ${positional.length} positionnal parameters, expected ${bound} ${places.length}.`,
      positional[places.length],
      more?.kind === 'keywords' ? 'A value stands behind its name and =, in "quotes" where it has blanks.' : undefined,
    );
    if (!more?.takesNames) throw surplus;
  }
  const missing = parameters.filter(({ name: key, required }) => required && !words.has(key) && !named.has(key));
  const known = new Set(parameters.map((parameter) => parameter.name));
  const unknown = [...named.keys()].filter((key) => !known.has(key));
  if (missing.length > 0) {
    const [strange] = more?.kind === 'keywords' ? [] : unknown;
    const [{ type, doc }] = missing as [CommandParameter];
    const words = type.words ? `It is one of: ${type.words.join(', ')}.` : doc;
    throw fail(
      `Missing required parameter${listed(missing.map((parameter) => parameter.name))}`,
      strange === undefined ? undefined : keywordNamed(strange)?.name,
      strange === undefined
        ? words
        : (didYouMean(strange, known, (key) => `${key}=`) ?? `There is no parameter ${strange}.`),
    );
  }
  if (unknown.length > 0 && more?.kind !== 'keywords')
    throw fail(
      `Unexpected keyword parameter${unknown.length > 1 ? listed(unknown) : ` '${unknown[0]}'`}.`,
      keywordNamed(unknown[0] ?? '')?.name,
      didYouMean(unknown[0] ?? '', known, (key) => `${key}=`),
    );
  const values: Record<string, unknown> = {};
  for (const { name: key, type } of parameters) {
    const text = words.get(key) ?? named.get(key);
    // An empty text is no value, as in targetcli.
    if (text === undefined || text === '') continue;
    const value = type.parse(text);
    if (value === undefined) {
      const at = words.has(key) ? positional[places.findIndex((one) => one.name === key)] : keywordNamed(key)?.value;
      throw fail(syntaxError(type, text), at, (type.words && didYouMean(text, type.words)) ?? type.example);
    }
    values[key] = value;
  }
  const empty = parameters.filter(({ name: key, required }) => required && values[key] === undefined);
  if (empty.length > 0) throw fail(`Missing required parameter${listed(empty.map((parameter) => parameter.name))}`);
  return {
    values,
    words: positional.slice(places.length).map((word) => word.text),
    keywords: [...named].filter(([key]) => !known.has(key)),
    ...(surplus && { surplus }),
  };
}

/** Names as a text: ` x`, or `s 'a', 'b'` in alphabetical order. */
const listed = (names: readonly string[]): string =>
  names.length === 1
    ? ` ${names[0]}`
    : `s ${[...names]
        .sort()
        .map((name) => `'${name}'`)
        .join(', ')}`;
