// Every listener of ours, filled with connections that say nothing: who comes and says something is answered. Not here: iSCSI
// portals, whose strangers have a share for each address (e2e/hostile.test.ts), and what is said.

import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { listenControl } from '../../src/daemon/control.ts';
import { controlSocketOf } from '../../src/daemon/control-protocol.ts';
import { encodeFrame } from '../../src/daemon/frames.ts';
import { serveMetrics } from '../../src/daemon/metrics.ts';
import { homeOf } from '../../src/durable/home.ts';
import { openHost } from '../../src/root/host.ts';
import { Places } from '../../src/system/places.ts';
import { writeRequest } from '../../src/tgt/protocol.ts';
import { listenTgt } from '../../src/tgt/server.ts';
import { ByteChannel } from '../../src/wire/byte-channel.ts';
import { hello, nbdTarget, RawClient } from '../support/nbd-target.ts';
import { freePort, temporaryDirectory } from '../support/tcli.ts';
import { vhostTarget } from '../support/vhost-target.ts';

/** A connection, once it is there. */
async function come(at: NetConnectOpts): Promise<Socket> {
  const socket = connect({ ...at, allowHalfOpen: true });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The beginning of the first answer to `words`. */
async function ask(at: NetConnectOpts, words: string | Uint8Array): Promise<string> {
  const socket = await come(at);
  socket.write(words);
  const [bytes] = await once(socket, 'data');
  return String(bytes);
}

interface Listener {
  readonly at: NetConnectOpts;
  readonly places: number;
  /** Somebody who says something. */
  readonly comer: () => Promise<unknown>;
  readonly isAnswered: unknown;
}

const serving = async () => {
  const host = await openHost({ home: homeOf(temporaryDirectory(), {}, undefined), role: 'serve' });
  onTestFinished(() => host.close());
  const createSession = () => ({ receive: () => false, hangUp: () => {} });
  const startedBy = { what: 'hand' } as const;
  const control = await listenControl({ host, role: 'serve', startedBy, version: '1', log: () => {}, createSession });
  onTestFinished(() => control.close());
  return { host, control };
};

const listeners: Readonly<Record<string, () => Promise<Listener>>> = {
  async 'the control socket'() {
    const { host } = await serving();
    const at = { path: controlSocketOf(host.home) };
    const comer = () => ask(at, encodeFrame({ tcli: 1 }));
    return { at, places: 256, comer, isAnswered: expect.stringContaining('"role":"serve"') };
  },
  async metrics() {
    const { host, control } = await serving();
    const [address, port] = ['127.0.0.1', await freePort()];
    const options = { host, log: () => {}, at: { address, port }, status: () => control.status(), events: new Map() };
    onTestFinished(await serveMetrics(options));
    const at = { host: address, port };
    const comer = () => ask(at, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    return { at, places: 16, comer, isAnswered: expect.stringContaining('200 OK') };
  },
  async 'the socket of tgtd'() {
    const { host } = await serving();
    const path = join(temporaryDirectory(), 'socket');
    onTestFinished(await listenTgt({ host, log: () => {}, path, stop: () => {} }));
    const comer = () => ask({ path }, writeRequest({ mode: 'system', op: 'show', deviceType: 0 }));
    return { at: { path }, places: 256, comer, isAnswered: expect.stringContaining('State: ready') };
  },
  async 'the socket of a loopback target'() {
    const path = join(temporaryDirectory(), 'nbd');
    const { server } = nbdTarget(undefined, path);
    await server.open();
    onTestFinished(() => server.close());
    const comer = async () => {
      const client = new RawClient(new ByteChannel(await come({ path })));
      const greeting = await client.greet();
      return [greeting, (await client.option(3)).length];
    };
    return { at: { path }, places: 64, comer, isAnswered: [hello, 2] };
  },
  async 'the socket of a vhost target'() {
    const { driver, socket: path } = await vhostTarget();
    return {
      at: { path },
      places: 1,
      comer: async () => (await driver()).command([0]),
      isAnswered: expect.objectContaining({ status: 0 }),
    };
  },
};

it.each(Object.entries(listeners))('%s: those that say nothing keep nobody out', async (_name, open) => {
  const { at, places, comer, isAnswered } = await open();
  // On a slow machine the first of them are closed because they have said nothing for too long. Then there are free places.
  for (let i = 0; i < places; i += 1) await come(at);
  expect(await comer()).toEqual(isAnswered);
});

it('the one that has been silent the longest makes way, and none that has something under way', () => {
  const busy = new Set<string>();
  const dropped: string[] = [];
  const places = new Places<string>({ most: 3, isBusy: (one) => busy.has(one), drop: (one) => dropped.push(one) });
  for (const one of ['a', 'b', 'c']) expect(places.enter(one)).toBe(true);
  places.heard('a');
  busy.add('b');
  expect([places.enter('d'), dropped]).toEqual([true, ['c']]);
  places.leave('d');
  expect([places.enter('e'), dropped]).toEqual([true, ['c']]);
  for (const one of ['a', 'e']) busy.add(one);
  expect([places.enter('f'), [...places]]).toEqual([false, ['b', 'a', 'e']]);
});
