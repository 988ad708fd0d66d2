/** user:nbd: an export of an NBD server: nbdkit, qemu-nbd, another tcli … */

import { openNbdConnection } from './nbd-connection.ts';
import { parseNbdUri } from './nbd-uri.ts';
import { openNbdVolume } from './nbd-volume.ts';
import { userBackstore } from './user.ts';

/** An export of an NBD server. */
export const userNbd = userBackstore({
  handler: 'nbd',
  doc: 'An export of an NBD server.',
  string: 'An NBD URI: nbd://HOST:PORT/EXPORT, nbds://… with TLS, nbd+unix:///EXPORT?socket=PATH.',
  example: 'disk0 1G nbd://127.0.0.1/disk0',
  check: (uri) => void parseNbdUri(uri),
  async open(uri, size) {
    const address = parseNbdUri(uri);
    return openNbdVolume({ connect: () => openNbdConnection(address) }, size);
  },
  // Where it is a matter of this machine, another gateway does not find it.
  sharing: (uri) => ('host' in parseNbdUri(uri).socket ? 'trusts' : undefined),
  resized: (uri, size) => `When its server has it: changemedium NAME ${size} ${uri}`,
});
