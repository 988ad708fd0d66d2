/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The library: a configuration of tcli as typed objects, served by this process or by another one.
 *
 * Every verb is one operation of the control protocol, with its names; a change is on disk when its promise resolves.
 * Whatever cannot be done rejects with an {@link OperatorError}, and nothing was changed then.
 */

import { join, resolve } from 'node:path';
import { homeOf } from '../durable/home.ts';
import { loopsByCores } from '../loops/count.ts';
import type { ConfigurationLink } from './link.ts';
import { actionsAt, treeOf } from './node.ts';
import type { TcliStatus } from './shapes.ts';
import type { Tcli } from './tree.ts';

export { OperatorError } from '../errors.ts';
export type * from './creations.ts';
export type * from './saved.ts';
export type * from './settings.ts';
export type * from './shapes.ts';
export type * from './tree.ts';

/** A record of the log: `event` is one of those that docs/log.md lists. */
export interface TcliLogRecord {
  readonly level: 'error' | 'warning' | 'info' | 'debug';
  readonly event: string;
  /** The details of the event. They never have a secret. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** The options of both ways in. */
export interface TcliOptions {
  /** The directory of the configuration, as `tcli --home`. Absent: the one that `tcli` uses by itself (TCLI_HOME, too). */
  readonly home?: string;
  /** Hears what people should know of a change that was made: `… exists, using its size (N bytes) instead`. */
  readonly note?: (line: string) => void;
}

/** The options of `openTcli`. */
export interface OpenTcliOptions extends TcliOptions {
  /** Threads for I/O, at most: as many as the machine has cores when absent, none on one core. 0: this one does it. */
  readonly loops?: number;
  /** Hears the log; nobody does when absent. */
  readonly log?: (record: TcliLogRecord) => void;
}

/** The options of `connectTcli`. */
export interface ConnectTcliOptions extends TcliOptions {
  /** The control socket, where that is not the home's own. */
  readonly socket?: string;
}

/**
 * Opens a configuration and serves it in this process, until `close`. One process has a configuration at a time; others can
 * look at it meanwhile (`tcli ls`) and not change it.
 *
 * @throws OperatorError when another process has it, or its saved file cannot be read
 */
export async function openTcli(options: OpenTcliOptions = {}): Promise<Tcli> {
  const { ownLink } = await import('./own.ts');
  const { loops = loopsByCores(), log = () => {} } = options;
  return tcliOf(await ownLink({ home: homeAt(options.home), version, loops, log }), options);
}

/**
 * Reaches the configuration that another process serves (`tcli serve`, `tcli daemon start`, an open shell).
 *
 * @throws OperatorError when nobody serves it, or this user may not ask
 */
export async function connectTcli(options: ConnectTcliOptions = {}): Promise<Tcli> {
  const { remoteLink } = await import('./remote.ts');
  const socket =
    options.socket === undefined ? join(homeAt(options.home).runDirectory, 'control.sock') : resolve(options.socket);
  return tcliOf(await remoteLink(socket), options);
}

const homeAt = (directory: string | undefined) =>
  homeOf(directory ?? process.env['TCLI_HOME'], process.env, process.getuid?.());

/** The version, as build.mjs finds it in package.json. */
declare const TCLI_VERSION: string | undefined;
const version = typeof TCLI_VERSION === 'string' ? TCLI_VERSION : 'not built';

/** The tree over a link. Its types and its parts are printed from the records. */
function tcliOf(asked: ConfigurationLink, { note = () => {} }: TcliOptions): Tcli {
  const link: ConfigurationLink = {
    ...asked,
    async apply(change) {
      const carried = await asked.apply(change);
      for (const line of carried.notes) note(line);
      return carried;
    },
  };
  return {
    ...treeOf(link),
    ...actionsAt(link, 'root', '/'),
    configuration: () => link.configuration('/'),
    status: (): Promise<TcliStatus> => link.status(),
    save: () => link.save(),
    close: () => link.close(),
    [Symbol.asyncDispose]: () => link.close(),
  } as unknown as Tcli;
}
