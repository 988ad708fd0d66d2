/** The acts of a program on a cluster as a whole. */

export { parseEndpoints } from '../cluster/etcd.ts';
export { clusterStatus } from './cluster-status.ts';
export { joinCluster, leaveCluster } from './joining.ts';
