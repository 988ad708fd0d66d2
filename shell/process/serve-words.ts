/** Reads the words after `tcli serve` and `tcli daemon start`. */

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type LogLevel, logLevels, OperatorError, type StartedBy, starters } from '../../src/client.ts';

/** The words for the process that serves. */
export interface ServeWords {
  /** The options as they were given, each once, without those that this program tells a process in the background. */
  readonly words: readonly string[];
  /** The time to wait for devices that are not there. */
  readonly waitMs: number;
  readonly logFormat: 'text' | 'json';
  readonly logLevel: LogLevel;
  /** The file that `daemon start` opened for the log: the process keeps it short. */
  readonly ownLog?: string;
  /** The starter of the process, where that is this program. */
  readonly startedBy?: StartedBy['what'];
  /** The file that gives the configuration. */
  readonly config?: string;
  /** The group whose members may control the process. */
  readonly group?: string;
  /** The address of the metrics. */
  readonly metrics?: { readonly address: string; readonly port: number };
  /** The number of the tgtd whose management socket is served as well. */
  readonly tgtadm?: number;
  /** The number of threads that serve, at most; the default of this machine when absent. */
  readonly loops: number | undefined;
}

/** Reads the words behind `serve`. @throws OperatorError */
export function serveWords(given: readonly string[]): ServeWords {
  let waitMs = 0;
  let logFormat: ServeWords['logFormat'] = 'text';
  let logLevel: LogLevel = 'info';
  let ownLog: string | undefined;
  let startedBy: ServeWords['startedBy'];
  let group: string | undefined;
  let loops: number | undefined;
  let metrics: ServeWords['metrics'];
  let tgtadm: number | undefined;
  let config: string | undefined;
  const options = new Map<string, readonly string[]>();
  const rest = given.flatMap((word) => (/^--[\w-]+=/.test(word) ? split(word) : [word]));
  while (rest.length > 0) {
    if (rest[0] === '--tgtadm') {
      rest.shift();
      tgtadm = Number(/^\d{1,4}$/.test(rest[0] ?? '') ? rest.shift() : 0);
      options.set('--tgtadm', [String(tgtadm)]);
      continue;
    }
    const [option = '', said = ''] = rest.splice(0, 2);
    // A process in the background stands elsewhere.
    const value = option === '--config' && said !== '' ? resolve(said) : said;
    options.set(option, [value]);
    if (option === '--wait' && /^\d{1,6}$/.test(value)) waitMs = Number(value) * 1000;
    else if (option === '--config' && value !== '') config = value;
    else if (option === '--group' && /^[\w.@-]+\$?$/.test(value)) group = value;
    // A process that goes to the background is told the file of its log in this way.
    else if (option === '--own-log' && value !== '') ownLog = value;
    // The starter of such a process is told like that, too.
    else if (option === '--started-by' && Object.hasOwn(starters, value)) startedBy = value as keyof typeof starters;
    else if (option === '--log-format' && (value === 'text' || value === 'json')) logFormat = value;
    else if (option === '--metrics' && addressOf(value)) metrics = addressOf(value);
    else if (option === '--loops' && /^\d{1,3}$/.test(value)) loops = Number(value);
    else if (option === '--log-level' && isLogLevel(value)) logLevel = value;
    else throw new OperatorError(`serve does not take ${[option, value].join(' ').trim()}`, 'See: tcli --help');
  }
  for (const told of ['--own-log', '--started-by']) options.delete(told);
  return {
    words: [...options].flatMap(([option, values]) => [option, ...values]),
    waitMs,
    logFormat,
    logLevel,
    loops,
    ...(ownLog !== undefined && { ownLog }),
    ...(startedBy && { startedBy }),
    ...(config !== undefined && { config }),
    ...(group !== undefined && { group }),
    ...(metrics && { metrics }),
    ...(tgtadm !== undefined && { tgtadm }),
  };
}

/** Reads an address: `9417` (of this machine only), `192.0.2.1:9417`, `[::1]:9417`. */
function addressOf(text: string): ServeWords['metrics'] {
  const [, bracketed, plain, digits] = /^(?:(?:\[([\da-fA-F:]+)\]|([\d.]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '127.0.0.1';
  return isIP(address) && Number(digits) > 0 && Number(digits) < 65_536 ? { address, port: Number(digits) } : undefined;
}

const isLogLevel = (word: string): word is LogLevel => (logLevels as readonly string[]).includes(word);

/** Splits `--name=value`. */
export const split = (word: string): [string, string] => {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
};
