/** `tcli tgtadm …`: the work of tgtadm, in its words and with its exit statuses, where tgt is not installed. */

import { connect } from 'node:net';
import {
  deviceTypes,
  type Mode,
  type RequestOperation,
  type RequestWords,
  readAnswer,
  refusals,
  tgtSocketOf,
  tgtVersion,
  writeRequest,
} from '../../src/client.ts';
import { getopt, type LongOption } from './getopt.ts';

/** The output of a run, and its exit status. */
export interface RunOutcome {
  readonly status: number;
  readonly output: string;
  readonly error: string;
}

/** errno(3) */
const EINVAL = 22;
const ENOTCONN = 107;
/** The exit status for a word that is no mode and no operation. */
const unknownWord = 1;

const longOptions: readonly LongOption[] = [
  ...['debug d', 'help h', 'version V', 'lld L:', 'op o:', 'mode m:', 'tid t:', 'sid s:', 'cid c:', 'lun l:'],
  ...['name n:', 'value v:', 'backing-store b:', 'bstype E:', 'bsopts S:', 'bsoflags f:', 'blocksize y:'],
  ...['targetname T:', 'initiator-address I:', 'initiator-name Q:', 'user u:', 'password p:', 'host H:', 'force F'],
  ...['params P:', 'bus B:', 'device-type Y:', 'outgoing O', 'control-port C:'],
].map((line) => {
  const [name = '', letter = ''] = line.split(' ');
  return { name, letter: letter.charAt(0), argument: letter.endsWith(':') };
});
/** The letters, as tgtadm has them: `-F` and `-O` take an argument, and `--force` and `--outgoing` do not. */
const shortOptions = 'dhVL:o:m:t:s:c:l:n:v:b:E:f:y:T:I:Q:u:p:H:F:P:B:Y:O:C:S:';

const modeWords: Readonly<Record<string, Mode>> = {
  ...{ system: 'system', sys: 'system', target: 'target', tgt: 'target', logicalunit: 'unit', lu: 'unit' },
  ...{ portal: 'portal', pt: 'portal', session: 'session', sess: 'session', connection: 'connection' },
  ...{ conn: 'connection', account: 'account', lld: 'lld' },
};
const operationWords: readonly RequestOperation[] = [
  'new',
  'delete',
  'bind',
  'unbind',
  'show',
  'update',
  'stat',
  'start',
  'stop',
];

/** Ends the run with a message. */
class Ended extends Error {
  readonly status: number;
  readonly output: string;

  constructor(status: number, error: string, output = '') {
    super(error);
    this.status = status;
    this.output = output;
  }
}

const seeHelp = "Try `tgtadm --help' for more information.\n";
const failed = (message: string, status = EINVAL) => new Ended(status, `tgtadm: ${message}\n`);

