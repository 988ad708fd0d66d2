// The effect of a LUN on a busy disk on its neighbour in the same process: `node test/bench/neighbour.ts`. One initiator reads 4 KiB at
// a time from a file in memory, first alone, then beside another that keeps a file on disk busy: with reads that the page cache does not
// hold, and with writes that are flushed. Over the rounds, the medians of the ratios of mean latencies, and of 99th percentiles beside
// writes, are to stay under 3.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isload, qemuImg } from './loads.ts';
import { median } from './samples.ts';
import { builtProgram, startTcli } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    program: { type: 'string', default: builtProgram },
    isload: { type: 'string', default: process.env['ISLOAD'] ?? 'isload' },
    /** Where the file on disk is made; a memory file system proves nothing. */
    disk: { type: 'string', default: tmpdir() },
  },
});

const ratioMax = 3;
const quickBytes = 64 * 1024 * 1024;
const busyBytes = 1024 * 1024 * 1024;
/** Steps of the busy file lie so far apart that reading ahead does not help. */
const stepBytes = 64 * 1024;
const pieceBytes = 16 * 1024;
/** Words of `qemu-img bench` for each way to keep the disk busy, and which figure of the neighbour is to stay near. */
const floods = [
  { name: 'cold reads', words: [], judged: 'mean' },
  { name: 'flushed writes', words: ['-w', '--flush-interval=16', '--no-drain'], judged: 'p99' },
] as const;

const hasIsload = spawnSync('sh', ['-c', `command -v ${options.isload}`]).status === 0;
if (!hasIsload) console.log('isload: not installed, so qemu-img reads, which tells no percentiles');
const reads = hasIsload ? isload('reads', 'randread', 4096, 1) : qemuImg('reads', 4096, 1, 5000);

const quick = `/dev/shm/tcli-neighbour-${process.pid}.img`;
const busy = join(options.disk, `tcli-neighbour-${process.pid}.img`);
fill(quick, quickBytes);
fill(busy, busyBytes);
const server = await startTcli(options.program, 'neighbour', [
  { kind: 'fileio', create: quick },
  { kind: 'fileio', create: busy },
]);
const [quickUrl = '', busyUrl = ''] = server.urls;
try {
  // A program that has just begun is slower than it will be.
  await latency();
  for (const { name, words, judged } of floods) {
    const ratios: Record<'mean' | 'p99', number[]> = { mean: [], p99: [] };
    for (let round = 0; round < Number(options.rounds); round += 1) {
      evict();
      const alone = await latency();
      const stop = flood(words);
      const beside = await latency();
      await stop();
      for (const what of ['mean', 'p99'] as const) ratios[what].push(beside[what] / alone[what]);
      console.log(
        `alone ${shown(alone)}, beside ${name} ${shown(beside)}: mean x${(beside.mean / alone.mean).toFixed(2)}, ` +
          `p99 x${(beside.p99 / alone.p99).toFixed(2)}`,
      );
    }
    const [mean, p99] = [median(ratios.mean), median(ratios.p99)];
    console.log(
      `${name}: median mean x${mean.toFixed(2)}, p99 x${p99.toFixed(2)}; ${judged} to stay under x${ratioMax}\n`,
    );
    if (median(ratios[judged]) >= ratioMax) process.exitCode = 1;
  }
} finally {
  await server.stop();
  for (const file of [quick, busy]) rmSync(file, { force: true });
}

/** Microseconds of one 4 KiB read, one at a time. */
async function latency(): Promise<{ mean: number; p99: number }> {
  const program = hasIsload ? options.isload : 'qemu-img';
  const { iops, p99 = Number.NaN } = await reads.run([quickUrl], Number(options.seconds), program);
  return { mean: 1e6 / iops, p99 };
}

function shown({ mean, p99 }: { mean: number; p99: number }): string {
  return `${mean.toFixed(0)} us (p99 ${p99.toFixed(0)})`;
}

/** Keeps the disk busy. @returns a function that ends that; it rejects when that has ended before */
function flood(words: readonly string[]): () => Promise<void> {
  const count = ['-f', 'raw', '-t', 'none', '-s', pieceBytes, '-d', 16, '-S', stepBytes, '-c', 10_000_000].map(String);
  const other = spawn('qemu-img', ['bench', ...count, ...words, busyUrl], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => other.once('exit', () => resolve()));
  return async () => {
    if (other.exitCode !== null) throw new Error(`qemu-img bench ${words.join(' ')} ended with ${other.exitCode}`);
    other.kill('SIGKILL');
    await ended;
  };
}

/** Takes the file out of the page cache (posix_fadvise DONTNEED, which only clean pages obey). */
function evict(): void {
  execFileSync('sync', [busy]);
  execFileSync('dd', [`if=${busy}`, 'iflag=nocache', 'count=0', 'status=none']);
}

function fill(file: string, bytes: number): void {
  const piece = randomFillSync(new Uint8Array(1024 * 1024));
  for (let done = 0; done < bytes; done += piece.length) writeFileSync(file, piece, { flag: done === 0 ? 'w' : 'a' });
}
