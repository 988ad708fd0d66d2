/** The socket of a vhost target, and the words that a virtual machine monitor needs for it. */

import { join } from 'node:path';
import type { Target } from '../target/target.ts';

/** The Unix socket that a front-end connects to. */
export const socketPath = (target: Target, runDirectory: string): string => join(runDirectory, `${target.wwn}.vhost`);

/** The lines of `info` for an operator who starts a virtual machine. QEMU shares the guest's memory where it is a memfd, which QEMU seals. */
export const clientLines = (target: Target, runDirectory: string): Readonly<Record<string, string>> => {
  const socket = socketPath(target, runDirectory);
  return {
    socket,
    qemu: [
      'qemu-system-x86_64 -m 1024',
      '-object memory-backend-memfd,id=mem,size=1024M,share=on,seal=on -machine memory-backend=mem',
      // In a value of QEMU's, a comma is written twice.
      `-chardev socket,id=${target.wwn},path=${socket.replaceAll(',', ',,')}`,
      `-device vhost-user-scsi-pci,chardev=${target.wwn}`,
    ].join(' '),
  };
};
