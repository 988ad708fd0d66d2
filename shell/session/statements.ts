/**
 * Takes a typed line apart into its commands, and the places that their output goes to: `a; b`, `a | grep x`, `a > FILE`. Quotes protect
 * these signs, and so does a value that they belong to: the `;` of POOL/IMAGE;id=USER, behind which a name and its value follow at once.
 */

import { OperatorError } from '../../src/client.ts';
import { parseCommandLine } from './command-line.ts';

/** One command of a line. */
export interface TypedCommand {
  /** The part line[from … to) is what the session runs. */
  readonly from: number;
  readonly to: number;
  /** The greps: lines of output that match are kept, or those that do not. */
  readonly greps: readonly Grep[];
  readonly file?: OutputFile;
}

/** The file that output goes to instead of the screen. */
export interface OutputFile {
  readonly path: string;
  readonly append: boolean;
}

/** A grep: `| grep PATTERN`, with -i, -v and -c as in grep(1). */
export interface Grep {
  readonly pattern: RegExp;
  readonly inverted: boolean;
  readonly counts: boolean;
}

/** A `;` behind which a value goes on. */
const goesOn = /^\S*?;[\w-]+=/;

/** A sign of the line, and its place. */
interface Sign {
  readonly at: number;
  readonly sign: ';' | '|' | '>' | '>>';
}

/** The places of a line's commands, each without its signs. Never throws: for lines that are being typed. */
export function commandsIn(line: string): { readonly from: number; readonly to: number }[] {
  const ends = signsIn(line).filter(({ sign }) => sign === ';');
  return [...ends.map(({ at }) => at), line.length].map((to, index) => ({
    from: index === 0 ? 0 : ends[index - 1]!.at + 1,
    to,
  }));
}

/** The commands of a line. @throws OperatorError for a line without a meaning */
export function statementsOf(line: string): TypedCommand[] {
  if (/^\s*#/.test(line)) return [{ from: 0, to: line.length, greps: [] }];
  const commands = commandsIn(line).filter(({ from, to }) => line.slice(from, to).trim() !== '');
  if (commands.length > 1 && /^\s*(?:\/\s+)?try\s/.test(line))
    throw new OperatorError('One line can be tried.', 'Several, in a file: try 5m -f FILE');
  return commands.map(({ from, to }) => commandOf(line, from, to));
}

function commandOf(line: string, from: number, to: number): TypedCommand {
  const text = line.slice(from, to);
  const greps: Grep[] = [];
  let file: OutputFile | undefined;
  let end = text.length;
  for (const { at, sign } of signsIn(text).toReversed()) {
    const words = wordsOf(text.slice(at + sign.length, end));
    const [first] = words;
    if (sign === '|') {
      // The session handles `| json` itself, and words that are unknown here.
      if (first !== 'grep') break;
      greps.unshift(grepOf(words.slice(1)));
    } else {
      // `cd >` goes forward.
      if (first === undefined) break;
      if (words.length > 1 || file)
        throw new OperatorError('One file takes the output.', 'Put quotes around a name with blanks: ls > "a file"');
      file = { path: first, append: sign === '>>' };
    }
    end = at;
  }
  return { from, to: from + end, greps, ...(file && { file }) };
}

/** The signs of a line that stand in no quotes. */
function signsIn(line: string): Sign[] {
  const signs: Sign[] = [];
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (quote !== '') {
      if (char === '\\' && quote === '"') at += 1;
      else if (char === quote) quote = '';
      continue;
    }
    const afterBlank = at === 0 || /\s/.test(line.charAt(at - 1));
    if (char === '"' || char === "'") quote = char;
    else if (char === ';' && (afterBlank || !goesOn.test(line.slice(at)))) signs.push({ at, sign: ';' });
    else if (char === '|' && afterBlank) signs.push({ at, sign: '|' });
    else if (char === '>' && afterBlank) {
      const sign = line[at + 1] === '>' ? '>>' : '>';
      signs.push({ at, sign });
      at += sign.length - 1;
    }
  }
  return signs;
}

/** Words with their quotes taken away. */
function wordsOf(text: string): string[] {
  // The parser takes the first word for a command, so a word is put before.
  const { positional, keywords, rest } = parseCommandLine(`x ${text}`);
  const all = [
    ...positional,
    ...keywords.map(({ name, value }) => ({ from: name.from, text: `${name.text}=${value.text}` })),
  ];
  return [...all, ...(rest ? [rest] : [])].sort((a, b) => a.from - b.from).map((word) => word.text);
}

function grepOf(words: readonly string[]): Grep {
  const options = words.filter((word) => /^-[ivc]+$/.test(word)).join('');
  const [pattern, ...more] = words.filter((word) => !/^-[ivc]+$/.test(word));
  if (pattern === undefined || more.length > 0)
    throw new OperatorError('grep takes one pattern.', 'Syntax: COMMAND | grep [-i] [-v] [-c] PATTERN');
  try {
    return {
      pattern: new RegExp(pattern, options.includes('i') ? 'i' : ''),
      inverted: options.includes('v'),
      counts: options.includes('c'),
    };
  } catch {
    throw new OperatorError(
      `'${pattern}' is no pattern of grep.`,
      'A sign that is meant as it stands has a \\ before it.',
    );
  }
}
