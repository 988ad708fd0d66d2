// Connections that share an event loop: real sockets, real framing, and a clock of the test's own, by which every request takes a while.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Output } from '../../src/iscsi/output.ts';
import { headerBytes } from '../../src/iscsi/pdu.ts';
import { PduReader } from '../../src/iscsi/pdu-reader.ts';
import { type Protocol, SocketTransport } from '../../src/iscsi/socket-transport.ts';

/** So many requests fill a time slice of 0.1 ms. */
const perSlice = 2;
const requestMs = 0.06;
/** The longest slice, which a client has beside whom nobody waits. */
const longestMs = 1;
/** The clock goes on when it is looked at, too: a loop that waits for a time comes to an end. */
const lookMs = 0.0005;

/** A server that notes whose requests it serves, and in how many portions they are fed. */
async function server(): Promise<{
  readonly clock: { now: number };
  readonly served: string[];
  readonly left: string[];
  readonly portions: Map<string, number>;
  readonly outputs: Map<string, Output>;
  onRequest: (name: string) => void;
  client(name: string): Promise<Socket>;
}> {
  const clock = { now: 0 };
  vi.spyOn(performance, 'now').mockImplementation(() => {
    clock.now += lookMs;
    return clock.now;
  });
  const served: string[] = [];
  const left: string[] = [];
  const portions = new Map<string, number>();
  const outputs = new Map<string, Output>();
  const names: string[] = [];
  const sockets: Socket[] = [];
  const listener = createServer({ pauseOnConnect: true }, (socket) => {
    const name = names.shift()!;
    const reader = new PduReader({
      onWhole() {
        clock.now += requestMs;
        served.push(name);
        shared.onRequest(name);
        return true;
      },
      onHeader: () => undefined,
      onData() {},
    });
    const protocol: Protocol = {
      wanted: undefined,
      left: 0,
      headerBytes,
      settled: true,
      feed(bytes, start, end) {
        portions.set(name, (portions.get(name) ?? 0) + 1);
        return reader.feed(bytes, start, end);
      },
      filled() {},
      lend: () => undefined,
      took() {},
      drained() {},
      async close() {
        left.push(name);
      },
    };
    new SocketTransport(socket, (output) => {
      outputs.set(name, output);
      return protocol;
    });
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    for (const one of sockets) one.destroy();
    listener.close();
    vi.restoreAllMocks();
  });
  const shared = {
    clock,
    served,
    left,
    portions,
    outputs,
    onRequest: (_: string) => {},
    async client(name: string) {
      names.push(name);
      const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
      sockets.push(socket);
      await once(socket, 'connect');
      send(socket, 1);
      while (!served.includes(name)) await new Promise(setImmediate);
      return socket;
    },
  };
  return shared;
}

const send = (socket: Socket, requests: number) => void socket.write(Buffer.alloc(requests * headerBytes));

it('a client that sends one request beside one that has sent many waits for a time slice or two, and nothing is lost', async () => {
  const shared = await server();
  const [many, one] = [await shared.client('many'), await shared.client('one')];
  shared.served.length = 0;
  // The one comes when the many are being served.
  shared.onRequest = (name) => {
    if (name === 'many' && shared.served.length === 1) send(one, 1);
  };
  send(many, 20);
  while (shared.served.length < 21) await new Promise(setImmediate);
  expect(shared.served.filter((name) => name === 'many')).toHaveLength(20);
  expect(shared.served.indexOf('one')).toBeGreaterThanOrEqual(perSlice);
  expect(shared.served.indexOf('one')).toBeLessThanOrEqual(3 * perSlice);
});

it('a client beside which nobody waits is served without a break, and its answers go out together', async () => {
  const shared = await server();
  const [many, one] = [await shared.client('many'), await shared.client('one')];
  shared.portions.clear();
  send(many, 10);
  while (shared.served.length < 12) await new Promise(setImmediate);
  expect(shared.portions.get('many')).toBe(1);
  // Devices and timers get their turn all the same, after a millisecond.
  send(many, 40);
  while (shared.served.length < 52) await new Promise(setImmediate);
  expect(shared.portions.get('many')).toBe(1 + 3);
  // A client that has left is no company.
  one.destroy();
  while (!shared.left.includes('one')) await new Promise(setImmediate);
  shared.portions.clear();
  send(many, 40);
  while (shared.served.length < 92) await new Promise(setImmediate);
  expect(shared.portions.get('many')).toBe(1);
});

it('a rest waits while the client takes no answers, and goes on when it takes them', async () => {
  const shared = await server();
  const [many] = [await shared.client('many'), await shared.client('one')];
  const output = shared.outputs.get('many')!;
  const [requests, answerBytes] = [200, 128 * 1024];
  shared.served.length = 0;
  shared.onRequest = () => {
    const at = output.room(answerBytes);
    output.bytes.fill(1, at, at + answerBytes);
    output.commit(answerBytes);
  };
  send(many, requests);
  while (!output.blocked) await new Promise(setImmediate);
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  expect(shared.served.length).toBeLessThan(requests);
  let bytes = 0;
  many.on('data', (data: Buffer) => {
    bytes += data.length;
  });
  while (bytes < requests * answerBytes) await new Promise(setImmediate);
  expect([shared.served.length, bytes]).toEqual([requests, requests * answerBytes]);
});

it('a rest is dropped with its connection, and the others go on', async () => {
  const shared = await server();
  const [many, one] = [await shared.client('many'), await shared.client('one')];
  shared.served.length = 0;
  shared.onRequest = (name) => {
    if (name === 'many') shared.outputs.get('many')!.cut!();
  };
  send(many, 100);
  while (!shared.left.includes('many')) await new Promise(setImmediate);
  send(one, 1);
  while (!shared.served.includes('one')) await new Promise(setImmediate);
  // The longest slice goes on in steps of a short one, and nothing is served behind it.
  const longest = Math.ceil(longestMs / (perSlice * requestMs)) * perSlice;
  expect(shared.served.filter((name) => name === 'many').length).toBeLessThanOrEqual(longest);
});
