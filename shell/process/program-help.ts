/** `--help`: of the program, and of each of its words. */

import { wrapText } from '../session/wrap.ts';
import {
  type ProgramOptions,
  type ProgramWordName,
  programEnvironment,
  programForms,
  programOptions,
  programStatuses,
  programWord,
  programWordNames,
} from './program.ts';
import { docOfFirst, firstWords, takesValue, toldOptionNames, valueForm, wordsBehind } from './program-words.ts';

/** The widest line: that of a plain terminal, whose last column stays free. */
const columnsMax = 79;
/** Where the second column begins. */
const secondColumn = 29;
/** Where it begins behind the ways to call the program. */
const formColumn = 44;

/** The options that people are told of, each with its other name and its value. */
export const toldOptions = (options: ProgramOptions): { form: string; doc: string }[] =>
  toldOptionNames(options).map((name) => {
    const option = options[name]!;
    const form = `${option.short ? `${option.short}, ` : ''}${name}${takesValue(option) ? ` ${valueForm(option)}` : ''}`;
    return { form, doc: option.doc };
  });

/** The way to call a word: its operands, and that it has options. */
export const formOf = (name: ProgramWordName): string => {
  const { operands, options, isForeign } = programWord(name);
  const hasOptions = toldOptions(options).length > 0;
  return ['tcli', name, ...operands, ...(hasOptions && !isForeign ? ['[OPTIONS]'] : [])].join(' ');
};

/** Text in two columns; where the first is too wide, the second begins a line of its own. @param at where it begins */
function twoColumns(rows: readonly (readonly [left: string, right: string])[], at = secondColumn): string[] {
  return rows.flatMap(([left, right]) => {
    const lines = wrapText(right, columnsMax - at).split('\n');
    const [head = '', ...more] = left.length > at - 2 ? ['', ...lines] : lines;
    return [`${left.padEnd(at)}${head}`.trimEnd(), ...more.map((line) => ' '.repeat(at) + line)];
  });
}

const optionRows = (options: ProgramOptions) =>
  twoColumns(toldOptions(options).map(({ form, doc }) => [`  ${form}`, doc] as const));

const examplesOf = (examples: readonly { line: string; does: string }[]): string[] =>
  examples.flatMap(({ line, does }) => [`  ${line}`, `      ${does}`]);

/** A first word in a line: with what may stand behind it. */
function summaryOf(first: string): [form: string, doc: string] {
  const name = programWordNames.find((one) => one === first);
  const behind = name ? programWord(name).operands : [wordsBehind(first).join('|')];
  return [['', '', first, ...behind].join(' '), docOfFirst(first)];
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length > 0 ? ['', `${title}:`, ...lines] : [];

/** The text of `tcli --help`. */
export function programHelp(): string {
  return [
    ...twoColumns(
      [...programForms, { form: 'WORD …', does: 'The work of one of these words.' }].map(({ form, does }, at) => [
        `${at === 0 ? 'Usage:' : '      '} tcli [OPTIONS] ${form}`.trimEnd(),
        does,
      ]),
      formColumn,
    ),
    ...section('Words (tcli WORD --help has the options of each)', twoColumns(firstWords.map(summaryOf))),
    ...section('Options', optionRows(programOptions)),
    ...section('Examples', [
      ...examplesOf(programWord('share').examples.slice(0, 1)),
      ...examplesOf([
        { line: 'tcli ls /iscsi', does: 'One command of the shell; tcli -c help lists them all.' },
        { line: 'tcli why iqn.2026-01.com.example:host1', does: 'Why an initiator is let in, or is not.' },
      ]),
    ]),
    ...section(
      'Environment',
      twoColumns(Object.entries(programEnvironment).map(([name, means]) => [`  ${name}`, means] as const)),
    ),
    ...section('Exit status', twoColumns(programStatuses.map(({ status, means }) => [`  ${status}`, means] as const))),
    '',
  ].join('\n');
}

/** The text of `tcli WORD --help`. @param first the word; of several (`daemon start`), the first one is enough */
export function wordHelp(words: readonly string[]): string {
  const exact = programWordNames.filter((name) => name === words.join(' '));
  const [first = ''] = words;
  const meant = exact.length > 0 ? exact : programWordNames.filter((name) => name.split(' ')[0] === first);
  return [...meant.map(helpOf), otherOptions(meant)].join('\n');
}

function helpOf(name: ProgramWordName): string {
  const { doc, details, options, examples } = programWord(name);
  return [
    formOf(name),
    ...wrapText([doc, details].filter(Boolean).join(' '), columnsMax - 2)
      .split('\n')
      .map((line) => `  ${line}`),
    ...section('Options', optionRows(options)),
    ...section('Examples', examplesOf(examples)),
    '',
  ].join('\n');
}

const otherOptions = (names: readonly ProgramWordName[]): string => {
  const [name = 'share'] = names;
  const inShell = programWord(name).isCommand
    ? [`As a command of the shell, with all it takes: tcli help ${name}`]
    : [];
  return [...inShell, `Options that stand before ${name.split(' ')[0]}: tcli --help`, ''].join('\n');
};