/** Runs tgtadm. */
export async function tgtadm(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<RunOutcome> {
  try {
    const { request, port } = readWords(words);
    return await ask(request, tgtSocketOf(port, environment));
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    return { status: error.status, output: error.output, error: error.message };
  }
}

type Found = ReadonlyMap<string, string>;

/** Reads the number of `-l` and others. @throws Ended */
function numberOf(letter: string, text: string): number {
  const number = /^(0[xX][\da-fA-F]+|\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new Ended(EINVAL, `-${letter} argument value '${text}' invalid\n${seeHelp}`);
  return number;
}

/** Reads the words of a request. @throws Ended */
function readWords(all: readonly string[]): { request: RequestWords; port: number } {
  const { found: options, words, problem } = getopt(all, longOptions, shortOptions);
  const found = new Map<string, string>();
  let portalWords: string | undefined;
  for (const [letter, argument] of options) {
    if (letter === 'h') throw new Ended(0, '', usage);
    if (letter === 'V') throw new Ended(0, '', `${tgtVersion}\n`);
    if (letter === 'o' && !(operationWords as readonly string[]).includes(argument))
      throw failed(`unknown operation: ${argument}`, unknownWord);
    if (letter === 'm' && !Object.hasOwn(modeWords, argument)) throw failed(`unknown mode: ${argument}`, unknownWord);
    if (letter === 'Y' && deviceTypeOf(argument) === undefined) throw failed(`unknown target type: ${argument}`);
    if (['t', 's', 'c', 'l', 'H', 'C'].includes(letter)) numberOf(letter, argument);
    if (letter === 'P' && modeWords[found.get('m') ?? ''] === 'portal') portalWords = argument;
    else found.set(letter, argument);
  }
  if (problem !== undefined) throw new Ended(EINVAL, `tgtadm: ${problem}\n${seeHelp}`);
  if (words.length > 0) throw new Ended(EINVAL, `tgtadm: unrecognized option '${words[0]}'\n${seeHelp}`);
  const op = found.get('o') as RequestOperation | undefined;
  if (!op) throw failed('specify the operation type');
  const mode = modeWords[found.get('m') ?? ''];
  if (!mode) throw failed('specify the mode');
  const given = new Set(options.map(([letter]) => letter));
  check(mode, op, found, given, portalWords);
  const number = (letter: string) => {
    const word = found.get(letter);
    return word === undefined ? undefined : numberOf(letter, word);
  };
  const lun = number('l');
  const request: RequestWords = {
    mode,
    op,
    lld: found.get('L') ?? '',
    tid: number('t') ?? -1,
    sid: number('s') ?? 0,
    cid: number('c') ?? 0,
    hostNumber: number('H') ?? 0,
    ...(lun !== undefined && { lun }),
    deviceType: deviceTypeOf(found.get('Y') ?? 'disk') ?? 0,
    outgoing: found.has('O'),
    force: found.has('F'),
    text: textOf(found, portalWords),
  };
  return { request, port: number('C') ?? 0 };
}

function deviceTypeOf(word: string): number | undefined {
  const name = word === 'ssc' ? 'tape' : word;
  const code = Object.keys(deviceTypes).find((type) => deviceTypes[Number(type)] === name);
  return code === undefined ? undefined : Number(code);
}

/** The pieces of the text of a request, in tgtadm's order. */
function textOf(found: Found, portalWords: string | undefined): string {
  const piece = (letter: string, name: string) => (found.has(letter) ? [`${name}=${found.get(letter)}`] : []);
  return [
    ...(found.has('n') ? [`${found.get('n')}=${found.get('v') ?? ''}`] : []),
    ...piece('b', 'path'),
    ...(deviceTypeOf(found.get('Y') ?? 'disk') === 1 ? ['bstype=ssc'] : piece('E', 'bstype')),
    ...piece('S', 'bsopts'),
    ...piece('f', 'bsoflags'),
    ...piece('y', 'blocksize'),
    ...piece('T', 'targetname'),
    ...piece('I', 'initiator-address'),
    ...piece('Q', 'initiator-name'),
    ...piece('u', 'user'),
    ...piece('p', 'password'),
    ...(found.has('P') ? [`targetOps ${found.get('P')},`] : []),
    ...(portalWords === undefined ? [] : [`portalOps ${portalWords},`]),
  ].join();
}

type Needs = readonly (readonly [letters: string, message: string])[];

/** The options that an operation in a mode takes and needs. */
interface Rule {
  /** The letters that it takes; undefined: all. */
  readonly takes?: string;
  /** The letters of which one is needed, and the message when none is given. */
  readonly needs?: Needs;
  /** The message for a letter that it does not take. */
  readonly refuses?: (letter: string) => string;
}

const named = (op: string): Needs => [['nv', `${op} operation requires 'name' and 'value' options`]];
const account = "'user' and 'password' options are required";
const portal: Needs = [['P', 'you must specify --param portal=<portal>']];
const binding = (op: string): Needs => [['IQHB', `${op} operation requires initiator-address, initiator-nameor bus`]];
const notInMode = (mode: string) => (letter: string) => `option '-${letter}' not supported in ${mode} mode`;

const rules: Partial<Record<Mode, Partial<Record<RequestOperation, Rule>>>> = {
  system: { update: { takes: 'LmonvC', needs: named('update') }, show: {}, delete: {}, stat: {} },
  target: {
    new: { takes: 'LmotTC', needs: [['T', 'creating new target requires a name, use --targetname']] },
    delete: { takes: 'LmotCF' },
    show: { takes: 'LmotC' },
    stat: { takes: 'LmotC' },
    bind: { takes: 'LmotIQBHC', needs: binding('bind') },
    unbind: { takes: 'LmotIQBHC', needs: binding('unbind') },
    update: { takes: 'LmotnvC', needs: named('update') },
  },
  account: {
    new: {
      takes: 'LmoupfC',
      needs: [
        ['u', account],
        ['p', account],
      ],
    },
    show: { takes: 'LmoC' },
    delete: { takes: 'LmouC' },
    bind: { takes: 'LmotuOC', needs: [['u', "'user' option is necessary"]] },
    unbind: { takes: 'LmotuOC', needs: [['u', "'user' option is necessary"]] },
  },
  unit: {
    new: { takes: 'LmofytlbEYCS' },
    delete: { takes: 'LmotlC' },
    stat: { takes: 'LmotlC' },
    update: { takes: 'LmofytlPC', refuses: notInMode('logicalunit') },
  },
  portal: {
    new: { takes: 'LmoCP', needs: portal },
    delete: { takes: 'LmoCP', needs: portal },
    show: { takes: 'LmoC', refuses: notInMode('portal') },
  },
  lld: { start: { takes: 'LmoC' }, stop: { takes: 'LmoC' }, show: { takes: 'LmoC' } },
};

const shownModes: Partial<Record<Mode, string>> = { unit: 'logicalunit' };

/** Refuses a request that tgtadm does not even send. @throws Ended */
function check(
  mode: Mode,
  op: RequestOperation,
  found: Found,
  given: ReadonlySet<string>,
  portalWords: string | undefined,
): void {
  const of = rules[mode];
  const shown = shownModes[mode] ?? mode;
  const word = found.get('t');
  const tid = word === undefined ? -1 : numberOf('t', word);
  if ((mode === 'target' && op !== 'show') || mode === 'unit') {
    if (tid === 0) throw failed(mode === 'target' ? "'tid' cannot be 0" : "'tid' must not be 0");
    if (tid < 0) throw failed("'tid' option is necessary");
  }
  if (mode === 'unit' && !found.has('l')) throw failed("'lun' option is necessary");
  if (!of) return;
  const rule = of[op];
  if (!rule) throw failed(`operation ${op} not supported in ${shown} mode`);
  const {
    takes,
    needs = [],
    refuses = (letter) => `${shown} mode: option '-${letter}' is not allowed/supported`,
  } = rule;
  const strange =
    takes === undefined ? undefined : [...given].find((letter) => letter !== 'd' && !takes.includes(letter));
  if (strange !== undefined) throw failed(refuses(strange));
  const has = (letter: string) => found.has(letter) || (letter === 'P' && portalWords !== undefined);
  for (const [letters, message] of needs) {
    const all = [...letters].map(has);
    // A name needs its value.
    if (letters === 'nv' ? all.includes(false) : !all.includes(true)) throw failed(message);
  }
  const type = found.get('Y');
  if (mode === 'unit' && op === 'new' && !found.has('b') && type && !['cd', 'tape', 'ssc', 'disk'].includes(type))
    throw failed("'backing-store' option is necessary");
}

/** Sends a request. @throws Ended */
function ask(request: RequestWords, path: string): Promise<RunOutcome> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const socket = connect({ path }, () => socket.write(writeRequest(request)));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
    });
    socket.on('error', () =>
      reject(failed('failed to send request hdr to tgt daemon, Transport endpoint is not connected', ENOTCONN)),
    );
    socket.on('close', () => {
      const answer = readAnswer(received);
      if (!answer) return reject(new Ended(0, 'tgtadm: tgtd closed the socket\n'));
      const [, message = '(unknown tgtadm_errno)'] =
        Object.values(refusals).find(([number]) => number === answer.err) ?? [];
      if (answer.err !== 0) return reject(failed(message));
      resolve({ status: 0, output: answer.text, error: '' });
    });
  });
}

