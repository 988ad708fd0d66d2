/**
 * user:rbd: an image of a Ceph cluster, by librbd; where that cannot be called, by qemu-nbd's rbd driver, without a lock. The string
 * is what tcmu-runner's rbd handler takes.
 */

import { OperatorError } from '../errors.ts';
import { unclaimed } from './backstore.ts';
import { ceph } from './librbd.ts';
import { openQemuVolume } from './qemu-nbd.ts';
import { resizeImage, sizeOfImage } from './rbd-resize.ts';
import { openRbdVolume, type RbdAddress } from './rbd-volume.ts';
import { roundDown, userBackstore } from './user.ts';

/** tcmu-runner's options, and ours for them; `osd_op_timeout` is librados's affair, in ceph.conf. */
const options: Readonly<Record<string, string | undefined>> = { conf: 'conf', id: 'user', osd_op_timeout: undefined };

/** An image of a Ceph cluster. */
export const userRbd = userBackstore({
  handler: 'rbd',
  doc: 'An image of a Ceph cluster, by librbd.',
  string: 'POOL/IMAGE, and behind it ;conf=FILE and ;id=USER where they are not the usual ones.',
  example: 'disk0 1G rbd/disk0',
  check: (text) => void addressOf(text),
  open(text, size, claim = unclaimed) {
    const address = addressOf(text);
    return ceph()
      ? openRbdVolume(address, size, claim)
      : openQemuVolume({ driver: 'raw', file: { driver: 'rbd', ...address } }, size);
  },
  async resize(text, before, asked) {
    if (!ceph()) throw new OperatorError('librbd is not installed', byHand(text, asked));
    const address = addressOf(text);
    const bytes = await sizeOfImage(address);
    const size = asked ?? roundDown(bytes);
    if (size > bytes) {
      await resizeImage(address, size);
      return { size, undo: () => resizeImage(address, bytes) };
    }
    // What is taken away goes when nothing can refuse the change any more. Of an image that is used in part, nothing is.
    const isWhole = before === roundDown(bytes);
    return { size, ...(isWhole && size < before && { finish: () => resizeImage(address, size) }) };
  },
  resized: (text, size) => byHand(text, size),
});

const byHand = (text: string, size: number | string = 'SIZE') =>
  `rbd resize --size ${size}B POOL/IMAGE, and then: changemedium NAME ${size} ${text}`;

/** @throws OperatorError */
function addressOf(text: string): RbdAddress {
  const [path = '', ...words] = text.replace(/^\//, '').split(';');
  const [, pool, namespace, image] = /^([^/]+)\/(?:([^/]+)\/)?([^/]+)$/.exec(path) ?? [];
  if (pool === undefined || image === undefined)
    throw new OperatorError(`cfgstring invalid: '${text}' is not POOL/IMAGE`, 'For example: rbd/disk0;id=admin');
  const given = words.map((word): [string, string] => {
    const [, key = '', value = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
    if (!Object.hasOwn(options, key)) throw new OperatorError(`cfgstring invalid: '${word}' is not one of conf=, id=`);
    return [options[key] ?? '', value];
  });
  const known = Object.fromEntries(given.filter(([key]) => key !== ''));
  return { pool, ...(namespace !== undefined && { namespace }), image, ...known };
}
