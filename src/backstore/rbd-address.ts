/** The address of an image of a Ceph cluster: the string of user:rbd, as tcmu-runner's rbd handler takes it. */

import { OperatorError } from '../errors.ts';
import type { CephAddress } from './ceph-cluster.ts';

/** An image: its cluster, pool, namespace and name. */
export interface RbdAddress extends CephAddress {
  readonly pool: string;
  readonly namespace?: string;
  readonly image: string;
}

/** The operator's name of an image: `pool/image`. */
export const nameOfImage = ({ pool, namespace, image }: RbdAddress): string =>
  [pool, namespace, image].filter((part) => part !== undefined).join('/');

/** The options of tcmu-runner, and our names for them; `osd_op_timeout` is librados's affair, in ceph.conf. */
const options: Readonly<Record<string, string | undefined>> = { conf: 'conf', id: 'user', osd_op_timeout: undefined };

const example = 'For example: rbd/disk0;id=admin';

/**
 * Reads an address. What does not fit is not repeated: a secret may be in it (`;key=…`).
 * @param text `POOL/IMAGE`, `POOL/NAMESPACE/IMAGE`, and options behind it
 * @throws OperatorError
 */
export function parseRbdAddress(text: string): RbdAddress {
  const [path = '', ...words] = text.replace(/^\//, '').split(';');
  const [, pool, namespace, image] = /^([^/]+)\/(?:([^/]+)\/)?([^/]+)$/.exec(path) ?? [];
  if (pool === undefined || image === undefined)
    throw new OperatorError('cfgstring invalid: it is not POOL/IMAGE', example);
  const given = words.map((word): [string, string] => {
    const [, key = '', value = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
    if (!Object.hasOwn(options, key))
      throw new OperatorError('cfgstring invalid: behind POOL/IMAGE there can be conf= and id=', example);
    return [options[key] ?? '', value];
  });
  const known = Object.fromEntries(given.filter(([key]) => key !== ''));
  return { pool, ...(namespace !== undefined && { namespace }), image, ...known };
}
