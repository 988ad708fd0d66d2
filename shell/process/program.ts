/**
 * The words of the program: a record for each, of which reading them, `--help`, the completion scripts and the manual page are made. One
 * more option is one line here, and where it is read.
 */

import { logLevels } from '../../src/client.ts';

/** An option of the program, or of one of its words. */
export interface ProgramOption {
  readonly doc: string;
  /** The name of its value, as `SECONDS`. Absent: it has none. */
  readonly value?: string;
  /** The words that may stand behind it, where they are known. */
  readonly words?: readonly string[];
  /** The form of the value. */
  readonly like?: RegExp;
  /** Whether the value may be left out. */
  readonly isOptional?: true;
  /** Whether an empty text is a value. */
  readonly mayBeEmpty?: true;
  /** A second name. */
  readonly short?: string;
  /** The parameter of the shell's command that it stands for. */
  readonly parameter?: string;
  /** Whether people are not told of the option: tcli tells it to a process that it starts, or targetcli's users know it. */
  readonly isUntold?: true;
}

/** Options by name. */
export type ProgramOptions = Readonly<Record<string, ProgramOption>>;

/** A word of the program, or two of them: `daemon start`. */
export interface ProgramWord {
  /** The work that the word does, in a short sentence. */
  readonly doc: string;
  /** Further sentences. */
  readonly details?: string;
  /** The words behind it; those in brackets may be left out. */
  readonly operands: readonly string[];
  readonly options: ProgramOptions;
  readonly examples: readonly { readonly line: string; readonly does: string }[];
  /** Whether the shell has a command of that name, which reads what is no option. */
  readonly isCommand?: true;
  /** Whether the word is a program of tgt, which reads all of its words itself. */
  readonly isForeign?: true;
}

const digits = /^\d{1,6}$/;

const typed = <Names extends string>(options: Readonly<Record<Names, ProgramOption>>) => options;

/** The options that stand before everything else. */
export const programOptions = typed({
  '--home': { value: 'DIR', doc: 'Keeps everything under DIR (also: TCLI_HOME).' },
  '--system': { doc: "Root's configuration, for whom its process lets in (serve --group)." },
  '--no-daemon': { doc: 'The shell itself serves, and nothing is started in the background.' },
  '--cwd': {
    value: 'NODE',
    doc: 'The path where -c, -f and standard input start; where the last session left off when not said.',
  },
  '--on-error': {
    words: ['stop', 'continue'],
    doc: 'Whether an error of a line ends -c, -f (as they do) or standard input (as it does not).',
  },
  '--json': { doc: 'What the command, or each -c LINE, shows as data.' },
  '-c': { value: 'LINE', mayBeEmpty: true, doc: 'A line of the shell; may be given several times.' },
  '-f': { value: 'FILE', doc: 'The lines of a file.' },
  '--version': { short: '-v', doc: 'Prints the version.' },
  '--help': { short: '-h', doc: 'Prints this; behind a word or a command, what there is to say of that.' },
  '--home-paths': { value: 'PLACES', isUntold: true, doc: 'The places of a home, for a process in the background.' },
  '--disable-daemon': { isUntold: true, doc: "targetcli's way out of its daemon." },
});

const force = { '--force': { doc: 'Replaces, or kills, what does not end by itself.' } } as const;
const json = { '--json': { doc: 'The answer as data.' } } as const;

/** The options of the process that serves. */
export const servingOptions = typed({
  '--config': {
    value: 'FILE',
    doc: 'What it says, and nothing else, is served: a description (.yaml) or a saved configuration (.json); read again by SIGHUP. Other changes are refused.',
  },
  '--wait': { value: 'SECONDS', like: digits, doc: 'Waits for devices that are not there yet.' },
  '--group': {
    value: 'GROUP',
    like: /^[\w.@-]+\$?$/,
    doc: 'Its members may control it, which is all that its owner can do.',
  },
  '--loops': {
    value: 'N',
    like: /^\d{1,3}$/,
    doc: 'Threads for I/O, at most; as many as cores when not said, 0: none.',
  },
  '--metrics': {
    value: '[ADDRESS:]PORT',
    like: /^(?:(?:\[[\da-fA-F:]+\]|[\d.]+):)?\d{1,5}$/,
    doc: 'Figures for Prometheus, at http://127.0.0.1:PORT/metrics or ADDRESS.',
  },
  '--tgtadm': {
    value: 'N',
    isOptional: true,
    like: /^\d{1,4}$/,
    doc: 'Also speaks the management socket of tgtd N (0), for tgtadm and tgt-admin.',
  },
  '--log-format': { words: ['text', 'json'], doc: 'How the log is written, on standard error.' },
  '--log-level': { words: logLevels, doc: 'The least that is logged; info when not said.' },
  '--own-log': { value: 'FILE', isUntold: true, doc: 'The log of a process in the background, which keeps it short.' },
  '--started-by': { value: 'WHAT', isUntold: true, doc: 'The starter of a process in the background.' },
});

