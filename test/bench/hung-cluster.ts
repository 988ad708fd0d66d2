// The cost of a Ceph cluster that hangs, to a file in the same process and event loop: `node test/bench/hung-cluster.ts [--rounds N]`.
// An initiator reads 4 KiB of a file in memory at a time, first alone, then while writes to an image stand still because the cluster's OSD
// is paused. The median over the rounds of the ratio of 99th percentiles is to stay under 2; at the end tcli is told to stop while the
// cluster hangs, and has 20 s for it.

import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestCluster } from '../support/ceph.ts';
import { connectInitiator } from '../support/connect-initiator.ts';
import { median } from './samples.ts';
import { builtProgram, startTcli } from './servers.ts';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } });
const ratioMax = 2;
const stopSecondsMax = 20;
const reads = 5000;
const imageBytes = 32 * 1024 ** 2;
/** The writes that stand still. */
const writers = 8;
/** READ(10) of 4 KiB at block 0. */
const read = [0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0];

const file = `/dev/shm/tcli-hung-${process.pid}.img`;
writeFileSync(file, randomFillSync(Buffer.alloc(imageBytes)));
const cluster = await TestCluster.start();
await cluster.makeImage('hung', imageBytes);
try {
  process.exitCode = (await holds()) ? 0 : 1;
} finally {
  await cluster.signalOsd('SIGCONT');
  await cluster.stop();
  rmSync(file, { force: true });
}
process.exit();

/** Measures, and prints. @returns whether both marks are kept */
async function holds(): Promise<boolean> {
  const image = `${imageBytes} ${cluster.cfgstring('hung')}`;
  const disks = [
    { kind: 'fileio', create: file },
    { kind: 'user:rbd', create: image },
  ] as const;
  const server = await startTcli(builtProgram, 'hung', disks, { words: ['--loops', '1'] });
  const [fileUrl = '', imageUrl = ''] = server.urls;
  const ratios: number[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const alone = await slowestOfHundred(fileUrl);
    const goOn = await hang(imageUrl);
    const beside = await slowestOfHundred(fileUrl);
    await goOn();
    const ratio = beside / alone;
    ratios.push(ratio);
    console.log(
      `p99 alone ${alone.toFixed(0)} us, beside a cluster that hangs ${beside.toFixed(0)} us: x${ratio.toFixed(2)}`,
    );
  }
  const middle = median(ratios);
  console.log(`median x${middle.toFixed(2)}, to stay under x${ratioMax}`);
  await hang(imageUrl);
  const began = performance.now();
  await server.stop();
  const seconds = (performance.now() - began) / 1000;
  console.log(`stopped while the cluster hangs: ${seconds.toFixed(1)} s, of ${stopSecondsMax} at most`);
  return middle < ratioMax && seconds < stopSecondsMax;
}

/** The 99th percentile of one read at a time, in microseconds. */
async function slowestOfHundred(url: string): Promise<number> {
  const { port, pathname } = new URL(url.replace(/^iscsi/, 'http'));
  const target = pathname.split('/')[1] ?? '';
  const { initiator, close } = await connectInitiator(Number(port), target, 'iqn.2026-01.org.example:neighbour');
  const taken: number[] = [];
  // The first command is told of the power-on; the next hundreds warm up.
  for (let count = -500; count < reads; count += 1) {
    const began = performance.now();
    await initiator.command(read, { read: true, length: 4096 });
    if (count >= 0) taken.push((performance.now() - began) * 1000);
  }
  close();
  return taken.toSorted((a, b) => a - b)[Math.floor(reads * 0.99)] ?? Number.NaN;
}

/** Pauses the OSD under writes. @returns lets it go on, and waits for the writes */
async function hang(url: string): Promise<() => Promise<void>> {
  await cluster.signalOsd('SIGSTOP');
  const writes = Array.from({ length: writers }, (_, at) =>
    spawn('qemu-io', ['-t', 'none', '-f', 'raw', '-c', `write ${at}M 64k`, url], { stdio: 'ignore' }),
  );
  const ends = writes.map((one) => once(one, 'exit'));
  await sleep(2000);
  if (writes.some(({ exitCode }) => exitCode !== null)) throw new Error('a write was answered by a cluster that hangs');
  return async () => {
    await cluster.signalOsd('SIGCONT');
    await Promise.all(ends);
  };
}
