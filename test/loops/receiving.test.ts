// The loop that receives, and the ways of connections to the others: a route that is withdrawn, a loop that is not there, a
// target that is gone. The loops themselves are played by the test (the real ones: loops.test.ts).

import { connect, Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { homeOf } from '../../src/durable/home.ts';
import { Calls, offerObject } from '../../src/loops/calls.ts';
import { takerBoundary } from '../../src/loops/loop.ts';
import { Receiving } from '../../src/loops/receiving.ts';
import { openHost } from '../../src/root/host.ts';
import { freePort } from '../support/free-port.ts';
import { Initiator } from '../support/initiator.ts';
import { makeFolder, removeFolder } from '../support/scratch.ts';

const wwn = 'iqn.2003-01.org.example:a';
const path = `/iscsi/${wwn}`;

/** A receiving loop with one target, that nobody serves yet; `takenHere` is what it answers itself. */
async function receive() {
  const folder = makeFolder();
  const host = await openHost({ home: homeOf(folder, {}, undefined), role: 'shell' });
  onTestFinished(async () => {
    await host.close();
    removeFolder(folder);
  });
  const port = await freePort();
  await host.root.apply({ path: '/iscsi', verb: 'create', params: { wwn } });
  await host.root.apply({ path, verb: 'create', params: { tag: 1 } });
  const portal = { ip_address: '127.0.0.1', ip_port: port };
  await host.root.apply({ path: `${path}/tpg1/portals`, verb: 'create', params: portal });
  await host.root.apply({ path: `${path}/tpg1`, verb: 'enable', params: {} });
  const takenHere: string[] = [];
  const receiving = new Receiving({
    tree: host.root.tree,
    log: () => {},
    isHere: () => false,
    take: (_fabric, { targetName, socket }) => {
      takenHere.push(targetName);
      socket.destroy();
    },
  });
  onTestFinished(() => receiving.stop());
  await receiving.begin([], 0);
  await receiving.reconcile();
  return { host, port, receiving, takenHere };
}

/** Another loop, which takes connections when the test says so. */
function loop() {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port2.close());
  const asked: (() => void)[] = [];
  let came = () => {};
  const take = (_fabric: string, { socket }: { socket: number }) =>
    new Promise<void>((resolve) => {
      asked.push(() => {
        new Socket({ fd: socket }).destroy();
        resolve();
      });
      came();
    });
  new Calls(port2, offerObject({ take }, takerBoundary));
  const next = async () => {
    if (asked.length === 0)
      await new Promise<void>((resolve) => {
        came = resolve;
      });
    return asked.shift()!;
  };
  return { port: port1, end: () => port2.close(), next };
}

/** An initiator that has named the target. @returns resolves when its connection is gone from here */
function name(port: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {}).resume();
  const initiator = new Initiator(wwn, (bytes) => void socket.write(bytes));
  initiator.login().catch(() => {});
  return new Promise((resolve) => void socket.on('close', () => resolve()));
}

it('a route is withdrawn when nobody is on the way by it any more; who comes meanwhile waits for the next', async () => {
  const { port, receiving } = await receive();
  const [first, second] = [loop(), loop()];
  receiving.reach(1, first.port);
  receiving.reach(2, second.port);
  await receiving.route([path], 1);
  void name(port);
  const arrive = await first.next();
  const done: string[] = [];
  const withdrawn = receiving.route([path], undefined).then(() => done.push('withdrawn'));
  const late = name(port);
  done.push('still on the way');
  arrive();
  await withdrawn;
  expect(done).toEqual(['still on the way', 'withdrawn']);
  await receiving.route([path], 2);
  (await second.next())();
  await late;
});

it('a connection whose loop has died goes to the one that takes its place', async () => {
  const { port, receiving } = await receive();
  const [first, second] = [loop(), loop()];
  receiving.reach(1, first.port);
  await receiving.route([path], 1);
  const lost = name(port);
  await first.next();
  first.end();
  receiving.reach(1, second.port);
  await receiving.route([path], 1);
  (await second.next())();
  await lost;
});

it('a connection whose loop has died and whose target is deleted is answered here', async () => {
  const { host, port, receiving, takenHere } = await receive();
  const { port: to, end, next } = loop();
  receiving.reach(1, to);
  await receiving.route([path], 1);
  const lost = name(port);
  await next();
  await host.root.apply({ path: '/iscsi', verb: 'delete', params: { wwn } });
  end();
  await lost;
  expect(takenHere).toEqual([wwn]);
});
