/** Reads the words after `tcli`. */

import { type Home, homeOf, OperatorError } from '../../src/client.ts';
import { didYouMean } from '../session/nearest-word.ts';
import { type ClusterWords, readCluster } from './cluster-words.ts';
import { type ProgramWordName, programOptions, programWord, servingOptions } from './program.ts';
import {
  asParameters,
  firstWords,
  type GivenWords,
  readAnyWord,
  readOptions,
  readWord,
  wordAt,
  wordsBehind,
} from './program-words.ts';
import { type ServeWords, serveWords } from './serve-words.ts';
import { readShare, type ShareWords } from './share-words.ts';

export interface Invocation {
  /** The directory of the home, or the place of each of its parts. */
  readonly home: string | Home | undefined;
  /** The path at which `-c`, `-f` and standard input start; undefined: where the last session left off. */
  readonly cwd: string | undefined;
  /** Whether the shell serves itself instead of starting a process in the background. */
  readonly noDaemon?: boolean;
  readonly wants:
    | { readonly kind: 'version' | 'shell' }
    /** Help on the whole program, or on one of its own words. */
    | { readonly kind: 'help'; readonly topic?: readonly string[] }
    | { readonly kind: 'serve'; readonly serve: ServeWords }
    /** The work of tgt's own program of that name. */
    | { readonly kind: 'tgt'; readonly tool: TgtTool; readonly words: readonly string[] }
    | { readonly kind: 'share'; readonly share: ShareWords }
    | { readonly kind: 'cluster'; readonly cluster: ClusterWords }
    | { readonly kind: 'install'; readonly user: boolean; readonly yes: boolean }
    | {
        readonly kind: 'daemon';
        readonly action: DaemonAction;
        /** Whether status is wanted as data. */
        readonly json: boolean;
        readonly force: boolean;
        readonly serve: ServeWords;
      }
    | { readonly kind: 'completion'; readonly shell: string }
    /** The words that can stand at the end of a line: for the completion scripts. */
    | { readonly kind: 'complete'; readonly line: string }
    /** One command from `/`, as targetcli takes it. */
    | {
        readonly kind: 'command';
        readonly line: string;
        /** Set for a command with a plan as data, whose exit status is to say whether the plan changes anything. */
        readonly tellsChange?: true;
        /** A person at a terminal is asked first; this is added where nobody can be asked. */
        readonly unasked?: string;
      }
    | { readonly kind: 'lines'; readonly lines: readonly string[] }
    | { readonly kind: 'file'; readonly path: string };
  /** Whether lines after one that failed are not run; undefined: the default of that way in. */
  readonly stopAtError?: boolean | undefined;
}

/** tgt's programs. */
export const tgtTools = ['tgtadm', 'tgt-admin', 'tgt-setup-lun'] as const;
export type TgtTool = (typeof tgtTools)[number];

/** An action on the process in the background. */
export type DaemonAction = 'start' | 'stop' | 'restart' | 'status';

/** targetctl's verbs. */
const verbs = ['save', 'restore', 'clear'] as const;
type Verb = (typeof verbs)[number];

/** The words by which targetcli leaves its daemon. */
const disableDaemon = 'set global auto_use_daemon=false';

/** Reads the words of a call as targetctl: its words and no others. Undefined: they are none of its. @throws OperatorError */
export function readTargetctl(words: readonly string[]): Invocation | undefined {
  const [verb = '', ...more] = words;
  const isIts = (verbs as readonly string[]).includes(verb) && more.length <= (verb === 'clear' ? 0 : 1);
  return isIts && !more[0]?.startsWith('-') ? readArguments(words) : undefined;
}

/** Reads the words of a call as a program of tgt, which takes all of them. */
export const readTgtTool = (tool: TgtTool, words: readonly string[]): Invocation => ({
  home: undefined,
  cwd: undefined,
  wants: { kind: 'tgt', tool, words },
});

/** The text of targetctl for unknown words. */
export const targetctlUsage = (defaultFile: string): string =>
  [
    'syntax: targetctl save [file_to_save_to]',
    '        targetctl restore [file_to_restore_from]',
    '        targetctl clear',
    `  default file is: ${defaultFile}`,
    '',
  ].join('\n');

