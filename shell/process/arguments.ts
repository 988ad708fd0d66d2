/** Reads the words after `tcli`. */

import { type Home, homeOf, logLevels, OperatorError } from '../../src/client.ts';
import { type ClusterWords, readCluster } from './cluster-words.ts';
import { type ServeWords, serveWords, split } from './serve-words.ts';
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
    | { readonly kind: 'help'; readonly topic?: string }
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

/** The actions on the process in the background. */
export const daemonActions = ['start', 'stop', 'restart', 'status'] as const;
/** An action of `tcli daemon`. */
export type DaemonAction = (typeof daemonActions)[number];

/** targetctl's verbs. */
const verbs = ['save', 'restore', 'clear'] as const;
type Verb = (typeof verbs)[number];

/** The words by which targetcli leaves its daemon. */
const disableDaemon = 'set global auto_use_daemon=false';

/** The text of --help. */
export const usage = `Usage: tcli [OPTIONS]                     the interactive shell, or lines from standard input
       tcli [OPTIONS] [PATH] COMMAND …    one command, starting at /
       tcli [OPTIONS] -c LINE [-c LINE …] lines, starting where the last session left off
       tcli [OPTIONS] -f FILE             lines of a file; the first error ends it, and names its line
       tcli [OPTIONS] share [PATH [SHARING]] | unshare PATH      serve a file or device, or list what is served so
       tcli [OPTIONS] serve [SERVING]     restore the configuration and serve it, in the foreground
       tcli [OPTIONS] daemon start|restart [--force] [SERVING]   the same in the background; restart repeats what is not said
       tcli [OPTIONS] daemon stop [--force] | status
       tcli [OPTIONS] cluster join ETCD[,ETCD…] --name NAME [JOINING] | leave | status   gateways that share one configuration
       tcli [OPTIONS] cluster move STORAGE-OBJECT GATEWAY | prefer STORAGE-OBJECT [GATEWAY] | drain GATEWAY | undrain GATEWAY
       tcli daemon install [--user] [--yes]                      units for systemd
       tcli [OPTIONS] save [FILE] | restore [FILE] [--wait SECONDS] | clear   the configuration, as targetctl does it
       tcli [OPTIONS] import FILE [--dry-run]                    the configuration of tgt, IET, gotgt or ctld
       tcli [OPTIONS] apply FILE [--prune] [--dry-run] [--exit-code]  makes the configuration what a file describes
       tcli [OPTIONS] export yaml|json|schema|tgt                a description for apply, or a targets.conf
       tcli tgtadm|tgt-admin|tgt-setup-lun …                     as tgt's programs, for a tcli that serves with --tgtadm
       tcli completion bash|zsh|fish                             completion for that shell

  --home DIR   keep everything under DIR (also: TCLI_HOME)
  --system     root's configuration, for whom its process lets in (serve --group)
  --no-daemon  the shell itself serves, and nothing is started in the background
  --cwd PATH   where -c, -f and standard input start
  --on-error stop|continue  whether an error of a line ends -c, -f (as they do) or standard input (as it does not)
  --json       what the command, or each -c LINE, shows as data
  --version    print the version
  --help       print this

  --force      replace, or kill, what does not end by itself
  SHARING:     --size SIZE             of a file that is to be made: 5G
               --allow NAME|ADDRESS    who may come (repeatable); everybody when not said
               --chap USER             asks initiators for a name and a secret, which is made; --ask: asked for
               --read-only, --port PORT, --name IQN
  JOINING:     --cluster NAME          which of the clusters in that etcd; tcli when not said
               --ca FILE --cert FILE --key FILE  certificates for etcd, PEM
               --user-file FILE        its first line is USER:PASSWORD, for etcd
               --replace               give up the configuration that is here for that of the cluster; a file keeps it
  SERVING:     --config FILE           what it says, and nothing else, is served: a description (.yaml) or a saved
                                       configuration (.json); read again by SIGHUP; other changes are refused
               --wait SECONDS          for devices that are not there yet
               --group GROUP           its members may control it, which is all that its owner can do
               --loops N               threads for I/O, at most; one less than cores when not said, 0: none
               --metrics [ADDRESS:]PORT  figures for Prometheus, at http://127.0.0.1:PORT/metrics or ADDRESS
               --tgtadm [N]            also speak the management socket of tgtd N (0), for tgtadm and tgt-admin
               --log-format text|json  how the log is written, on standard error
               --log-level LEVEL       ${logLevels.join(', ')}; info when not said
  Environment: TCLI_HOME               as --home
               TCLI_LINGER_US          how long I/O threads look for the next command before they sleep (100)
               TCLI_CONGESTION_CONTROL  of iSCSI connections; the machine's when not said
               TCLI_IO_URING=off       cold reads, flushes and durable writes through threads, as where the kernel forbids io_uring
               TCLI_FFI=off            without the optional package koffi, as if it were not installed

Exit status: 0, or 1 after an error; of apply --exit-code 2 when something was, or would be, changed; of daemon status 3 when nothing runs, 4 when what runs does not answer.
`;

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
  let home: string | Home | undefined;
  let cwd: string | undefined;
  let json = '';
  const lines: string[] = [];
  let file: string | undefined;
  let noDaemon = false;
  let stopAtError: boolean | undefined;
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
    const [option = '', inline] = /^--[\w-]+=/.test(word) ? split(word) : [word, undefined];
    if (option === '--home') home = inline ?? value(option);
    else if (option === '--system') home = homeOf(undefined, {}, 0);
    // A process that goes to the background is told its places in this way.
    else if (option === '--home-paths') home = JSON.parse(value(option)) as Home;
    else if (option === '--cwd') cwd = inline ?? value(option);
    // `--json` is a word of the shell, which stands before a line as well as behind it.
    else if (word === '--json') json = '--json ';
    else if (word === '--no-daemon') noDaemon = true;
    else if (option === '--on-error') stopAtError = isStop(inline ?? value(option));
    else if (option === '-c') lines.push(value(option));
    else if (option === '-f') file = value(option);
    else if (option === '--help' || option === '-h') return { home, cwd, wants: { kind: 'help' } };
    else if (option === '--version' || option === '-v') return { home, cwd, wants: { kind: 'version' } };
    else if (option === '--disable-daemon') return { home, cwd, wants: { kind: 'command', line: disableDaemon } };
    else throw new OperatorError(`Unknown option ${word}`, 'See: tcli --help');
  }
  const kinds = [lines.length > 0, file !== undefined, rest.length > 0].filter(Boolean).length;
  if (kinds > 1) throw new OperatorError('A command, -c and -f exclude one another', 'See: tcli --help');
  if (lines.length > 0)
    return { home, cwd, stopAtError, wants: { kind: 'lines', lines: lines.map((line) => json + line) } };
  if (json !== '' && rest.length === 0)
    throw new OperatorError('--json needs a command, or -c', 'tcli --json ls /iscsi');
  if (file !== undefined) return { home, cwd, stopAtError, wants: { kind: 'file', path: file } };
  if (rest.length === 0) return { home, cwd, noDaemon, stopAtError, wants: { kind: 'shell' } };
  const [first = '', second = '', ...more] = rest;
  const isAsked = ['--help', '-h'].includes(rest.at(-1) ?? '') && first !== 'tgtadm' && first !== '__complete';
  if (isAsked && rest.length > 1) return { home, cwd, wants: helpWords(rest.slice(0, -1)) };
  if (rest.length === 1 && json === '' && (first === 'help' || first === 'version'))
    return { home, cwd, wants: { kind: first } };
  if (first === 'disable-daemon' && rest.length === 1)
    return { home, cwd, wants: { kind: 'command', line: disableDaemon } };
  if (first === 'completion') return { home, cwd, wants: { kind: 'completion', shell: second } };
  if (first === '__complete') return { home, cwd, wants: { kind: 'complete', line: more.join(' ') } };
  if (first === 'share' && json === '') return { home, cwd, wants: { kind: 'share', share: readShare(rest.slice(1)) } };
  // `--dry-run` is a usual option of such programs.
  if (first === 'import')
    rest.splice(0, rest.length, ...rest.map((word) => (word === '--dry-run' ? 'dry_run=true' : word)));
  if (first === 'apply') {
    const known: Record<string, string> = { '--prune': 'prune=true', '--dry-run': 'dry_run=true' };
    const asks = rest.includes('--exit-code') && json === '';
    rest.splice(0, rest.length, ...rest.filter((word) => word !== '--exit-code').map((word) => known[word] ?? word));
    if (asks)
      return {
        home,
        cwd,
        wants: {
          kind: 'command',
          line: `--json ${rest.map((word, at) => quote(word, isBehindCommand(rest, at))).join(' ')}`,
          tellsChange: true,
        },
      };
  }
  if (first === 'export')
    rest.splice(0, rest.length, ...rest.flatMap((word) => (word === '--tgt' ? ['tgt', 'secrets=true'] : [word])));
  const tool = tgtTools.find((one) => one === first);
  if (tool) return { home, cwd, wants: { kind: 'tgt', tool, words: rest.slice(1) } };
  if (first === 'serve') return { home, cwd, wants: { kind: 'serve', serve: serveWords(rest.slice(1)) } };
  if (first === 'cluster')
    return { home, cwd, wants: { kind: 'cluster', cluster: readCluster(rest.slice(1), json !== '') } };
  if (first === 'daemon') return { home, cwd, wants: daemonWords(second, more, json !== '') };
  const verb = verbs.find((one) => one === first);
  if (verb) {
    const line = json + verbLine(verb, rest.slice(1));
    const unasked = verb === 'clear' && { unasked: ' confirm=true' };
    return { home, cwd, wants: { kind: 'command', line, ...unasked } };
  }
  // One word is a line; each of several words is one word of the line, as the Unix shell made it.
  const line =
    rest.length === 1 ? quote(first) : rest.map((word, at) => quoteSigns(word, isBehindCommand(rest, at))).join(' ');
  return { home, cwd, wants: { kind: 'command', line: json + line } };
}

