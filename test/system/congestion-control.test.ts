// A connection of the machine with itself is not paced. It does not test throughput: `npm run bench` does.

import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { setCongestionControl, stopPacing } from '../../src/system/congestion-control.ts';
import { foreignCall } from '../../src/system/ffi.ts';
import { needs } from '../support/needs.ts';

const getsockopt = foreignCall('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);

function controlOf(fd: number): string {
  const name = Buffer.alloc(16);
  getsockopt()!.now(fd, 6, 13, name, new Uint32Array([name.length]));
  return name.toString('latin1').replace(/\0.*$/s, '');
}

async function connected(): Promise<number> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer(accepted.resolve);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1');
  const socket = await accepted.promise;
  onTestFinished(() => {
    for (const one of [client, socket]) one.destroy();
    server.close();
  });
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

const machines = () => readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1').trim();

it('leaves a machine that does not pace alone, and replaces BBR', needs('koffi'), async () => {
  const fd = await connected();
  const before = controlOf(fd);
  stopPacing(fd);
  expect(controlOf(fd)).toBe(machines().startsWith('bbr') ? 'cubic' : before);
});

it('takes the control that is named, and keeps it where there is none of a name', needs('koffi'), async () => {
  const fd = await connected();
  setCongestionControl(fd, 'reno');
  expect(controlOf(fd)).toBe('reno');
  setCongestionControl(fd, 'nosuch');
  expect(controlOf(fd)).toBe('reno');
});

it('a descriptor that is no socket is left as it is', () => {
  expect(() => stopPacing(-1)).not.toThrow();
});
