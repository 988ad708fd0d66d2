/** Makes of the words after `tcli serve` and `tcli daemon start` what the process that serves is told. */

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type LogLevel, OperatorError, type StartedBy, starters } from '../../src/client.ts';
import type { servingOptions } from './program.ts';
import type { GivenWords } from './program-words.ts';

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

type ServingOption = keyof typeof servingOptions;

/** @throws OperatorError */
export function serveWords(given: GivenWords<ServingOption>): ServeWords {
  const read = <Value>(name: ServingOption, make: (text: string) => Value): Value | undefined => {
    const text = given.value(name);
    return text === undefined ? undefined : make(text);
  };
  // A process in the background stands elsewhere.
  const config = read('--config', (path) => resolve(path));
  const ownLog = given.value('--own-log');
  const startedBy = read('--started-by', (what) => (Object.hasOwn(starters, what) ? what : undefined));
  const group = given.value('--group');
  const metrics = read('--metrics', addressOf);
  const tgtadm = read('--tgtadm', Number);
  // All of them have a value, and the last one counts.
  const again = new Map(given.options.map(([name, value = '0']) => [name, value]));
  if (config !== undefined) again.set('--config', config);
  for (const told of ['--own-log', '--started-by'] as const) again.delete(told);
  return {
    words: [...again].flat(),
    waitMs: Number(given.value('--wait') ?? 0) * 1000,
    logFormat: given.value('--log-format') === 'json' ? 'json' : 'text',
    logLevel: (given.value('--log-level') ?? 'info') as LogLevel,
    loops: read('--loops', Number),
    ...(ownLog !== undefined && { ownLog }),
    ...(startedBy && { startedBy: startedBy as StartedBy['what'] }),
    ...(config !== undefined && { config }),
    ...(group !== undefined && { group }),
    ...(metrics && { metrics }),
    ...(tgtadm !== undefined && { tgtadm }),
  };
}

/** Reads an address: `9417` (of this machine only), `192.0.2.1:9417`, `[::1]:9417`. @throws OperatorError */
function addressOf(text: string): ServeWords['metrics'] {
  const [, bracketed, plain, digits] = /^(?:(?:\[([\da-fA-F:]+)\]|([\d.]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '127.0.0.1';
  const port = Number(digits);
  if (!isIP(address) || !(port > 0 && port < 65_536))
    throw new OperatorError(
      `--metrics: ${text} is no address and port`,
      'For example: --metrics 9417, or --metrics [::1]:9417',
    );
  return { address, port };
}
