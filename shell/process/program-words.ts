/** Reads words by their record: which options are given, with which values, and what else stands there. */

import { OperatorError } from '../../src/client.ts';
import { didYouMean } from '../session/nearest-word.ts';
import {
  type ProgramOption,
  type ProgramOptions,
  type ProgramWordName,
  programGroups,
  programWord,
  programWordNames,
  type programWords,
} from './program.ts';

/** The words as they were read. */
export interface GivenWords<Name extends string> {
  /** Whether an option was given. */
  has(name: Name): boolean;
  /** The last value of an option; '' where it was left out. */
  value(name: Name): string | undefined;
  /** All values of an option, in their order. */
  all(name: Name): readonly string[];
  /** Each option that was given, with its value. */
  readonly options: readonly (readonly [name: Name, value: string | undefined])[];
  /** The words that are no options. */
  readonly operands: readonly string[];
}

/** The names of the options of a word. */
export type OptionOf<Word extends ProgramWordName> = keyof (typeof programWords)[Word]['options'] & string;

/** The syntax of a value. */
export const valueForm = ({ value, words, isOptional }: ProgramOption): string => {
  const form = value ?? words?.join('|') ?? '';
  return isOptional ? `[${form}]` : form;
};

/** Whether something may stand behind an option. */
export const takesValue = ({ value, words }: ProgramOption): boolean => value !== undefined || words !== undefined;

/** The way to read words. */
interface Reading {
  /** The words before which they stand, for errors: `share`; '' for the program itself. */
  readonly of: string;
  /** Whether the first word that is no option ends the options: it and the rest are operands. */
  readonly endsAtOperand?: boolean;
}

/** Splits `--name=value`. */
export const split = (word: string): [string, string] => {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
};

/** Reads options. @throws OperatorError */
export function readOptions<Name extends string>(
  known: Readonly<Record<Name, ProgramOption>>,
  words: readonly string[],
  { of, endsAtOperand = false }: Reading,
): GivenWords<Name> {
  const options: [Name, string | undefined][] = [];
  const operands: string[] = [];
  const rest = [...words];
  const nameOf = (word: string): Name | undefined =>
    (Object.keys(known) as Name[]).find((name) => name === word || known[name].short === word);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      if (!endsAtOperand) continue;
      operands.push(...rest);
      break;
    }
    const [typed, inline] = /^--[\w-]+=/.test(word) ? split(word) : [word, undefined];
    const name = nameOf(typed);
    if (name === undefined || (inline !== undefined && !takesValue(known[name]))) throw strange(of, word, known);
    const option = known[name];
    const next = rest[0];
    const isNext = next !== undefined && nameOf(next) === undefined && fits(option, next);
    const value = inline ?? (takesValue(option) && (isNext || !option.isOptional) ? rest.shift() : undefined);
    check(of, name, option, value, value === undefined ? undefined : nameOf(value));
    options.push([name, value]);
  }
  const all = (name: Name) => options.flatMap(([one, value]) => (one === name ? [value ?? ''] : []));
  return { options, operands, all, has: (name) => all(name).length > 0, value: (name) => all(name).at(-1) };
}

const fits = ({ words, like }: ProgramOption, value: string): boolean =>
  words ? words.includes(value) : like ? like.test(value) : true;

/** @param option an option whose name the value is: its own value was forgotten @throws OperatorError */
function check(of: string, name: string, option: ProgramOption, value: string | undefined, isOption?: string): void {
  if (!takesValue(option) || (value === undefined && option.isOptional)) return;
  const isEmpty = value === '' && option.mayBeEmpty !== true;
  if (value === undefined || isEmpty || isOption !== undefined)
    throw new OperatorError(`${name} needs a value: ${name} ${valueForm(option)}`, seeHelp(of));
  if (!fits(option, value)) throw new OperatorError(`${name} is ${valueForm(option)}, not ${value}`, seeHelp(of));
}

function strange(of: string, word: string, known: ProgramOptions): OperatorError {
  const guess = didYouMean(word.replace(/=.*/s, ''), toldOptionNames(known));
  const says = of === '' ? `Unknown option ${word}` : `${of} does not take ${word}`;
  return new OperatorError(says, [guess, seeHelp(of)].filter(Boolean).join('\n'));
}

const seeHelp = (of: string): string => `See: ${['tcli', of, '--help'].filter(Boolean).join(' ')}`;

/** The words of the program that these words begin with, and those behind them; undefined when they begin with none. */
export function wordAt(words: readonly string[]): { name: ProgramWordName; rest: readonly string[] } | undefined {
  for (const count of [2, 1]) {
    const name = programWordNames.find((one) => one === words.slice(0, count).join(' '));
    if (name && words.length >= count) return { name, rest: words.slice(count) };
  }
  return undefined;
}

/** The words that stand behind a first word: `start` behind `daemon`. */
export const wordsBehind = (first: string): string[] =>
  programWordNames.flatMap((name) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []));

/** The words with which the words of the program begin, each once. */
export const firstWords: readonly string[] = [...new Set(programWordNames.map((name) => name.split(' ', 1)[0] ?? ''))];

/** The work of a first word, in a short sentence. */
export function docOfFirst(first: string): string {
  const name = programWordNames.find((one) => one === first);
  return name ? programWord(name).doc : programGroups[first as keyof typeof programGroups];
}

/** The names of the options that people are told of. */
export const toldOptionNames = (options: ProgramOptions): string[] =>
  Object.keys(options).filter((name) => !options[name]?.isUntold);

/** Reads the words behind a word of the program. @throws OperatorError */
export const readWord = <Name extends ProgramWordName>(
  name: Name,
  words: readonly string[],
): GivenWords<OptionOf<Name>> => readAnyWord(name, words) as GivenWords<string> as GivenWords<OptionOf<Name>>;

/** Reads words as `readWord` does, where it is not known behind which word. @throws OperatorError */
export function readAnyWord(name: ProgramWordName, words: readonly string[]): GivenWords<string> {
  const { operands, options } = programWord(name);
  const given = readOptions(options, words, { of: name });
  const least = operands.filter((one) => !one.startsWith('[')).length;
  const { length } = given.operands;
  if (operands.length === 0 && length > 0) throw strange(name, given.operands[0] ?? '', {});
  if (length < least || length > operands.length)
    throw new OperatorError(`It is: ${['tcli', name, ...operands].join(' ')}`, seeHelp(name));
  return given;
}

/** Puts the shell's parameters in the places of options, for a command of the shell; all other words stay as they are. */
export function asParameters(name: ProgramWordName, words: readonly string[]): string[] {
  const { options } = programWord(name);
  return words.flatMap((word) => {
    const parameter = Object.hasOwn(options, word) ? options[word]?.parameter : undefined;
    if (parameter !== undefined) return parameter.split(' ');
    if (/^--[a-z]/.test(word) && word !== '--json') throw strange(name, word, options);
    return [word];
  });
}
