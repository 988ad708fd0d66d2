/** `tcli cluster …`: gateways that share one configuration in etcd, and who of them serves what. */

import { resolve } from 'node:path';
import { type Home, OperatorError, type Owners, printableLine } from '../../src/client.ts';
import { type ClusterStatus, clustering, ownAuthor, printSize } from '../../src/index.ts';
import { askServer } from '../channel/client-socket.ts';
import { jsonAnswer } from '../session/json.ts';
import type { ClusterWords } from './cluster-words.ts';
import { complain, say } from './streams.ts';

/** Exit status of `status` where there is no cluster, or where it cannot be asked. */
const NO_CLUSTER = 3;
const SILENT = 4;

/** @returns the exit status. @throws OperatorError */
export async function cluster(home: Home, words: ClusterWords, version: string): Promise<number> {
  if (words.action === 'status') return status(home, words.json);
  if (words.action === 'owners') {
    const reply = await askServer(home, { do: 'owners', ...words.wish });
    if (reply?.is !== 'owners')
      throw new OperatorError('Nothing serves here, so this gateway has no say.', 'To serve: tcli daemon start');
    for (const line of ownerLines(reply)) say(`${printableLine(line)}\n`);
    return 0;
  }
  const { joinCluster, leaveCluster, parseEndpoints } = await clustering();
  if (words.action === 'leave') {
    const { cluster: from, wasLast, kept } = await leaveCluster(home);
    say(
      wasLast
        ? `The cluster ${from} has ended: the configuration is that of this gateway alone.\n`
        : `This gateway has left ${from}.\n`,
    );
    if (kept !== undefined) say(`It has no configuration now. What was shared is kept in ${kept}\n`);
    return 0;
  }
  const { action: _, endpoints, ca, cert, key, userFile, ...asked } = words;
  const files = Object.entries({ ca, cert, key, userFile }).flatMap(([name, path]) =>
    path === undefined ? [] : [[name, resolve(path)] as const],
  );
  const { isFounder, kept } = await joinCluster({
    ...{ home, by: ownAuthor('shell'), version, ...asked, ...Object.fromEntries(files) },
    endpoints: parseEndpoints(endpoints, ca !== undefined),
  });
  say(
    isFounder
      ? `The cluster ${asked.cluster} begins with the configuration of this gateway, ${asked.name}.\n`
      : `${asked.name} is a gateway of ${asked.cluster}.\n`,
  );
  if (kept !== undefined)
    say(`What was here is kept in ${kept}; to add it to what the cluster has: tcli restoreconfig ${kept}\n`);
  say('To serve: tcli daemon start\n');
  return 0;
}

async function status(home: Home, json: boolean): Promise<number> {
  const found = await (await clustering()).clusterStatus(home);
  const owners = found && (await ownersKnown(home));
  if (json) say(jsonAnswer('cluster status', '/', { joined: found !== undefined, ...found, ...owners }));
  else if (found)
    for (const line of [
      ...linesOf(found),
      ...(owners ? ownerLines({ ...owners, gateways: owners.standings }, found.problem !== undefined) : []),
    ])
      say(`${printableLine(line)}\n`);
  else complain('This gateway is in no cluster. To join one: tcli cluster join --help\n');
  return found ? (found.problem === undefined ? 0 : SILENT) : NO_CLUSTER;
}

function linesOf({ cluster: name, gateway, changes, problem, members, gateways }: ClusterStatus): string[] {
  const ofMember = ({ endpoint, version, isLeader, bytes = 0, problem: why }: ClusterStatus['members'][number]) =>
    version === undefined
      ? `  ${endpoint}: ${why}`
      : `  ${endpoint}: etcd ${version}, ${printSize(bytes)}${isLeader ? ', leader' : ''}${why === undefined ? '' : `: ${why}`}`;
  return [
    `Cluster ${name}, this gateway is ${gateway}${changes === undefined ? '' : `; ${changes} changes`}`,
    ...(problem === undefined ? [] : [`Nothing can be changed: ${problem}`]),
    'etcd:',
    ...members.map(ofMember),
    ...(gateways.length > 0 ? ['Gateways:'] : []),
    ...gateways.map((one) => `  ${one.name}: on ${one.host}, tcli ${one.version}, joined ${one.joined}`),
  ];
}

/** The owners, as the process that serves here knows them; nothing where none serves, or shares. */
async function ownersKnown(home: Home): Promise<{ standings: Owners['gateways']; units: Owners['units'] } | undefined> {
  const reply = await askServer(home, { do: 'owners' }).catch(() => undefined);
  return reply?.is === 'owners' ? { standings: reply.gateways, units: reply.units } : undefined;
}

function ownerLines({ gateways, units }: Owners, isOld = false): string[] {
  const state = ({ isAlive, isDrained }: Owners['gateways'][number]) =>
    `${isAlive ? 'alive' : 'not alive'}${isDrained ? ', drained: it is to own nothing' : ''}`;
  return [
    `Who serves what${isOld ? ', as it was known last' : ''}:`,
    ...gateways.map((one) => `  ${one.name}: target port group ${one.number}, ${state(one)}`),
    ...units.map(
      ({ path, owner, epoch, prefers }) =>
        `  ${path}: ${owner === undefined ? 'nobody now' : `served by ${owner}`}, epoch ${epoch}${prefers === undefined ? '' : `, prefers ${prefers}`}`,
    ),
  ];
}