/** Reads words. @throws OperatorError */
export function readArguments(words: readonly string[]): Invocation {
  const given = readOptions(programOptions, words, { of: '', endsAtOperand: true });
  const places = given.value('--home-paths');
  const home =
    places !== undefined
      ? (JSON.parse(places) as Home)
      : given.has('--system')
        ? homeOf(undefined, {}, 0)
        : given.value('--home');
  const cwd = given.value('--cwd');
  const at = { home, cwd };
  if (given.has('--help')) return { ...at, wants: { kind: 'help' } };
  if (given.has('--version')) return { ...at, wants: { kind: 'version' } };
  if (given.has('--disable-daemon')) return { ...at, wants: { kind: 'command', line: disableDaemon } };
  const onError = given.value('--on-error');
  const stopAtError = onError === undefined ? undefined : onError === 'stop';
  // `--json` is a word of the shell, which stands before a line as well as behind it.
  const json = given.has('--json') ? '--json ' : '';
  const lines = given.all('-c');
  const file = given.value('-f');
  const rest = given.operands;
  const kinds = [lines.length > 0, file !== undefined, rest.length > 0].filter(Boolean).length;
  if (kinds > 1) throw new OperatorError('A command, -c and -f exclude one another', 'See: tcli --help');
  if (lines.length > 0)
    return { ...at, stopAtError, wants: { kind: 'lines', lines: lines.map((line) => json + line) } };
  if (json !== '' && rest.length === 0)
    throw new OperatorError('--json needs a command, or -c', 'tcli --json ls /iscsi');
  if (file !== undefined) return { ...at, stopAtError, wants: { kind: 'file', path: file } };
  if (rest.length === 0) return { ...at, noDaemon: given.has('--no-daemon'), stopAtError, wants: { kind: 'shell' } };
  return { ...at, wants: readOperands(rest, json) };
}

/** Reads the words behind the options of the program. */
function readOperands(words: readonly string[], json: '' | '--json '): Invocation['wants'] {
  const [first = '', ...behind] = words;
  const isForeign = tgtTools.some((one) => one === first);
  const isAsked = ['--help', '-h'].includes(words.at(-1) ?? '') && !isForeign && first !== '__complete';
  if (isAsked && words.length > 1) return helpWords(words.slice(0, -1));
  if (words.length === 1 && json === '' && (first === 'help' || first === 'version')) return { kind: first };
  if (first === 'help' && json === '' && isOwn(behind)) return helpWords(behind);
  if (first === 'disable-daemon' && words.length === 1) return { kind: 'command', line: disableDaemon };
  if (first === '__complete') return { kind: 'complete', line: behind.slice(1).join(' ') };
  const found = wordAt(words);
  if (found) {
    if (json !== '') refuseJson(found.name);
    return readOwn(found.name, found.rest, json) ?? commandLine([found.name, ...found.rest], json);
  }
  const [second = ''] = behind;
  const actions = wordsBehind(first);
  if (actions.length > 0) {
    const hints = [didYouMean(second, actions), `See: tcli ${first} --help`].filter(Boolean);
    throw new OperatorError(`${first} takes one of: ${actions.join(', ')}`, hints.join('\n'));
  }
  // The second word is one of the program's, so that the first one is meant to be, too.
  const slip = didYouMean(
    first,
    firstWords.filter((one) => wordsBehind(one).includes(second)),
  );
  if (slip !== undefined) throw new OperatorError(`Unknown word ${first}`, `${slip}\nSee: tcli --help`);
  return commandLine(words, json);
}

/** @throws OperatorError for a word of the program whose answer is no data */
function refuseJson(name: ProgramWordName): void {
  const { options, isForeign } = programWord(name);
  const isLine = isLineOfShell(name) || isForeign === true;
  if (!isLine && !Object.hasOwn(options, '--json'))
    throw new OperatorError(`${name} has no JSON form.`, `See: tcli ${name} --help`);
}

/** Whether what a word of the program does is done by a line of the shell. */
const isLineOfShell = (name: ProgramWordName): boolean =>
  programWord(name).isCommand === true || name === 'share' || (verbs as readonly string[]).includes(name);

/** Reads the words behind a word of the program. @returns undefined for those that are a line of the shell as they stand */
function readOwn(
  name: ProgramWordName,
  rest: readonly string[],
  json: '' | '--json ',
): Invocation['wants'] | undefined {
  switch (name) {
    case 'share':
      return json === '' ? { kind: 'share', share: readShare(rest) } : undefined;
    case 'serve':
      return { kind: 'serve', serve: serveWords(readWord(name, rest)) };
    case 'daemon install': {
      const given = readWord(name, rest);
      return { kind: 'install', user: given.has('--user'), yes: given.has('--yes') };
    }
    case 'cluster join':
    case 'cluster leave':
    case 'cluster status':
    case 'cluster move':
    case 'cluster prefer':
    case 'cluster drain':
    case 'cluster undrain':
      return { kind: 'cluster', cluster: readCluster(name, rest, json !== '') };
    case 'daemon start':
    case 'daemon restart':
    case 'daemon stop':
    case 'daemon status':
      return daemonWords(name, rest, json !== '');
    case 'save':
    case 'restore':
    case 'clear':
      return {
        kind: 'command',
        line: json + verbLine(name, rest),
        ...(name === 'clear' && { unasked: ' confirm=true' }),
      };
    case 'completion':
      return { kind: 'completion', shell: readWord(name, rest).operands[0] ?? '' };
    case 'tgtadm':
    case 'tgt-admin':
    case 'tgt-setup-lun':
      return { kind: 'tgt', tool: name, words: rest };
    case 'apply': {
      const asks = rest.includes('--exit-code');
      const line = commandLine(
        [
          name,
          ...asParameters(
            name,
            rest.filter((word) => word !== '--exit-code'),
          ),
        ],
        asks ? '--json ' : json,
      );
      return asks ? { ...line, tellsChange: true } : line;
    }
    case 'unshare':
    case 'import':
    case 'export':
      return commandLine([name, ...asParameters(name, rest)], json);
    default:
      return undefined;
  }
}

