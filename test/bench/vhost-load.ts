// The vhost side of a bench: the front-end that stands for a guest, and this program as who serves one.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output } from './output.ts';
import type { Server, TcliServer } from './servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'tcli-bench-'));
const program = join(folder, 'vhost-load');
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Builds the front-end, once. */
export function buildFrontEnd(): void {
  if (!existsSync(program)) execFileSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'vhost-load.c')]);
}

/** `vhost:KIND:SOCKET:BYTES`, KIND being scsi or blk. */
export const isVhost = (url: string): boolean => url.startsWith('vhost:');

/** @param mode as isload has it @returns what it says of itself: `iops=… p50=… p99=…` */
export function runFrontEnd(url: string, mode: string, bytes: number, depth: number, seconds: number): Promise<string> {
  const [, kind = '', socket = '', size = ''] = url.split(':');
  return output(program, [kind, socket, mode, String(bytes), String(depth), String(seconds), size]);
}

/** The vhost targets of a process that serves them besides. @param sockets of each disk, `bytes` long */
export const besides = ({ name, pid }: TcliServer, sockets: readonly string[], bytes: number): Server => ({
  name: `${name} vhost`,
  urls: sockets.slice(0, 1).map((socket) => `vhost:scsi:${socket}:${bytes}`),
  pid,
  stop: async () => {},
});
