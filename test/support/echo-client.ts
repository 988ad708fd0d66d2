/**
 * A thread that sends messages, a length and as many bytes, to a server that is to answer each with itself: one at a
 * time, then many at once. It says whether all came back as they were. (In the server's own thread, nothing could come
 * while the server looks.)
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export const lengthBytes = 4;

const lengths = [1, 100, 4096, 12_288, 16_384, 40_000, 131_072, 200_000, 300_001, 7];

async function exchange(port: number): Promise<boolean> {
  const client = connect(port, '127.0.0.1').setNoDelay();
  await once(client, 'connect');
  const received: Buffer[] = [];
  const sent: Buffer[] = [];
  let missing = 0;
  client.on('data', (data: Buffer) => {
    received.push(data);
    missing -= data.length;
  });
  const send = (length: number): void => {
    const message = Buffer.alloc(lengthBytes + length, sent.length + 1);
    message.writeUInt32BE(length);
    sent.push(message);
    missing += message.length;
    client.write(message);
  };
  const answered = async (): Promise<void> => {
    while (missing > 0) await once(client, 'data');
  };
  for (let round = 0; round < 40; round += 1)
    for (const length of lengths) {
      send(length);
      await answered();
    }
  // More than the sockets take.
  for (let round = 0; round < 20; round += 1) for (const length of [...lengths, ...lengths.toReversed()]) send(length);
  await answered();
  client.destroy();
  return Buffer.concat(received).equals(Buffer.concat(sent));
}

if (parentPort) parentPort.postMessage(await exchange(workerData as number));