const usage = `Usage: tgtadm [-C PORT] [--lld iscsi] --mode MODE --op OPERATION [OPTION]…

This is tcli, in the words of tgtadm ${tgtVersion}. It reaches a tcli that serves with --tgtadm, or a tgtd.

  --mode target       --op new --tid N --targetname NAME | delete --tid N [--force] | show [--tid N] | stat --tid N
                      --op bind|unbind --tid N --initiator-address ADDRESS | --initiator-name NAME
                      --op update --tid N --name KEY --value VALUE
  --mode logicalunit  --op new --tid N --lun N --backing-store PATH [--bstype TYPE] [--bsoflags FLAGS] [--blocksize N]
                      --op update --tid N --lun N --params NAME=VALUE,… | delete --tid N --lun N | stat --tid N --lun N
  --mode account      --op new --user NAME --password SECRET | delete --user NAME | show
                      --op bind|unbind [--tid N] --user NAME [--outgoing]
  --mode portal       --op new|delete --param portal=ADDRESS[:PORT] | show
  --mode conn         --op show --tid N | delete --tid N --sid N --cid N | stat --tid N --sid N --cid N
  --mode session      --op stat --tid N --sid N
  --mode sys          --op show | stat | update --name State|debug --value VALUE | delete
  --mode lld          --op show | start | stop
`;