/** The options of `share`; `--ask` is none of the shell's. */
export const sharingOptions = typed({
  '--size': { value: 'SIZE', parameter: 'size', doc: 'Of a file that is to be made: 5G.' },
  '--allow': {
    value: 'NAME|ADDRESS',
    parameter: 'allow',
    doc: 'Who may come; may be given several times. Everybody when not said.',
  },
  '--chap': {
    value: 'USER',
    parameter: 'chap',
    doc: 'Asks initiators for a name and a secret, which is made and shown.',
  },
  '--ask': { doc: 'Asks for that secret, or reads it from standard input.' },
  '--read-only': { parameter: 'read_only', doc: 'Nobody may write.' },
  '--port': { value: 'PORT', parameter: 'port', doc: 'The port that it is served at.' },
  '--name': { value: 'IQN', parameter: 'name', doc: 'The name of the target; made of the file name when not said.' },
});

/** The options of `cluster join`. */
const joiningOptions = typed({
  '--name': { value: 'NAME', doc: 'What this gateway is called in the cluster.' },
  '--cluster': { value: 'NAME', doc: 'Which of the clusters in that etcd; tcli when not said.' },
  '--ca': { value: 'FILE', doc: 'The certificate of the authority that etcd is proved by, PEM.' },
  '--cert': { value: 'FILE', doc: 'The certificate that this gateway shows etcd, PEM.' },
  '--key': { value: 'FILE', doc: 'The key of that certificate, PEM.' },
  '--user-file': { value: 'FILE', doc: 'Its first line is USER:PASSWORD, for etcd.' },
  '--replace': { doc: 'Gives up the configuration that is here for that of the cluster; a file keeps it.' },
});

const dryRun = { '--dry-run': { parameter: 'dry_run=true', doc: 'Shows what would be changed, and changes nothing.' } };
const none: ProgramOptions = {};
const word = <Options extends ProgramOptions>(
  operands: readonly string[],
  doc: string,
  options: Options,
  examples: ProgramWord['examples'] = [],
  kind: Pick<ProgramWord, 'isCommand' | 'isForeign' | 'details'> = {},
) => ({ operands, doc, options, examples, ...kind });

const command = { isCommand: true } as const;
const ofTgt = (name: string) =>
  word(['…'], `As tgt's ${name}; its own --help says more.`, none, [], {
    isForeign: true,
    details: 'It speaks to a tcli that serves with --tgtadm.',
  });

/** All words, in the order of `--help`. */
export const programWords = {
  share: word(
    ['[PATH]'],
    'Serves a file or device; alone: lists them.',
    sharingOptions,
    [
      { line: 'tcli share disk.img --size 5G', does: 'Makes the file, and serves it to everybody.' },
      {
        line: 'tcli share /dev/vg0/vm1 --allow iqn.2026-01.com.example:host1 --chap host1',
        does: 'To one host, which has to know a secret.',
      },
    ],
    {
      details:
        'It makes the disk, the target and its portal, starts the process that serves, and says what to type on the initiator.',
    },
  ),
  unshare: word(['PATH'], 'Takes back what share made; the data stays.', none, [], command),
  serve: word([], 'Serves the configuration, in the foreground.', servingOptions, [
    { line: 'tcli serve --wait 30', does: 'As the unit of systemd does.' },
    {
      line: 'tcli serve --config /srv/tcli.yaml --metrics 9417',
      does: 'What a file says, with figures for Prometheus.',
    },
  ]),
  'daemon start': word([], 'Serves the configuration, in the background.', { ...force, ...servingOptions }, [
    { line: 'tcli daemon start', does: 'Serves until daemon stop, or until the machine is shut down.' },
  ]),
  'daemon restart': word([], 'Starts the process in the background anew.', { ...force, ...servingOptions }, [], {
    details: 'Initiators wait meanwhile, and log in again. Options that are not said are those of before.',
  }),
  'daemon stop': word([], 'Ends it: initiators lose their disks.', force),
  'daemon status': word([], 'Shows what is served, and what is not and why.', json),
  'daemon install': word(
    [],
    "Writes systemd's units, for serving after a boot.",
    {
      '--user': { doc: 'For this user instead of for the machine.' },
      '--yes': { doc: 'Without asking.' },
    },
    [],
    { details: 'It shows them first, and says afterwards how they are started.' },
  ),
  'cluster join': word(
    ['ETCD[,ETCD…]'],
    'Makes this machine one of the gateways that share one configuration.',
    joiningOptions,
    [
      {
        line: 'tcli cluster join https://10.0.0.1:2379,https://10.0.0.2:2379 --name gw-a',
        does: 'By two members of etcd.',
      },
    ],
  ),
  'cluster leave': word([], 'Takes this gateway out of its cluster.', none),
  'cluster status': word([], 'Shows the gateways, and what each serves.', json),
  'cluster move': word(['STORAGE-OBJECT', 'GATEWAY'], 'Lets another gateway serve a storage object, now.', none),
  'cluster prefer': word(['STORAGE-OBJECT', '[GATEWAY]'], 'Names the gateway that serves one while it can.', none, [], {
    details: 'Without a gateway it takes that back.',
  }),
  'cluster drain': word(['GATEWAY'], 'Moves everything away from a gateway, before work on it.', none),
  'cluster undrain': word(['GATEWAY'], 'Lets a gateway serve again.', none),
  save: word(['[FILE]'], 'Saves the configuration, as targetctl does.', none),
  restore: word(['[FILE]'], 'Replaces the configuration by a saved one.', {
    '--wait': { value: 'SECONDS', like: digits, doc: 'Waits for devices that are not there yet.' },
  }),
  clear: word([], 'Removes the configuration, as targetctl does.', none, [], {
    details: 'At a terminal it asks first.',
  }),
  import: word(
    ['FILE'],
    'Takes over a configuration of another target.',
    dryRun,
    [{ line: 'tcli import /etc/tgt/targets.conf --dry-run', does: 'Shows the lines that it amounts to.' }],
    { ...command, details: 'It reads those of tgt, IET, gotgt and ctld.' },
  ),
  apply: word(
    ['FILE'],
    'Makes the configuration what a file describes.',
    {
      '--prune': { parameter: 'prune=true', doc: 'Removes what the file does not name.' },
      ...dryRun,
      '--exit-code': { doc: 'Exit status 2 when something was, or would be, changed; the answer is data.' },
    },
    [{ line: 'tcli apply disks.yaml --dry-run', does: 'Shows what would be changed.' }],
    command,
  ),
  export: word(
    ['yaml|json|schema|tgt|lio'],
    'Prints the configuration, for apply, for tgt or for LIO.',
    {
      '--tgt': { parameter: 'tgt secrets=true', doc: 'A targets.conf with its secrets; without them: export tgt.' },
    },
    [{ line: 'tcli export yaml > disks.yaml', does: 'The configuration, to be kept in git.' }],
    command,
  ),
  completion: word(['bash|zsh|fish'], 'Prints the completion script of a Unix shell.', none, [
    { line: 'tcli completion bash > /etc/bash_completion.d/tcli', does: 'For everybody on this machine.' },
  ]),
  tgtadm: ofTgt('tgtadm'),
  'tgt-admin': ofTgt('tgt-admin'),
  'tgt-setup-lun': ofTgt('tgt-setup-lun'),
} as const satisfies Readonly<Record<string, ProgramWord>>;

