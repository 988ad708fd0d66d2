/**
 * user:rbd: an image of a Ceph cluster, by librbd; where that cannot be called, by qemu-nbd's rbd driver, without a lock. The string
 * is what tcmu-runner's rbd handler takes.
 */

import { OperatorError } from '../errors.ts';
import { unclaimed } from './backstore.ts';
import { ceph } from './librbd.ts';
import { openQemuVolume } from './qemu-nbd.ts';
import { parseRbdAddress } from './rbd-address.ts';
import { resizeImage, sizeOfImage } from './rbd-resize.ts';
import { openRbdVolume } from './rbd-volume.ts';
import { roundDown, userBackstore } from './user.ts';

/** An image of a Ceph cluster. */
export const userRbd = userBackstore({
  handler: 'rbd',
  doc: 'An image of a Ceph cluster, by librbd.',
  string: 'POOL/IMAGE, and behind it ;conf=FILE and ;id=USER where they are not the usual ones.',
  example: 'disk0 1G rbd/disk0',
  check: (text) => void parseRbdAddress(text),
  open(text, size, claim = unclaimed) {
    const address = parseRbdAddress(text);
    // Gateways of a cluster need the lock: where librbd cannot be called, the image is not opened.
    return ceph() || claim.shutOut
      ? openRbdVolume(address, size, claim)
      : openQemuVolume({ driver: 'raw', file: { driver: 'rbd', ...address } }, size);
  },
  sharing: () => 'fences',
  async resize(text, before, asked) {
    if (!ceph()) throw new OperatorError('librbd is not installed', byHand(text, asked));
    const address = parseRbdAddress(text);
    const bytes = await sizeOfImage(address);
    const size = asked ?? roundDown(bytes);
    if (size > bytes) {
      await resizeImage(address, size);
      return { size, undo: () => resizeImage(address, bytes) };
    }
    // Bytes beyond a smaller size go when nothing can refuse the change any more. Of an image that is used in part, none go.
    const isWhole = before === roundDown(bytes);
    return { size, ...(isWhole && size < before && { finish: () => resizeImage(address, size) }) };
  },
  resized: (text, size) => byHand(text, size),
  snapshots: {
    needs: 'librbd has to be installed.',
    // The clone lies beside the image, in the same pool, and is named after its storage object.
    cloned: (text, name, where = name) =>
      text.replace(/^[^;]*/, (path) => (where.includes('/') ? where : path.replace(/[^/]+$/, where))),
  },
});

const byHand = (text: string, size: number | string = 'SIZE') =>
  `rbd resize --size ${size}B POOL/IMAGE, and then: changemedium NAME ${size} ${text}`;
