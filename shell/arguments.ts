/** The words after `tcli` → what is wanted. */

import { OperatorError } from '../src/index.ts';

export interface Invocation {
  readonly home: string | undefined;
  /** Where `-c`, `-f` and standard input start; undefined: where the last session left off. */
  readonly cwd: string | undefined;
  readonly wants:
    | { readonly kind: 'help' | 'version' | 'serve' | 'shell' }
    /** One command from `/`, as targetcli takes it. */
    | { readonly kind: 'command'; readonly line: string }
    | { readonly kind: 'lines'; readonly lines: readonly string[] }
    | { readonly kind: 'file'; readonly path: string };
}

export const usage = `Usage: tcli [OPTIONS]                     the interactive shell, or lines from standard input
       tcli [OPTIONS] [PATH] COMMAND …    one command, starting at /
       tcli [OPTIONS] -c LINE [-c LINE …] lines, starting where the last session left off
       tcli [OPTIONS] -f FILE             lines of a file; the first error ends it
       tcli [OPTIONS] serve               restore the saved configuration and serve it

  --home DIR   keep everything under DIR (also: TCLI_HOME)
  --cwd PATH   where -c, -f and standard input start
  --version    print the version
  --help       print this

Exit status: 0, or 1 after an error.
`;

/** @throws OperatorError */
export function readArguments(words: readonly string[]): Invocation {
  let home: string | undefined;
  let cwd: string | undefined;
  const lines: string[] = [];
  let file: string | undefined;
  const rest = [...words];
  const value = (option: string): string => {
    const word = rest.shift();
    if (word === undefined) throw new OperatorError(`${option} needs a value`, 'See: tcli --help');
    return word;
  };
  for (;;) {
    const word = rest[0];
    if (word === undefined || !word.startsWith('-')) break;
    rest.shift();
    const [option = '', inline] = /^--\w+=/.test(word) ? split(word) : [word, undefined];
    if (option === '--home') home = inline ?? value(option);
    else if (option === '--cwd') cwd = inline ?? value(option);
    else if (option === '-c') lines.push(value(option));
    else if (option === '-f') file = value(option);
    else if (option === '--help' || option === '-h') return { home, cwd, wants: { kind: 'help' } };
    else if (option === '--version' || option === '-v') return { home, cwd, wants: { kind: 'version' } };
    else throw new OperatorError(`Unknown option ${word}`, 'See: tcli --help');
  }
  const kinds = [lines.length > 0, file !== undefined, rest.length > 0].filter(Boolean).length;
  if (kinds > 1) throw new OperatorError('A command, -c and -f exclude one another', 'See: tcli --help');
  if (lines.length > 0) return { home, cwd, wants: { kind: 'lines', lines } };
  if (file !== undefined) return { home, cwd, wants: { kind: 'file', path: file } };
  if (rest.length === 0) return { home, cwd, wants: { kind: 'shell' } };
  if (rest.length === 1 && (rest[0] === 'serve' || rest[0] === 'help' || rest[0] === 'version'))
    return { home, cwd, wants: { kind: rest[0] } };
  return { home, cwd, wants: { kind: 'command', line: rest.map(quote).join(' ') } };
}

const split = (word: string): [string, string] => {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
};

/**
 * targetcli joins its arguments with blanks, so `tcli '/iscsi create'` is a line. A `key=value` whose value has blanks
 * was quoted for the Unix shell and stays one word for ours; targetcli cuts it.
 */
function quote(word: string): string {
  const match = /^([\w-]+)=(.*)$/s.exec(word);
  if (!match || !/\s/.test(match[2] ?? '') || /\s[\w-]+=/.test(match[2] ?? '')) return word;
  return `${match[1]}="${(match[2] ?? '').replace(/["\\]/g, '\\$&')}"`;
}