/** Help on a word of the program's own, out of its usage; on a command of the shell, by its `help`. */
function helpWords(words: readonly string[]): Invocation['wants'] {
  const [first = ''] = words;
  if (usageOn(first) !== undefined) return { kind: 'help', topic: first };
  const [path, command] = first.startsWith('/') ? [first, words[1]] : ['', first];
  return { kind: 'command', line: [path, 'help', command].filter(Boolean).join(' ') };
}

/** The block of the usage that has this name. */
const blockOf = (name: string): string => {
  const [, ...rest] = usage.split(`  ${name}:`);
  return `  ${name}:${rest.join('').split(/\n(?! {15})/, 1)[0]}`;
};

/** The part of the usage about one of the program's own words; undefined for others. */
export function usageOn(topic: string): string | undefined {
  const lines = usage.split('\n');
  const own = lines.filter((line) => / {2}tcli |: tcli /.test(line) && line.split(/\s+/).includes(topic));
  if (!/^[a-z]+$/.test(topic) || own.length === 0) return undefined;
  const blocks = ['SHARING', 'JOINING', 'SERVING'].filter((block) => own.some((line) => line.includes(`[${block}]`)));
  return [...own, ...blocks.map(blockOf), 'OPTIONS, and all other commands: tcli --help', ''].join('\n');
}

