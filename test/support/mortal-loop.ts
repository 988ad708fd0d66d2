/** A loop's thread that ends when the channel says so, as a bug below JavaScript would end it. */

import { BroadcastChannel } from 'node:worker_threads';

await import('../../src/loops/loop-thread.ts');
new BroadcastChannel('the end of loops').onmessage = () => process.exit(7);
