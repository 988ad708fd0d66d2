// qemu-storage-daemon on a file, a peer without iSCSI: for guests by vhost-user, for others by NBD.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from './servers.ts';

/** An export of a file: the words of the program, and the URL for clients. */
export interface StorageExport {
  readonly words: readonly string[];
  readonly url: string;
}

const startMs = 10_000;

/** The virtio-blk device of vhost-user, `bytes` long. */
export const vhostExport =
  (file: string, bytes: number) =>
  (socket: string): StorageExport => ({
    words: [
      ...['--blockdev', `driver=file,node-name=disk,filename=${file},locking=off`],
      ...['--export', `type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=${socket},writable=on`],
    ],
    url: `vhost:blk:${socket}:${bytes}`,
  });

/** NBD, of a file or block device, by io_uring. */
export const nbdExport =
  (path: string) =>
  (socket: string): StorageExport => {
    const driver = path.startsWith('/dev/') ? 'host_device' : 'file';
    return {
      words: [
        ...['--blockdev', `driver=${driver},node-name=disk,filename=${path},aio=io_uring,locking=off`],
        ...['--nbd-server', `addr.type=unix,addr.path=${socket}`],
        ...['--export', 'type=nbd,id=export,node-name=disk,name=disk,writable=on'],
      ],
      url: `nbd+unix:///disk?socket=${socket}`,
    };
  };

export async function startStorageDaemon(name: string, exported: (socket: string) => StorageExport): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'tcli-bench-'));
  const socket = join(folder, 'socket');
  const { words, url } = exported(socket);
  const child = spawn('qemu-storage-daemon', words, { stdio: 'ignore' });
  for (const begin = Date.now(); !existsSync(socket); await sleep(20))
    if (child.exitCode !== null || Date.now() - begin > startMs) throw new Error('qemu-storage-daemon does not start');
  return {
    name,
    urls: [url],
    pid: child.pid,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}
