/** Joining a cluster, and leaving it. Nobody is served meanwhile: the process that serves is stopped before. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { asRefusal, ChangeLog } from '../cluster/change-log.ts';
import { openEtcd } from '../cluster/etcd.ts';
import { clusterKeys, clusterName } from '../cluster/keys.ts';
import { type GatewayEntry, type Membership, removeMembership, writeMembership } from '../cluster/membership.ts';
import { numberKeys } from '../cluster/numbers.ts';
import type { Store } from '../cluster/store.ts';
import { drainedKeys } from '../cluster/unit-records.ts';
import { makePrivateDirectory } from '../durable/atomic-file.ts';
import { inUse } from '../durable/holder.ts';
import type { Home } from '../durable/home.ts';
import { OperatorError } from '../errors.ts';
import type { Author, Operation } from '../operations/operation.ts';
import { refuseLocal } from '../operations/tpg-operations.ts';
import { dumpTree } from '../saved/saveconfig.ts';
import { type Host, openHost } from './host.ts';
import { newPart } from './options.ts';

/** The options of joining. */
export interface JoinOptions extends Omit<Membership, 'token' | 'id'> {
  readonly home: Home;
  readonly by: Author;
  readonly version: string;
  /** Gives up the configuration of this gateway for that of the cluster; it is kept in a file. */
  readonly replace: boolean;
}

/** The outcome of joining. */
export interface Joined {
  readonly isFounder: boolean;
  /** Where the configuration is kept that was here before. */
  readonly kept?: string;
}

/**
 * Joins a cluster, or founds it with the configuration of this gateway.
 * @throws OperatorError; nothing is changed here then
 */
export async function joinCluster({ home, by, version, replace, ...asked }: JoinOptions): Promise<Joined> {
  const { cluster, name } = asked;
  for (const word of [cluster, name])
    if (!clusterName.test(word))
      throw new OperatorError(
        `'${word}' is no name of a cluster or gateway.`,
        'Letters, digits, and inside of it . _ -',
      );
  const host = await held(home);
  const store = openEtcd(asked);
  let kept: string | undefined;
  let isFounder = false;
  try {
    if (host.membership)
      throw new OperatorError(
        `This gateway is ${host.membership.name} of ${host.membership.cluster} already.`,
        'Leave it first: tcli cluster leave',
      );
    const token = randomUUID();
    const entry: GatewayEntry = { token, joined: new Date().toISOString(), host: hostname(), version };
    const gateway = { key: clusterKeys(cluster).gateway(name), value: JSON.stringify(entry) };
    const changes = new ChangeLog(store, cluster, undefined, 0);
    let id = await changes.identify();
    if (id === undefined) {
      const line = {
        do: founding(host),
        ...newPart({ by, line: `cluster join: ${name}` }),
        at: entry.joined,
        gateway: name,
      };
      id = randomUUID();
      isFounder = await changes.found(line, id, [{ put: gateway.key, value: gateway.value }]);
      if (!isFounder) throw new OperatorError('Another gateway has founded the cluster just now.', 'Try again.');
    } else {
      const own = [...host.root.tree.allStorageObjects()].length + [...host.root.tree.targets()].length;
      if (own > 0 && !replace)
        throw new OperatorError(
          `The cluster ${cluster} has a configuration, and so has this gateway: ${own} storage objects and targets.`,
          'To give up what is here for what the cluster has: --replace. What is here is kept in a file, from which restoreconfig takes what the cluster lacks.',
        );
      if (own > 0) kept = await keep(host, home);
      const { succeeded } = await store.transact({
        when: [{ key: gateway.key, modified: 0 }],
        do: [{ put: gateway.key, value: gateway.value }],
      });
      if (!succeeded)
        throw new OperatorError(`A gateway of the cluster is called ${name} already.`, 'See: tcli cluster status');
    }
    await writeMembership(home.stateDirectory, { ...asked, token, id });
  } catch (error) {
    throw asRefusal(error);
  } finally {
    store.close();
    await host.close();
  }
  await (await held(home)).close();
  return { isFounder, ...(kept !== undefined && { kept }) };
}

/** The outcome of leaving. */
export interface Left {
  readonly cluster: string;
  /** Nobody else was in it: the cluster is gone, and the configuration is that of this gateway. */
  readonly wasLast: boolean;
  /** Where the configuration is kept that was shared. */
  readonly kept?: string;
}

/**
 * Leaves the cluster. The last gateway keeps the configuration; who leaves others has none any more, since they serve it.
 * @throws OperatorError; this gateway is in the cluster then
 */
export async function leaveCluster(home: Home): Promise<Left> {
  const host = await held(home);
  try {
    const { membership, shared } = host;
    if (!membership || !shared)
      throw new OperatorError('This gateway is in no cluster.', 'To join one: tcli cluster join');
    const { cluster, name } = membership;
    const { store } = shared;
    const keys = clusterKeys(cluster);
    const gateways = await store.read({ prefix: keys.gateways });
    const mine = gateways.values.find(({ key }) => key === keys.gateway(name));
    const wasLast = mine !== undefined && gateways.values.length === 1;
    const kept = wasLast ? undefined : await keep(host, home);
    if (wasLast) {
      await host.root.takeIn();
      await end(store, cluster, mine.key, mine.modified);
    } else if (mine)
      await store.transact({
        when: [{ key: mine.key, modified: mine.modified }],
        do: [mine.key, `${numberKeys(keys)}${name}`, `${drainedKeys(keys)}${name}`].map((key) => ({ delete: key })),
      });
    // Nothing that others serve is served here any more, whatever happens next.
    await host.history.renew(0, wasLast ? undefined : {});
    await removeMembership(home.stateDirectory);
    return { cluster, wasLast, ...(kept !== undefined && { kept }) };
  } catch (error) {
    throw asRefusal(error);
  } finally {
    await host.close();
  }
}

async function end(store: Store, cluster: string, key: string, modified: number): Promise<void> {
  const { succeeded } = await store.transact({
    when: [{ key, modified }],
    do: [{ deletePrefix: clusterKeys(cluster).all }],
  });
  if (!succeeded) throw new OperatorError('Something else was changed meanwhile.', 'Try again.');
}

/** The home, which nobody else has. @throws OperatorError */
async function held(home: Home): Promise<Host> {
  const host = await openHost({ home, role: 'command' });
  const { heldBy } = host;
  if (!heldBy) return host;
  await host.close();
  throw inUse(home, heldBy);
}

/** The first operation of a cluster. */
function founding({ root }: Host): Operation {
  for (const tpg of root.tree.tpgs()) for (const { storageObject } of tpg.luns.values()) refuseLocal(storageObject);
  const configuration = dumpTree(root.tree) as never;
  return { path: '/', verb: 'restoreconfig', params: { configuration, clear_existing: true } };
}

async function keep(host: Host, home: Home): Promise<string> {
  const now = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
  const path = join(home.backupDirectory, `before-cluster-${now}.json`);
  await makePrivateDirectory(home.backupDirectory);
  await host.save(path, 0);
  return path;
}
