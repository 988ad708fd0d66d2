/**
 * The exclusive lock of an RBD image: its holder, and taking it. A holder that lives is left alone unless an operator has said otherwise;
 * a holder that does not is first shut out of the cluster, so that no request of it comes later.
 */

import { OperatorError, systemErrorCode } from '../errors.ts';
import { textAt } from '../system/ffi.ts';
import type { Claim } from './backstore.ts';
import { bareAddress, type CephCluster } from './ceph-cluster.ts';
import { exclusive, feature, watcherWords } from './librbd.ts';
import type { RbdImage } from './rbd-image.ts';

/** The number of holders that are asked for: one client has an exclusive lock, and more are counted while it changes hands. */
const ownersMax = 8;
const watchersMax = 64;
/** The error number of the kernel that means "no lock now". */
const nobody = 'ENOENT';

/** The client that holds an image's lock, by its address; undefined when nobody does. @throws a system error */
async function holderOf(cluster: CephCluster, { handle }: RbdImage): Promise<string | undefined> {
  const { rbd } = cluster;
  const mode = new Int32Array(1);
  const owners = new BigInt64Array(ownersMax);
  const count = new BigInt64Array([BigInt(ownersMax)]);
  try {
    await cluster.call(rbd.owners, handle, mode, owners, count);
  } catch (error) {
    if (systemErrorCode(error) === nobody) return undefined;
    throw error;
  }
  const [owner = 0n] = owners;
  if (count[0] === 0n) return undefined;
  const address = textAt(owner);
  rbd.freeOwners.now(owners, count[0]);
  return address;
}

/**
 * The addresses of clients that watch the image: each that has it open tells the cluster again and again that it lives. @throws a system
 * error
 */
async function watchersOf(cluster: CephCluster, { handle }: RbdImage): Promise<string[]> {
  const { rbd } = cluster;
  const watchers = new BigInt64Array(watcherWords * watchersMax);
  const count = new BigInt64Array([BigInt(watchersMax)]);
  await cluster.call(rbd.watchers, handle, watchers, count);
  const addresses = Array.from({ length: Number(count[0]) }, (_, at) => textAt(watchers[at * watcherWords]!));
  rbd.freeWatchers.now(watchers, count[0]);
  return addresses;
}

/**
 * Takes the lock, for as long as the image is open. @param name the operator's name of the image
 * @throws OperatorError when a holder lives
 */
export async function takeLock(cluster: CephCluster, image: RbdImage, name: string, claim: Claim): Promise<void> {
  const { rbd } = cluster;
  const features = new BigUint64Array(1);
  await cluster.call(rbd.features, image.handle, features);
  const [offered = 0n] = features;
  if ((offered & feature.exclusiveLock) === 0n)
    throw new OperatorError(
      `The image ${name} has no exclusive lock: two gateways could write to it at once`,
      `To give it one: rbd feature enable ${name} exclusive-lock`,
    );
  // An earlier owner may come without the lock, too: with what it sent before, or to take the lock.
  await cluster.shutOutOthers(claim.shutOut ?? []);
  const holder = await holderOf(cluster, image);
  if (holder !== undefined) await makeWay(cluster, image, name, holder, claim);
  // The next process then knows which client to shut out, whatever becomes of this one.
  await claim.keep(cluster.client);
  try {
    await cluster.call(rbd.lock, image.handle, exclusive);
  } catch (error) {
    const who = await holderOf(cluster, image).catch(() => undefined);
    if (who !== undefined) throw held(name, who);
    throw error;
  }
}

/** Makes a holder give way. @throws OperatorError when it stays */
async function makeWay(
  cluster: CephCluster,
  image: RbdImage,
  name: string,
  holder: string,
  { earlier, over, shutOut = [] }: Claim,
): Promise<void> {
  const address = bareAddress(holder);
  if (address === cluster.client)
    throw new OperatorError(`The image ${name} is open here already, behind another storage object`);
  const isMeant = over === 'anybody' || (over !== undefined && bareAddress(over) === address);
  if (!isMeant && ![...earlier, ...shutOut.map(bareAddress)].includes(address)) {
    const watchers = await watchersOf(cluster, image);
    if (watchers.some((one) => bareAddress(one) === address)) throw held(name, address);
  }
  // Breaking the lock shuts the holder out, too, but for an hour, and an entry that is there stays as it is.
  await cluster.shutOutOthers([holder]);
  await cluster.call(cluster.rbd.breakLock, image.handle, exclusive, holder);
}

const held = (name: string, holder: string) =>
  new OperatorError(
    `The image ${name} is in use by another client, ${bareAddress(holder)}, which is alive`,
    `It is served here once that one has closed it, or is gone for 30 s (rbd status ${name} shows it). To shut it out and serve it here at once: reopen force=true`,
  );

/** Whether the lock is ours, as the cluster sees it. @throws a system error: ESHUTDOWN when we are shut out */
export async function holdsLock(cluster: CephCluster, { handle }: RbdImage): Promise<boolean> {
  const isOwner = new Int32Array(1);
  await cluster.call(cluster.rbd.isOwner, handle, isOwner);
  return isOwner[0] === 1;
}
