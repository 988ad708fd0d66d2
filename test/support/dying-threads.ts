/** A program: threads that end, in each way in which a thread can, while all that they wait for has come. It prints how each has ended. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { descriptorOf, duplicateDescriptor } from '../../src/system/descriptor.ts';
import { DescriptorSocket } from '../../src/system/descriptor-socket.ts';
import { openEvent, raiseEvent, watchEvent } from '../../src/system/eventfd.ts';
import { foreignCall } from '../../src/system/ffi.ts';

type Way = 'by another thread' | 'by itself' | 'by an error';
const ways: readonly Way[] = ['by another thread', 'by itself', 'by an error'];

if (isMainThread) await endAll(process.argv[2]!);
else await end(workerData as { path: string; way: Way });

async function endAll(path: string): Promise<void> {
  createServer((socket) => socket.on('error', () => {}).write('never received')).listen(path);
  for (const way of ways) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { path, way } });
    worker.on('error', () => {});
    worker.once('message', () => way === 'by another thread' && worker.terminate());
    const status = await new Promise((resolve) => worker.on('exit', resolve));
    process.stdout.write(`${way}: ${status}\n`);
  }
  // The descriptors that the threads had stay open, and so do their connections.
  process.exit();
}

async function end({ path, way }: { path: string; way: Way }): Promise<void> {
  // An open file keeps the end of a thread from being over at once.
  createServer().listen(0, '127.0.0.1');
  const node = connect(path).pause();
  await once(node, 'connect');
  const socket = new DescriptorSocket(duplicateDescriptor(descriptorOf(node)));
  const event = openEvent();
  watchEvent(event, () => raiseEvent(event)).keepAlive(true);
  raiseEvent(event);
  foreignCall('usleep', 'int', ['uint'])()
    ?.later(200_000)
    .catch(() => {});
  let seen = 0;
  const seeAgain = () => {
    socket.whenReadable(seeAgain);
    seen += 1;
    if (seen === 1) parentPort!.postMessage('it has come');
    if (seen < 3) return;
    if (way === 'by itself') process.exit(7);
    if (way === 'by an error') throw new Error('a bug');
  };
  socket.whenReadable(seeAgain);
}
