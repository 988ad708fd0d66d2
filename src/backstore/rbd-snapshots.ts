/** Snapshots and clones of an image that we have open, under its lock: the cluster keeps them, and shares the objects. */

import { OperatorError, systemErrorCode } from '../errors.ts';
import { textAt } from '../system/ffi.ts';
import { type Snapshot, type Snapshots, snapshotMissing } from './backstore.ts';
import type { CephCluster } from './ceph-cluster.ts';
import { cloneFormat, snapshotWords } from './librbd.ts';
import { nameOfImage, parseRbdAddress, type RbdAddress } from './rbd-address.ts';
import type { RbdImage } from './rbd-image.ts';

/** The number of snapshots that are asked for at one time: librbd says when there are more. */
const snapshotsMax = 1024;

/** The snapshots of an image. @param during runs work that the volume counts as its own */
export function imageSnapshots(
  cluster: CephCluster,
  { handle }: RbdImage,
  address: RbdAddress,
  during: <T>(work: () => Promise<T>) => Promise<T>,
): Snapshots {
  const { rbd } = cluster;
  return {
    list: () => during(() => list(cluster, handle)),
    create: (name) => during(async () => void (await cluster.call(rbd.createSnapshot, handle, name))),
    remove: (name) => during(() => named(name, () => cluster.call(rbd.removeSnapshot, handle, name))),
    rollback: (name) => during(() => named(name, () => cluster.call(rbd.rollback, handle, name))),
    clone: (name, config) =>
      during(() => clone(cluster, address, name, parseRbdAddress(String(config['config']).replace(/^rbd\//, '')))),
  };
}

async function list(cluster: CephCluster, handle: RbdImage['handle']): Promise<Snapshot[]> {
  const { rbd } = cluster;
  const found = new BigUint64Array(snapshotWords * snapshotsMax);
  const count = Int32Array.of(snapshotsMax);
  const snapshots = await cluster.call(rbd.snapshots, handle, found, count);
  const all = Array.from({ length: snapshots }, (_, at) => {
    const [number = 0n, size, name = 0n] = found.subarray(at * snapshotWords);
    return { number, size: Number(size), name: textAt(name) };
  });
  rbd.freeSnapshots.now(found);
  // The time is seconds, and billionths of a second.
  const time = new BigInt64Array(2);
  return all.map(({ number, ...snapshot }) => {
    const [seconds = 0n, rest = 0n] = rbd.snapshotTime.now(handle, number, time) < 0 ? [] : time;
    return { ...snapshot, madeAt: Number(seconds) * 1000 + Math.floor(Number(rest) / 1e6) };
  });
}

/** Makes the image `to` of a snapshot. @throws OperatorError where there is such an image */
async function clone(cluster: CephCluster, address: RbdAddress, name: string, to: RbdAddress): Promise<void> {
  const { rbd } = cluster;
  const [from, into] = await Promise.all([
    cluster.pool(address.pool, address.namespace),
    cluster.pool(to.pool, to.namespace),
  ]);
  const place = new BigInt64Array(1);
  rbd.createOptions.now(place);
  const [options = 0n] = place;
  try {
    rbd.setOption.now(options, cloneFormat.option, cloneFormat.unprotected);
    await named(name, () => cluster.call(rbd.clone, from, address.image, name, into, to.image, options));
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    throw new OperatorError(`There is an image ${nameOfImage(to)} already.`, 'Give the clone another name, or place.');
  } finally {
    rbd.freeOptions.now(options);
  }
}

/** Does work on the snapshot `name`. @throws OperatorError where there is no such snapshot */
async function named(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') throw snapshotMissing(name);
    throw error;
  }
}
