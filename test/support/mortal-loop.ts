/** A loop's thread that ends when the channel says its name, as a bug below JavaScript would end it. */

import { BroadcastChannel, threadName } from 'node:worker_threads';

await import('../../src/loops/loop-thread.ts');
new BroadcastChannel('the end of loops').onmessage = ({ data }: { data: unknown }) => {
  if (data === threadName) process.exit(7);
};
