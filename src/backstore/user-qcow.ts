/** user:qcow: a qcow2 image, with its snapshots, backing files and compression, by qemu-nbd. */

import { isAbsolute } from 'node:path';
import { OperatorError } from '../errors.ts';
import { openQemuVolume } from './qemu-nbd.ts';
import { userBackstore } from './user.ts';

export const userQcow = userBackstore({
  handler: 'qcow',
  doc: 'A qcow2 image, by qemu-nbd.',
  string: 'The path of the image; qemu-img create -f qcow2 makes one.',
  example: 'disk0 1G /srv/disk0.qcow2',
  check(path) {
    if (!isAbsolute(path)) throw new OperatorError(`cfgstring invalid: '${path}' is no absolute path`);
  },
  open: (path, size) => openQemuVolume({ driver: 'qcow2', file: { driver: 'file', filename: path } }, size),
  resized: (path, size) =>
    `While nothing serves it (tcli daemon stop): qemu-img resize ${path} ${size}, and then: changemedium NAME ${size} ${path}`,
});
