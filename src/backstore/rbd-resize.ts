/** Resizing an image, whether it is served or not: the cluster asks the holder of its lock to carry it out. */

import { OperatorError } from '../errors.ts';
import type { CephCluster } from './ceph-cluster.ts';
import { within } from './patience.ts';
import { nameOfImage, type RbdAddress } from './rbd-address.ts';
import type { RbdImage } from './rbd-image.ts';
import { openImage, shapeOf, withCluster } from './rbd-volume.ts';

/** The time that it may take: other changes wait meanwhile. */
const resizeMs = 15_000;

/** The bytes of the image. @throws OperatorError */
export const sizeOfImage = (address: RbdAddress): Promise<number> =>
  withImage(address, async (cluster, image) => (await shapeOf(cluster, image)).bytes);

/** Resizes an image. @throws OperatorError */
export async function resizeImage(address: RbdAddress, size: number): Promise<void> {
  await withImage(address, async (cluster, image) => {
    await cluster.call(cluster.rbd.resize, image.handle, size);
  });
}

async function withImage<T>(
  address: RbdAddress,
  work: (cluster: CephCluster, image: RbdImage) => Promise<T>,
): Promise<T> {
  const done = withCluster(address, async (cluster) => {
    const image = await openImage(cluster, address);
    const result = await work(cluster, image).finally(() => image.close().catch(() => {}));
    cluster.leave();
    return result;
  });
  if (await within(resizeMs, done)) {
    done.catch(() => {});
    throw new OperatorError(
      `The Ceph cluster has not answered about ${nameOfImage(address)} for ${resizeMs / 1000} s`,
      'If it does it later, the storage object follows by itself.',
    );
  }
  return done;
}