/** The options of the program, or those of a block of its usage. */
export const optionsOf = (block?: 'SERVING'): string[] =>
  block
    ? (blockOf(block).match(/--[\w-]+(?= )/g) ?? [])
    : Array.from(usage.matchAll(/^ {2}(--[\w-]+)/gm), ([, option = '']) => option);

function daemonWords(action: string, words: readonly string[], wantsJson: boolean): Invocation['wants'] {
  const json = wantsJson || words.includes('--json');
  const more = words.filter((word) => word !== '--json');
  if (action === 'install') {
    const strange = more.find((word) => word !== '--user' && word !== '--yes');
    if (strange) throw new OperatorError(`daemon install does not take ${strange}`, 'See: tcli --help');
    return { kind: 'install', user: more.includes('--user'), yes: more.includes('--yes') };
  }
  const known = daemonActions.find((one) => one === action);
  if (!known) throw new OperatorError(`daemon takes one of: ${daemonActions.join(', ')}, install`, 'See: tcli --help');
  if (json && known !== 'status') throw new OperatorError(`daemon ${known} has no JSON form.`, 'See: tcli --help');
  const serve = serveWords(more.filter((word) => word !== '--force'));
  return { kind: 'daemon', action: known, force: more.includes('--force'), json, serve };
}

/** The line of the shell for a verb of targetctl. */
function verbLine(verb: Verb, words: readonly string[]): string {
  const rest = words.flatMap((word) => (word.startsWith('--wait=') ? split(word) : [word]));
  const at = verb === 'restore' ? rest.indexOf('--wait') : -1;
  const [, seconds = ''] = at < 0 ? ['', '0'] : rest.splice(at, 2);
  const file = verb === 'clear' ? undefined : rest.shift();
  if (rest.length > 0 || !/^\d{1,6}$/.test(seconds))
    throw new OperatorError(`${verb} does not take ${words.join(' ')}`, 'See: tcli --help');
  if (verb === 'clear') return 'clearconfig';
  const savefile = file === undefined ? '' : quoteSigns(`savefile=${file}`);
  return verb === 'save' ? `saveconfig ${savefile}` : `restoreconfig ${savefile} clear_existing=true wait=${seconds}`;
}

/** Reads whether to stop at an error. @throws OperatorError */
function isStop(word: string): boolean {
  if (word !== 'stop' && word !== 'continue')
    throw new OperatorError(`--on-error is stop or continue, not ${word}`, 'See: tcli --help');
  return word === 'stop';
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
