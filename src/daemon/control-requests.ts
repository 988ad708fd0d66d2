/** The control requests: one entry for each word of `ControlRequest`. */

import { asRefusal } from '../cluster/change-log.ts';
import { OperatorError } from '../errors.ts';
import { type LogLevel, logLevels } from '../log.ts';
import {
  type Author,
  type Operation,
  ownParams,
  type ParameterValues,
  withoutSecrets,
} from '../operations/operation.ts';
import type { Host } from '../root/host.ts';
import { inUse } from '../root/local-devices.ts';
import { newPart } from '../root/options.ts';
import { type WhyQuestion, whyRefused } from '../root/why.ts';
import { dumpValue } from '../saved/saveconfig.ts';
import type { ControlReply, Owners, SessionOpening, Status } from './control-protocol.ts';
import { examineHost } from './doctor.ts';
import type { Sampler } from './samples.ts';
import { type SampledTopic, type WatchTopic, watchTopics } from './topics.ts';
import type { WatchOptions } from './watch.ts';
import type { Watches } from './watches.ts';

export interface ControlContext {
  readonly host: Host;
  status(): Status;
  stop?(how: 'stop' | 'restart'): void;
  /** Aborted when the client has gone: a change that has not begun is not made then. */
  readonly gone: AbortSignal;
  /** The author of the request. */
  readonly by: Author;
  readonly sampler: Sampler;
  readonly watches: Watches;
}

/** The number of earlier generations that `save` keeps by default. */
const backupsKept = 10;

/** The interval between two samples: by default, at least and at most. */
const everyMsDefault = 1_000;
const everyMsMin = 200;
const everyMsMax = 3_600_000;

type Answer = ControlReply extends infer R ? (R extends unknown ? Omit<R, 'id'> : never) : never;

/** The requests. Each rejects with an OperatorError for errors that the client can put right. */
export const controlRequests: Readonly<
  Record<string, (context: ControlContext, message: Readonly<Record<string, unknown>>) => Promise<Answer>>
> = {
  async status({ host, status }) {
    await host.root.observe();
    return { is: 'status', status: status() };
  },
  async apply({ host, gone, by }, { operation }) {
    const { operation: carried, notes } = await host.root.apply(operationOf(operation), false, newPart({ by }), {
      givenUp: gone,
    });
    return { is: 'applied', operation: withoutSecrets(carried), notes };
  },
  async configuration({ host }, { path = '/' }) {
    if (typeof path !== 'string') throw new OperatorError('path must be a string');
    return { is: 'configuration', configuration: dumpValue(host.root.tree, path) };
  },
  async save({ host, by }, { backups = backupsKept }) {
    if (!Number.isSafeInteger(backups) || Number(backups) < 1) throw new OperatorError('backups must be at least 1');
    const { path, backup } = await host.save(undefined, Number(backups), { by });
    return { is: 'saved', path, backup };
  },
  async stop({ host, stop }, { force, restarts }) {
    if (!stop)
      throw new OperatorError('An interactive tcli serves this configuration.', 'It ends when its shell is left.');
    if (force !== true && restarts !== true) await refuseLocalUse(host);
    // The answer goes first.
    setImmediate(() => stop(restarts === true ? 'restart' : 'stop'));
    return { is: 'stopping' };
  },
  stats: (context) => sample(context, 'stats'),
  sessions: (context) => sample(context, 'sessions'),
  loops: (context) => sample(context, 'loops'),
  objects: (context) => sample(context, 'objects'),
  refusals: async ({ host }) => ({ is: 'refusals', refusals: host.onlookers.refusals.latest() }),
  async why({ host }, { initiator, target, from }) {
    const words = { initiator, target, from };
    for (const [name, word] of Object.entries(words))
      if (typeof word !== 'string' && (name === 'initiator' || word !== undefined))
        throw new OperatorError(`${name} must be a string`);
    await host.root.observe();
    return { is: 'why', ...(await whyRefused(host.root, host.onlookers, words as unknown as WhyQuestion)) };
  },
  async doctor({ host }) {
    await host.root.observe();
    return { is: 'doctor', findings: await examineHost(host) };
  },
  owners: async ({ host }, message) => ({ is: 'owners', ...(await owners(host, message)) }),
  async watch({ watches }, message) {
    const options = watchOptions(message);
    watches.begin(Number(message['id']), options);
    return { is: 'watching', of: options.of, everyMs: options.everyMs };
  },
  async unwatch({ watches }, { watch }) {
    watches.stop(Number(watch));
    return { is: 'unwatched' };
  },
};