/** The work that words of two have in common, by the first of them. */
export const programGroups = {
  daemon: 'Serves in the background, and says what is served.',
  cluster: 'Gateways that share one configuration.',
} as const;

/** The name of a word, or of two. */
export type ProgramWordName = keyof typeof programWords;

/** The record of a word. */
export const programWord = (name: ProgramWordName): ProgramWord => programWords[name];

/** The names of all words. */
export const programWordNames = Object.keys(programWords) as ProgramWordName[];

/** The ways to call the program, beside its words. */
export const programForms: readonly { readonly form: string; readonly does: string }[] = [
  { form: '', does: 'The shell, or standard input.' },
  { form: '[PATH] COMMAND …', does: 'One command of the shell, from /.' },
  { form: '-c LINE [-c LINE …]', does: 'Lines, where the last session was.' },
  { form: '-f FILE', does: "A file's lines, to the first error." },
];

/** The variables of the environment that a person may set. */
export const programEnvironment: Readonly<Record<string, string>> = {
  TCLI_HOME: 'As --home.',
  TCLI_LINGER_US: 'How long I/O threads look for the next command before they sleep (100).',
  TCLI_CONGESTION_CONTROL: "Of iSCSI connections; the machine's when not said.",
  'TCLI_IO_URING=off': 'Cold reads, flushes and durable writes through threads, as where the kernel forbids io_uring.',
  'TCLI_FFI=off': 'Without the optional package koffi, as if it were not installed.',
  TGT_IPC_SOCKET: "Where tgt's management socket is, for tgtadm and for serve --tgtadm.",
  NO_COLOR: 'Whatever it is: no colours.',
  FORCE_COLOR: 'Colours also where no terminal is seen.',
  TERM: 'dumb: lines and prompts, and nothing that moves a cursor.',
  XDG_CONFIG_HOME: 'Where users other than root have their saved configuration; ~/.config when not said.',
  XDG_STATE_HOME: 'Where they have all else that is kept; ~/.local/state when not said.',
  XDG_RUNTIME_DIR: 'Where they have the control socket.',
};

/** The exit statuses and their meanings. */
export const programStatuses: readonly { readonly status: number; readonly means: string }[] = [
  { status: 0, means: 'Everything was done.' },
  { status: 1, means: 'There was an error, which standard error has in words; or doctor found a problem.' },
  { status: 2, means: 'Of apply --exit-code: something was, or would be, changed.' },
  { status: 3, means: 'Of daemon status: nothing runs. Of cluster status: this gateway is in no cluster.' },
  {
    status: 4,
    means: 'Of daemon status: what runs does not answer. Of cluster status: nothing can be changed now.',
  },
  { status: 130, means: 'Ctrl-C came before the first prompt.' },
];
