/**
 * The exclusive lock of an RBD image: its holder, and taking it. A holder that lives is left alone unless an operator has said otherwise;
 * a holder that does not is first shut out of the cluster, so that no request of it comes later.
 */

import { OperatorError, systemErrorCode } from '../errors.ts';
import { textAt } from '../system/ffi.ts';
import type { Claim } from './backstore.ts';
import { bareAddress, type CephCluster } from './ceph-cluster.ts';
import { exclusive, feature, watcherWords } from './librbd.ts';
import { nameOfImage, type RbdAddress } from './rbd-address.ts';
import type { RbdImage } from './rbd-image.ts';

/** The number of holders that are asked for: one client has an exclusive lock, and more are counted while it changes hands. */
const ownersMax = 8;
const watchersMax = 64;
/** The lock in the header of an image, as librbd names it, and the room for the texts of its holders. */
const lockName = 'rbd_lock';
const lockTextBytes = 4096;
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
 * Takes the lock, for as long as the image is open.
 * @throws OperatorError when a holder lives
 */
export async function takeLock(cluster: CephCluster, image: RbdImage, place: RbdAddress, claim: Claim): Promise<void> {
  const { rbd } = cluster;
  const name = nameOfImage(place);
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
  if (holder !== undefined) await makeWay(cluster, image, place, holder, claim);
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
  place: RbdAddress,
  holder: string,
  { earlier, over, shutOut = [] }: Claim,
): Promise<void> {
  const name = nameOfImage(place);
  const address = bareAddress(holder);
  if (address === cluster.client)
    throw new OperatorError(`The image ${name} is open here already, behind another storage object`);
  const isMeant = over === 'anybody' || (over !== undefined && bareAddress(over) === address);
  if (!isMeant && ![...earlier, ...shutOut.map(bareAddress)].includes(address)) {
    const watchers = await watchersOf(cluster, image);
    if (watchers.some((one) => bareAddress(one) === address)) throw held(name, address);
  }
  await cluster.shutOutOthers([holder]);
  await breakLock(cluster, image, await cluster.pool(place.pool, place.namespace), address);
}

/**
 * Takes the lock away from a client that is shut out. librbd's own call would shut it out once more: that takes a second, and would
 * last an hour.
 */
async function breakLock(cluster: CephCluster, { handle }: RbdImage, pool: number, holder: string): Promise<void> {
  const { rados, rbd } = cluster;
  const id = Buffer.alloc(lockTextBytes);
  await cluster.call(rbd.id, handle, id, id.length);
  const header = `rbd_header.${textsIn(id)[0]}`;
  const isExclusive = new Int32Array(1);
  const list = () => ({ text: Buffer.alloc(lockTextBytes), length: new BigUint64Array([BigInt(lockTextBytes)]) });
  const [tag, names, cookies, addresses] = [list(), list(), list(), list()];
  const places = [tag, names, cookies, addresses].flatMap(({ text, length }) => [text, length]);
  await cluster.call(rados.lockers, pool, header, lockName, isExclusive, ...places);
  const at = textsIn(addresses.text).findIndex((one) => bareAddress(one) === holder);
  // The holder has let go of the lock meanwhile.
  if (at < 0) return;
  const [name, cookie] = [textsIn(names.text)[at], textsIn(cookies.text)[at]];
  await cluster.call(rados.breakLock, pool, header, lockName, name, cookie);
}

/** Texts that stand behind one another, each with a zero behind it. */
const textsIn = (bytes: Buffer): string[] => bytes.toString('utf8').split('\0');

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