/** Changes who serves what, when that is asked for. @throws OperatorError @returns what this gateway knows then */
async function owners({ root: { gateway } }: Host, message: Readonly<Record<string, unknown>>): Promise<Owners> {
  if (!gateway)
    throw new OperatorError('The process that serves here shares nothing with other gateways.', 'tcli cluster status');
  const { move, prefer, drain, to, on } = message;
  for (const [name, word] of Object.entries({ move, prefer, drain, to }))
    if (word !== undefined && typeof word !== 'string') throw new OperatorError(`${name} must be a string`);
  if (on !== undefined && typeof on !== 'boolean') throw new OperatorError('on must be true or false');
  const [target, name] = [(move ?? prefer) as string, to as string | undefined];
  try {
    if (move !== undefined) {
      if (name === undefined) throw new OperatorError('to must name a gateway');
      await gateway.move(target, name);
    } else if (prefer !== undefined) await gateway.prefer(target, name);
    else if (drain !== undefined) await gateway.drain(drain as string, on !== false);
  } catch (error) {
    throw asRefusal(error);
  }
  return { gateways: gateway.gateways(), units: gateway.units() };
}

async function sample({ sampler }: ControlContext, topic: SampledTopic): Promise<Answer> {
  const { at, atMs, lists } = await sampler.take(topic);
  return { is: topic, at, atMs, ...lists };
}

/** Checks the options of a watch. @throws OperatorError */
function watchOptions({
  of,
  everyMs = everyMsDefault,
  firstMs = everyMs,
  level = 'info',
}: Readonly<Record<string, unknown>>): WatchOptions {
  const isTopic = (word: unknown): word is WatchTopic => (watchTopics as readonly unknown[]).includes(word);
  if (!Array.isArray(of) || of.length === 0 || !of.every(isTopic))
    throw new OperatorError(`of must be a list of: ${watchTopics.join(', ')}`);
  for (const [name, ms] of Object.entries({ everyMs, firstMs }))
    if (!Number.isSafeInteger(ms) || Number(ms) < everyMsMin || Number(ms) > everyMsMax)
      throw new OperatorError(`${name} must be a whole number from ${everyMsMin} to ${everyMsMax}`);
  if (!(logLevels as readonly unknown[]).includes(level))
    throw new OperatorError(`level must be one of: ${logLevels.join(', ')}`);
  return { of: [...new Set(of)], everyMs: Number(everyMs), firstMs: Number(firstMs), level: level as LogLevel };
}

/** Refuses an end that would take a block device away. @throws OperatorError while a program of this machine uses a LUN as a block device */
export async function refuseLocalUse({ root }: Host): Promise<void> {
  const uses = (await Promise.all(root.localDevices().map(inUse))).flat();
  if (uses.length === 0) return;
  throw new OperatorError(
    uses.join('\n'),
    'Umount it first. A restart needs no umount: what is asked meanwhile waits. To stop all the same: tcli daemon stop --force',
  );
}

function operationOf(given: unknown): Operation {
  const { path, verb, params = {} } = (given ?? {}) as Partial<Operation>;
  if (typeof path !== 'string' || typeof verb !== 'string')
    throw new OperatorError('An operation has a path and a verb, both strings');
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    throw new OperatorError("An operation's params are an object");
  const said = Object.entries(params as ParameterValues).filter(([name]) => !ownParams.includes(name));
  return { path, verb, params: Object.fromEntries(said) };
}

/** The options of a client's session. @throws OperatorError for a key of the wrong type; unknown keys are passed over */
export function sessionOpening(wanted: unknown): SessionOpening {
  if (typeof wanted !== 'object' || wanted === null) throw new OperatorError('session must be an object');
  const types = {
    cwd: 'string',
    workingDirectory: 'string',
    saveOnExit: 'boolean',
    bareErrors: 'boolean',
    person: 'boolean',
  };
  const given = wanted as Record<string, unknown>;
  const known = Object.entries(types).filter(([key]) => given[key] !== undefined);
  for (const [key, type] of known)
    if (typeof given[key] !== type) throw new OperatorError(`session.${key} must be a ${type}`);
  return Object.fromEntries(known.map(([key]) => [key, given[key]]));
}
