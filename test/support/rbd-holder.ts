/** A process that opens an image by user:rbd, prints as whom the cluster knows it, and stays. */

import { userRbd } from '../../src/backstore/user-rbd.ts';

const [cfgstring, size] = process.argv.slice(2);
const volume = await userRbd.open({ config: `rbd/${cfgstring}`, size: Number(size) });
console.log(volume.client);
setInterval(() => {}, 1_000_000);
