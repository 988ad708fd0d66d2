/** The status of a cluster as one of its gateways sees it, serving or not. */

import { ChangeLog } from '../cluster/change-log.ts';
import { openEtcd } from '../cluster/etcd.ts';
import { clusterKeys } from '../cluster/keys.ts';
import { type GatewayEntry, readMembership } from '../cluster/membership.ts';
import type { StoreMember } from '../cluster/store.ts';
import type { Home } from '../durable/home.ts';
import { parseJson, reasonOf } from '../errors.ts';

/** The status of a cluster. Plain data, without secrets. */
export interface ClusterStatus {
  readonly cluster: string;
  /** The name of this gateway. */
  readonly gateway: string;
  /** The number of changes of the shared tree. */
  readonly changes?: number;
  /** The reason why nothing can be changed now. */
  readonly problem?: string;
  /** The members of etcd. */
  readonly members: readonly StoreMember[];
  readonly gateways: readonly (Omit<GatewayEntry, 'token'> & { readonly name: string })[];
}

/** @returns undefined where there is no cluster. @throws OperatorError for files that cannot be read */
export async function clusterStatus(home: Home): Promise<ClusterStatus | undefined> {
  const membership = readMembership(home.stateDirectory);
  if (!membership) return undefined;
  const { cluster, name: gateway, id } = membership;
  const store = openEtcd(membership);
  const members = store.members();
  try {
    const changes = new ChangeLog(store, cluster, id, 0);
    const found = await changes.identify();
    const prefix = clusterKeys(cluster).gateways;
    const gateways = (await store.read({ prefix })).values.map(({ key, value }) => {
      const { joined, host, version } = parseJson(value) as GatewayEntry;
      return { name: key.slice(prefix.length), host, version, joined };
    });
    const problem =
      found === undefined
        ? 'the cluster is not in etcd any more'
        : gateways.every(({ name }) => name !== gateway) && `${gateway} was taken out of the cluster`;
    return {
      ...{ cluster, gateway, members: await members, gateways, changes: changes.changes ?? 0 },
      ...(problem && { problem }),
    };
  } catch (error) {
    return { cluster, gateway, problem: reasonOf(error), members: await members, gateways: [] };
  } finally {
    store.close();
  }
}
