/** The space that an RBD image takes, by its object map, and the space that is left in its pool. */

import { systemErrorCode } from '../errors.ts';
import type { Space } from './backstore.ts';
import type { CephCluster } from './ceph-cluster.ts';
import { feature } from './librbd.ts';
import type { RbdImage } from './rbd-image.ts';

/** The bytes of an image's number in its pool, as text. */
const idBytesMax = 256;
/**
 * An object map, as librbd keeps it beside the image: the length of its head, the head (version, compatible version, length,
 * objects), and two bits for each object, 0 where there is none.
 */
const headLengthBytes = 4;
const objectsAt = headLengthBytes + 6;
const bitsAt = objectsAt + 8;
const objectsPerByte = 4;
/** The number of objects in each value of a byte of a map. */
const countOf = Uint8Array.from({ length: 256 }, (_, byte) =>
  [0, 2, 4, 6].reduce((sum, shift) => sum + (((byte >> shift) & 3) === 0 ? 0 : 1), 0),
);

interface PoolAndNamespace {
  readonly pool: string;
  readonly namespace?: string;
}

/** The space of an image. @throws a system error, or Error where the cluster does not say it */
export async function spaceOfImage(
  cluster: CephCluster,
  image: RbdImage,
  { pool, namespace }: PoolAndNamespace,
  bytes: number,
  objectBytes: number,
): Promise<Space> {
  const [allocated, available] = await Promise.all([
    allocatedOf(cluster, image, await cluster.pool(pool, namespace), bytes, objectBytes),
    availableIn(cluster, pool),
  ]);
  return { allocated, available };
}

/**
 * The bytes of an image's whole objects, of which there may be a part only: `rbd du` counts them so. An image without a map may take all
 * of its size.
 */
async function allocatedOf(
  cluster: CephCluster,
  { handle }: RbdImage,
  pool: number,
  bytes: number,
  objectBytes: number,
): Promise<number> {
  const { rados, rbd } = cluster;
  const features = new BigUint64Array(1);
  await cluster.call(rbd.features, handle, features);
  const [offered = 0n] = features;
  if ((offered & feature.objectMap) === 0n) return bytes;
  const id = Buffer.alloc(idBytesMax);
  await cluster.call(rbd.id, handle, id, id.length);
  const objects = Math.ceil(bytes / objectBytes);
  const map = Buffer.alloc(bitsAt + Math.ceil(objects / objectsPerByte));
  try {
    await cluster.call(
      rados.readObject,
      pool,
      `rbd_object_map.${id.toString('utf8', 0, id.indexOf(0))}`,
      map,
      map.length,
      0,
    );
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return bytes;
    throw error;
  }
  let count = 0;
  for (const byte of map.subarray(bitsAt)) count += countOf[byte] ?? 0;
  return Math.min(bytes, count * objectBytes);
}

async function availableIn(cluster: CephCluster, pool: string): Promise<number> {
  const answer = (await cluster.ask({ prefix: 'df', format: 'json' })) as {
    readonly pools?: readonly { readonly name: string; readonly stats: { readonly max_avail?: number } }[];
  };
  const found = answer.pools?.find(({ name }) => name === pool)?.stats.max_avail;
  if (found === undefined) throw new Error(`the cluster does not say what is left in the pool ${pool}`);
  return found;
}
