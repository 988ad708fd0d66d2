/** user:rbd: an image of a Ceph cluster, by qemu-nbd's rbd driver. The string is what tcmu-runner's rbd handler takes. */

import { OperatorError } from '../errors.ts';
import { type BlockNode, openQemuVolume } from './qemu-nbd.ts';
import { userBackstore } from './user.ts';

/** tcmu-runner's option → QEMU's; `osd_op_timeout` is librados's affair, in ceph.conf. */
const options: Readonly<Record<string, string | undefined>> = { conf: 'conf', id: 'user', osd_op_timeout: undefined };

/** An image of a Ceph cluster. */
export const userRbd = userBackstore({
  handler: 'rbd',
  doc: 'An image of a Ceph cluster, by qemu-nbd.',
  string: 'POOL/IMAGE, and behind it ;conf=FILE and ;id=USER where they are not the usual ones.',
  example: 'disk0 1G rbd/disk0',
  check: (text) => void nodeOf(text),
  open: (text, size) => openQemuVolume({ driver: 'raw', file: nodeOf(text) }, size),
  resized: (text, size) => `rbd resize --size ${size}B POOL/IMAGE, and then: changemedium NAME ${size} ${text}`,
});

/** @throws OperatorError */
function nodeOf(text: string): BlockNode {
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
  return { driver: 'rbd', pool, ...(namespace !== undefined && { namespace }), image, ...known };
}
