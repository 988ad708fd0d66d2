/** A thread that says where the memory of its ring is, begins as many reads of a file as the ring takes, and says so. */

import { constants, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { IoUring, opcode, slotBytes, slots } from '../../src/system/io-uring.ts';
import { addressNumber } from '../../src/system/io-vector.ts';

const fd = openSync(workerData as string, constants.O_RDONLY | constants.O_DIRECT);
const ring = new IoUring();
ring.transfer(opcode.read, fd, 4096, 0, (_, memory) => {
  // Slots are used in their order, and the first one is free when this returns: each gets the part of the file at its place.
  for (let at = 1; at <= slots; at += 1) ring.transfer(opcode.read, fd, slotBytes, (at % slots) * slotBytes, () => {});
  // Behind the microtask that hands them to the kernel.
  queueMicrotask(() => parentPort!.postMessage({ address: addressNumber(memory), inFlight: ring.inFlight }));
});