/** A line of the shell: one word is one; each of several words is one word of the line, as the Unix shell made it. */
function commandLine(words: readonly string[], json: '' | '--json '): { kind: 'command'; line: string } {
  const [first = ''] = words;
  const line =
    words.length === 1 ? quote(first) : words.map((word, at) => quoteSigns(word, isBehindCommand(words, at))).join(' ');
  return { kind: 'command', line: json + line };
}

/** Whether these words name a word of the program that is no command of the shell. */
const isOwn = (words: readonly string[]): boolean => {
  const name = wordAt(words)?.name;
  return name ? !programWord(name).isCommand : words.length === 1 && wordsBehind(words[0] ?? '').length > 0;
};

/** Help on a word of the program's own; on a command of the shell, by its `help`. */
function helpWords(words: readonly string[]): Invocation['wants'] {
  const [first = ''] = words;
  const name = wordAt(words)?.name;
  if (name) return { kind: 'help', topic: name.split(' ') };
  if (wordsBehind(first).length > 0) return { kind: 'help', topic: [first] };
  const [path, command] = first.startsWith('/') ? [first, words[1]] : ['', first];
  return { kind: 'command', line: [path, 'help', command].filter(Boolean).join(' ') };
}

function daemonWords(
  name: `daemon ${DaemonAction}`,
  words: readonly string[],
  wantsJson: boolean,
): Invocation['wants'] {
  const [, action] = name.split(' ') as [string, DaemonAction];
  const given = readAnyWord(name, words);
  const serving = given.options.filter(([option]) => Object.hasOwn(servingOptions, option));
  const serve = serveWords({ ...given, options: serving } as GivenWords<keyof typeof servingOptions>);
  const json = wantsJson || given.has('--json');
  return { kind: 'daemon', action, force: given.has('--force'), json, serve };
}

/** The line of the shell for a verb of targetctl. */
function verbLine(verb: Verb, words: readonly string[]): string {
  const given = readAnyWord(verb, words);
  const [file] = given.operands;
  if (verb === 'clear') return 'clearconfig';
  const savefile = file === undefined ? '' : quoteSigns(`savefile=${file}`);
  return verb === 'save'
    ? `saveconfig ${savefile}`
    : `restoreconfig ${savefile} clear_existing=true wait=${given.value('--wait') ?? 0}`;
}

/**
 * Quotes a word. targetcli joins its arguments with blanks, so `tcli '/iscsi create'` is a line. Any other word that the Unix shell has
 * quoted is one word for our shell; targetcli cuts it. A word that is quoted for our shell already stays as it is.
 * @param isValue a command stands before it: blanks do not part it
 */
function quote(word: string, isValue = false): string {
  const [, name = '', text = word] = /^([\w-]+=)(.*)$/s.exec(word) ?? [];
  const isLine = /\s/.test(text) && (name === '' ? !isValue : /\s[\w-]+=/.test(text));
  if (isLine || wordOfLine.test(text) || /^(["']).*\1$/s.test(text)) return word;
  // A path may have quotes in it.
  if (name === '' && /["']/.test(text)) return word;
  return quoteAll(word);
}

/** Quotes a word as `quote`, where signs of a line (`;`, `>`) belong to the word. */
const quoteSigns = (word: string, isValue = false): string =>
  word !== '|' && /;|^[|>]|\s[|>]/.test(word) && !/^(["']).*\1$/s.test(word) ? quoteAll(word) : quote(word, isValue);

/** Whether a command stands before the word at `at`: a path has a slash, or is no plain word. */
const isBehindCommand = (words: readonly string[], at: number): boolean =>
  words.slice(0, at).some((word) => /^\w+$/.test(word));

function quoteAll(word: string): string {
  const [, name = '', text = word] = /^([\w-]+=)(.*)$/s.exec(word) ?? [];
  return `${name}"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A word that needs no quotes; `|` alone is no word. */
const wordOfLine = /^(?:[\w?;&*$!#,=\\+/.<>()~@:%[\]-]*|\|)$/;
